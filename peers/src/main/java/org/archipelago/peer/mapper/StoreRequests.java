package org.archipelago.peer.mapper;

import java.util.ArrayDeque;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.xseg.Request;

/** The requests that a mapper's instance has for its store, lent out in turn: who finds none waits. */
final class StoreRequests {
    /** Has work for a request, which it gives back. */
    interface Borrower {
        void use(Request request);
    }

    private final RequestPool pool;
    private final ArrayDeque<Borrower> waiting = new ArrayDeque<>();
    private boolean lending;

    StoreRequests(RequestPool pool) {
        this.pool = pool;
    }

    /** Lends a request, now or later. */
    void lend(Borrower borrower) {
        if (pool.isEmpty()) {
            waiting.add(borrower);
        } else {
            borrower.use(pool.take());
        }
    }

    void giveBack(Request request) {
        pool.release(request);
        if (lending) {
            return; // by one that lent just now: a loop, not a recursion
        }
        lending = true;
        while (!waiting.isEmpty() && !pool.isEmpty()) {
            waiting.poll().use(pool.take());
        }
        lending = false;
    }
}
