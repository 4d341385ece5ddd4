package org.archipelago.peer.host;

import java.util.ArrayDeque;
import org.archipelago.xseg.Request;

/** Free requests of one reactor, each with its own piece of data; for that reactor's thread alone. */
public final class RequestPool {
    private final ArrayDeque<Request> free;

    RequestPool(Slots.Extent extent, int dataBytes) {
        free = new ArrayDeque<>(extent.requests().size());
        for (int i = 0; i < extent.requests().size(); i++) {
            free.add(extent.requests().get(i).data(extent.address() + (long) i * dataBytes, dataBytes));
        }
    }

    public boolean isEmpty() {
        return free.isEmpty();
    }

    /** Throws NoSuchElementException when none is free: ask {@link #isEmpty} first. */
    public Request take() {
        return free.pop();
    }

    public void release(Request request) {
        free.push(request);
    }
}
