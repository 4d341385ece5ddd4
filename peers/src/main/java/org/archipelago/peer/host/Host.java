package org.archipelago.peer.host;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.archipelago.peer.Peer;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.LibXseg;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentException;

/**
 * The process that runs peers: a segment, the reactors, and which port is served here. A request
 * submitted to a port that is served here is a direct call on the submitter's thread, to the instance
 * of the peer on the same reactor; to any other port it goes through that port's ring.
 *
 * <p>What belongs to one target is the work of one reactor, {@link #reactorOf}: whoever brings a
 * request from outside (an endpoint, a ring, a {@link Caller}) brings it to that one.
 */
public final class Host implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Host.class.getName());

    private static final long PREDECESSOR_NANOS = 15_000_000_000L;
    private static final long PREDECESSOR_MILLIS = 20;

    private final Segment segment;
    private final Reactor[] reactors;
    private final Map<Integer, Peer[]> served = new HashMap<>();
    private final Peer[][] byPort;
    private final Slots[] slots;
    private final Rings[] rings;
    private final List<Peer> closing = new ArrayList<>();

    /**
     * Waits for the requests of a process of that name that died: what others do for it must not come after what they
     * do for this one.
     *
     * @param segment stays the caller's to close, after this host; it keeps its memory while a reactor still runs
     * @param reactors how many threads, at least 1
     * @param spinNanos how long a reactor looks for work before it sleeps, at most
     * @throws SegmentException EAGAIN where that takes too long: those who have the requests are stuck
     */
    public Host(String name, Segment segment, int reactors, long spinNanos) {
        this.segment = segment;
        awaitPredecessor(name);
        this.byPort = new Peer[segment.ports()][];
        this.reactors = new Reactor[reactors];
        this.slots = new Slots[reactors];
        this.rings = new Rings[reactors];
        for (int i = 0; i < reactors; i++) {
            this.reactors[i] = new Reactor(name + "-" + i, i, spinNanos);
            this.slots[i] = new Slots(segment, this.reactors[i], name);
            this.rings[i] = new Rings(this, slots[i], this.reactors[i]);
        }
        segment.retain();
    }

    private void awaitPredecessor(String name) {
        long end = System.nanoTime() + PREDECESSOR_NANOS;
        segment.recoverDead();
        while (hasDeadPorts(name + ":")) {
            if (System.nanoTime() - end > 0) {
                throw new SegmentException(Errno.EAGAIN, "requests of a former process " + name + " are still being worked on by "
                    + "others after " + PREDECESSOR_NANOS / 1_000_000_000 + " s: xseg reportall shows who has them; end that process");
            }
            try {
                Thread.sleep(PREDECESSOR_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new SegmentException(Errno.EINTR, "interrupted");
            }
            segment.recoverDead();
        }
    }

    private boolean hasDeadPorts(String roles) {
        for (int port = 0; port < segment.ports(); port++) {
            if (!segment.isFree(port) && segment.role(port).startsWith(roles) && LibXseg.xseg_alive(segment.handle(), port) == 0) {
                return true;
            }
        }
        return false;
    }

    public Segment segment() {
        return segment;
    }

    public Reactor[] reactors() {
        return reactors.clone();
    }

    /** The reactor that does what concerns a target; hash: its name's. */
    public Reactor reactorOf(int hash) {
        return reactors[Math.floorMod(hash, reactors.length)];
    }

    /**
     * Serves a port here: makes an instance of a peer for each reactor. Before {@link #start}. What others send to
     * it comes to one of the reactors, which hands it to the one that the target belongs to.
     *
     * @throws SegmentException when the port belongs to another living process
     */
    public void serve(int port, String role, Function<Reactor, Peer> instance) {
        Peer[] peers = new Peer[reactors.length];
        for (int i = 0; i < reactors.length; i++) {
            peers[i] = instance.apply(reactors[i]);
            closing.add(peers[i]);
        }
        rings[port % rings.length].bind(port, role);
        byPort[port] = peers;
        served.put(port, peers);
    }

    public boolean serves(int port) {
        return served.containsKey(port);
    }

    /** Request slots for one reactor's use, each with room for data; before or after {@link #start}. */
    public RequestPool pool(Reactor reactor, String role, int requests, int dataBytes) {
        return new RequestPool(slots[reactor.index()].take(role, requests, (long) requests * dataBytes), dataBytes);
    }

    /** A part of the segment for one reactor's data in flight. */
    public Slots.Extent buffers(Reactor reactor, String role, long bytes) {
        return slots[reactor.index()].take(role, 0, bytes);
    }

    public void start() {
        for (Reactor reactor : reactors) {
            reactor.start();
        }
    }

    /** Sends a request to a port; on the thread of the reactor that the request's slot belongs to. */
    public void submit(Request request, Reactor reactor, int port) {
        request.destination(port);
        Peer[] here = byPort[port];
        if (here != null) {
            here[reactor.index()].accept(request);
        } else {
            rings[reactor.index()].submit(request);
        }
    }

    Rings rings(int reactor) {
        return rings[reactor];
    }

    /** For requests out of a ring, that came to a reactor: to the one that the target belongs to, whose index it returns. */
    int arrive(Request request, Reactor at) {
        Reactor reactor = reactorOf(request.targetHash());
        request.cookie(reactor.index());
        if (reactor == at) {
            serve(request);
        } else {
            reactor.post(request); // which comes back to serve
        }
        return reactor.index();
    }

    /** On the reactor that the target belongs to: to the peer that the request was sent to. */
    void serve(Request request) {
        try {
            byPort[request.destination()][(int) request.cookie()].accept(request);
        } catch (RuntimeException | Error e) {
            LOG.log(System.Logger.Level.ERROR, "a defect in what serves " + request, e);
            request.complete(Errno.EIO); // or its sender would wait for ever
        }
    }

    /** For requests out of a ring: the reactor that served one answers it. */
    void answer(Request request) {
        rings[(int) request.cookie()].answer(request);
    }

    /** Whether all reactors have been at work since then, by System.nanoTime. */
    boolean isAtWork(long since) {
        for (Rings of : rings) {
            if (of.lastBeat() - since < 0) {
                return false;
            }
        }
        return true;
    }

    /** Whether the port's owner, here or in another process, is alive. */
    public boolean alive(int port) {
        return serves(port) || LibXseg.xseg_alive(segment.handle(), port) == 1;
    }

    /** Stops the reactors, then the peers. */
    @Override
    public void close() {
        for (Reactor reactor : reactors) {
            reactor.close();
        }
        for (int i = closing.size() - 1; i >= 0; i--) {
            closing.get(i).close();
        }
        boolean over = true;
        for (int i = 0; i < reactors.length; i++) {
            slots[i].close();
            over &= !reactors[i].isAlive();
        }
        for (int port : served.keySet()) {
            LibXseg.xseg_unbind(segment.handle(), port); // unless parts of what it owes are still with others
        }
        if (over) {
            segment.release();
        }
    }

    static String reason(int result) {
        return Errno.text(-result);
    }
}
