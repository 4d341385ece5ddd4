package org.archipelago.peer.host;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.LibXseg;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentException;

/**
 * The request slots and data pages that this process owns: ports of its own, taken from the top of
 * the segment's port numbers downwards, each with as many slots as a ring has words.
 */
public final class Slots implements AutoCloseable {
    private final Segment segment;
    private final String process;
    private final List<Integer> ports = new CopyOnWriteArrayList<>();

    Slots(Segment segment, String process) {
        this.segment = segment;
        this.process = process;
        bind("bell", 0, 0);
    }

    /** The port whose bell wakes this process, for all its ports. */
    int bell() {
        return ports.get(0);
    }

    /** Requests, and a run of data pages; address: in this process. */
    public record Extent(List<Request> requests, long address, long length) {}

    /** Ports of this process that answers come back to. */
    List<Integer> ports() {
        return ports;
    }

    /** Takes slots and pages for a reactor; any thread. */
    synchronized Extent take(Reactor reactor, String role, int requests, long dataBytes) {
        int most = segment.ringSize();
        List<Request> taken = new ArrayList<>(requests);
        int port = bind(role, Math.min(requests, most), dataBytes);
        long address;
        long length;
        try (Memory out = new Memory(16)) {
            SegmentException.check(LibXseg.xseg_port_data(segment.handle(), port, address(out), address(out) + 8));
            address = segment.base() + out.getLong(0);
            length = out.getLong(8);
        }
        addRequests(port, reactor, taken);
        while (taken.size() < requests) {
            addRequests(bind(role, Math.min(requests - taken.size(), most), 0), reactor, taken);
        }
        return new Extent(List.copyOf(taken), address, length);
    }

    private void addRequests(int port, Reactor reactor, List<Request> to) {
        try (Memory out = new Memory(8)) {
            SegmentException.check(LibXseg.xseg_port_slots(segment.handle(), port, address(out), address(out) + 4));
            for (int i = 0; i < out.getInt(4); i++) {
                to.add(request(out.getInt(0) + i, reactor));
            }
        }
    }

    private static long address(Memory memory) {
        return Pointer.nativeValue(memory);
    }

    private Request request(int slot, Reactor reactor) {
        return new Request(segment.metadata(), segment.base(), segment.requestAt(slot), slot, false, reactor);
    }

    private int bind(String role, int requests, long dataBytes) {
        for (int port = segment.ports() - 1; port >= 0; port--) {
            if (!ports.contains(port)) {
                int result = bind(segment, port, requests, dataBytes, process + ":" + role, ports.isEmpty() ? port : bell());
                if (result == 0) {
                    ports.add(port);
                    return port;
                }
                if (result == -Errno.ENOSPC) {
                    throw new SegmentException(Errno.ENOSPC, "the segment is too small: no room for " + requests
                        + " requests and " + dataBytes + " bytes for " + role + "; raise SEGMENT_SIZE");
                }
                if (result != -Errno.EBUSY && result != -Errno.EAGAIN) {
                    SegmentException.check(result);
                }
            }
        }
        throw new SegmentException(Errno.EBUSY, "the segment has no free port for " + role + "; raise SEGMENT_PORTS");
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

    @Override
    public void close() {
        for (int port : ports) {
            LibXseg.xseg_unbind(segment.handle(), port);
        }
        ports.clear();
    }
}
