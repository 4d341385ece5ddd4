package org.archipelago.peer.host;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.LibXseg;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentException;

/**
 * The request slots and data pages that one reactor owns: ports of its own, taken from the top of the
 * segment's port numbers downwards, each with as many slots as a ring has words at most. The first
 * has none: its bell wakes the reactor, for all its ports. Any thread may take more.
 */
public final class Slots implements AutoCloseable {
    private final Segment segment;
    private final Reactor reactor;
    private final String process;
    private volatile Source[] sources = {};

    Slots(Segment segment, Reactor reactor, String process) {
        this.segment = segment;
        this.reactor = reactor;
        this.process = process;
        add("bell", 0, 0);
    }

    /** Requests, and a run of data pages; address: in this process. */
    public record Extent(List<Request> requests, long address, long length) {}

    /** A port of this reactor's that answers come back to; first: the slot of requests[0]. */
    record Source(int port, int first, Request[] requests) {
        /** The request in a slot of this port. */
        Request of(int slot) {
            return requests[slot - first];
        }
    }

    /** The port whose bell wakes the reactor. */
    int bell() {
        return sources[0].port;
    }

    /** The array is not to be changed, and never is. */
    Source[] sources() {
        return sources;
    }

    /** Takes slots and pages. */
    synchronized Extent take(String role, int requests, long dataBytes) {
        int most = segment.ringSize();
        Source first = add(role, Math.min(requests, most), dataBytes);
        List<Request> taken = new ArrayList<>(Arrays.asList(first.requests));
        while (taken.size() < requests) {
            taken.addAll(Arrays.asList(add(role, Math.min(requests - taken.size(), most), 0).requests));
        }
        try (Memory out = new Memory(16)) {
            SegmentException.check(LibXseg.xseg_port_data(segment.handle(), first.port, address(out), address(out) + 8));
            return new Extent(List.copyOf(taken), segment.base() + out.getLong(0), out.getLong(8));
        }
    }

    private Source add(String role, int requests, long dataBytes) {
        int port = bind(role, requests, dataBytes);
        Source source;
        try (Memory out = new Memory(8)) {
            SegmentException.check(LibXseg.xseg_port_slots(segment.handle(), port, address(out), address(out) + 4));
            int first = out.getInt(0);
            source = new Source(port, first,
                IntStream.range(first, first + out.getInt(4)).mapToObj(this::request).toArray(Request[]::new));
        }
        Source[] more = Arrays.copyOf(sources, sources.length + 1);
        more[sources.length] = source;
        sources = more;
        return source;
    }

    private Request request(int slot) {
        return new Request(segment.metadata(), segment.base(), segment.requestAt(slot), slot, false, reactor);
    }

    /** Those that are free come first: whether one in use has a dead owner takes time to tell. */
    private int bind(String role, int requests, long dataBytes) {
        for (boolean used : new boolean[] {false, true}) {
            for (int port = segment.ports() - 1; port >= 0; port--) {
                if (segment.isFree(port) != used && tryBind(port, role, requests, dataBytes)) {
                    return port;
                }
            }
        }
        throw new SegmentException(Errno.EBUSY, "the segment has no free port for " + role + "; raise SEGMENT_PORTS");
    }

    private boolean tryBind(int port, String role, int requests, long dataBytes) {
        int result = bind(segment, port, requests, dataBytes, process + ":" + role, sources.length == 0 ? port : bell());
        if (result == -Errno.ENOSPC) {
            throw new SegmentException(Errno.ENOSPC, "the segment is too small: no room for " + requests
                + " requests and " + dataBytes + " bytes for " + role + "; raise SEGMENT_SIZE");
        }
        if (result != -Errno.EBUSY && result != -Errno.EAGAIN) {
            SegmentException.check(result);
        }
        return result == 0;
    }

    /** Returns what xseg_bind returns. */
    static int bind(Segment segment, int port, int requests, long dataBytes, String role, int bell) {
        byte[] name = role.getBytes(StandardCharsets.UTF_8);
        try (Memory cName = new Memory(name.length + 1L)) {
            cName.write(0, name, 0, name.length);
            cName.setByte(name.length, (byte) 0);
            return LibXseg.xseg_bind(segment.handle(), port, requests, dataBytes, address(cName), bell);
        }
    }

    private static long address(Memory memory) {
        return Pointer.nativeValue(memory);
    }

    @Override
    public void close() {
        for (Source source : sources) {
            LibXseg.xseg_unbind(segment.handle(), source.port);
        }
        sources = new Source[0];
    }
}
