package org.archipelago.peer.host;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.LibXseg;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentDescriptor;
import org.archipelago.xseg.SegmentException;

/**
 * What goes between this process and others of the same segment: requests that others send to the
 * ports served here, and the answers to requests sent to theirs. The first reactor looks after the
 * rings; it sleeps on a bell that others ring.
 *
 * <p>A port whose owner has died gets another, as a rule: a supervisor starts the process anew. So what
 * finds nobody there, or was with the dead and can be done once more, is sent again until then, for
 * {@value #PATIENCE_SECONDS} seconds at most.
 */
final class Rings implements Reactor.Poller {
    private static final System.Logger LOG = System.getLogger(Rings.class.getName());
    private static final VarHandle WORD = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final int BATCH = 64;
    private static final long BEAT_NANOS = 500_000_000L;
    private static final int PATIENCE_SECONDS = 10;
    private static final long PATIENCE_NANOS = PATIENCE_SECONDS * 1_000_000_000L;
    private static final long AGAIN_NANOS = 50_000_000L;

    private final Host host;
    private final Segment segment;
    private final Slots slots;
    private final Reactor reactor;
    private final ByteBuffer metadata;
    private final Memory batch = new Memory(4L * BATCH);
    private final long batchAddress = Pointer.nativeValue(batch);
    private final ThreadLocal<Memory> oneSlot = ThreadLocal.withInitial(() -> new Memory(4));
    private final List<Integer> servedPorts = new ArrayList<>();
    private final Map<Integer, Request> foreign = new HashMap<>();
    private final Map<Integer, Request> sent = new HashMap<>();
    private final Set<Integer> remotePorts = new HashSet<>();
    private final ArrayDeque<Request> waiting = new ArrayDeque<>();
    /** Requests whose port nobody serves, and since when that is so. */
    private final ArrayDeque<Request> orphaned = new ArrayDeque<>();
    private final Map<Request, Long> orphanedSince = new IdentityHashMap<>();
    private boolean toSendAgain;
    private final int bell;
    private final int bellFd;

    Rings(Host host, Slots slots) {
        this.host = host;
        this.slots = slots;
        this.segment = host.segment();
        this.metadata = segment.metadata();
        this.reactor = host.reactors()[0];
        this.bell = slots.bell();
        this.bellFd = LibXseg.xseg_bell_fd(segment.handle(), bell);
        SegmentException.check(bellFd);
        Memory sink = new Memory(64);
        reactor.watch(bellFd, Posix.EPOLLIN, events -> Posix.read(bellFd, Pointer.nativeValue(sink), sink.size()));
        reactor.add(this);
        reactor.schedule(0, this::beat);
    }

    /** Takes a port for a role; before the reactors run. */
    void bind(int port, String role) {
        SegmentException.check(Slots.bind(segment, port, 0, 0, role, bell));
        servedPorts.add(port);
    }

    /** Sends a request of any reactor to a port of another process. */
    void submit(Request request, Reactor from, int port) {
        if (from == reactor && reactor.isCurrent()) {
            send(request, port);
        } else {
            reactor.execute(() -> send(request, port));
        }
    }

    private void send(Request request, int port) {
        Memory slot = oneSlot.get(); // not the batch: an answer in it may be what sends this
        slot.setInt(0, request.slot());
        int result = LibXseg.xseg_submit(segment.handle(), port, Pointer.nativeValue(slot), 1);
        if (result == 1) {
            sent.put(request.slot(), request);
            remotePorts.add(port);
        } else if (result == 0) {
            waiting.add(request); // the ring is full: its owner is busy, or dead and soon found so
        } else if (result == -Errno.EHOSTDOWN && request.op() != Op.PING) {
            keep(request, Errno.EHOSTDOWN);
        } else {
            end(request, -result);
        }
    }

    /** For the next owner of the port that it goes to, or, when that takes too long, to end with an errno. */
    private void keep(Request request, int errno) {
        long now = System.nanoTime();
        Long since = orphanedSince.putIfAbsent(request, now);
        if (since != null && now - since > PATIENCE_NANOS) {
            end(request, errno);
            return;
        }
        orphaned.add(request);
        if (!toSendAgain) {
            toSendAgain = true;
            reactor.schedule(AGAIN_NANOS, this::sendAgain);
        }
    }

    private void sendAgain() {
        toSendAgain = false;
        for (int left = orphaned.size(); left > 0; left--) {
            Request request = orphaned.poll();
            send(request, request.destination());
        }
    }

    private void end(Request request, int errno) {
        if (!orphanedSince.isEmpty()) {
            orphanedSince.remove(request);
        }
        request.complete(errno);
    }

    /** Operations on objects that leave the same behind when they are done twice. */
    private static boolean canBeRepeated(int op) {
        return switch (op) {
            case Op.READ, Op.WRITE, Op.ZERO, Op.SYNC, Op.PUT, Op.INFO, Op.LIST -> true;
            default -> false;
        };
    }

    @Override
    public int poll() {
        int work = 0;
        for (int i = 0; i < servedPorts.size(); i++) {
            int port = servedPorts.get(i);
            if (hasEntry(port, SegmentDescriptor.PORT_REQUEST_HEAD, 0)) {
                work += accept(port);
            }
        }
        if (!sent.isEmpty()) {
            for (int port : slots.ports()) {
                if (hasEntry(port, SegmentDescriptor.PORT_REPLY_HEAD, 8 * segment.ringSize())) {
                    work += receive(port);
                }
            }
        }
        for (int left = waiting.size(); left > 0; left--) {
            Request request = waiting.poll();
            send(request, request.destination());
        }
        return work;
    }

    private boolean hasEntry(int port, int headField, int ringAt) {
        int at = segment.portAt(port);
        long head = (long) WORD.getAcquire(metadata, at + headField);
        int index = (int) (head & (segment.ringSize() - 1));
        long word = (long) WORD.getAcquire(metadata, at + SegmentDescriptor.PORT_WORDS + ringAt + 8 * index);
        return (int) word != 0;
    }

    private int accept(int port) {
        int count = LibXseg.xseg_accept(segment.handle(), port, batchAddress, BATCH);
        for (int i = 0; i < count; i++) {
            Request request = foreign.computeIfAbsent(batch.getInt(4L * i), this::foreignRequest);
            try {
                host.arrive(request, port);
            } catch (RuntimeException | Error e) {
                defect(request, e);
            }
        }
        return Math.max(count, 0);
    }

    private Request foreignRequest(int slot) {
        return new Request(metadata, segment.base(), segment.requestAt(slot), slot, true, this::answer);
    }

    private void answer(Request request) {
        Memory slot = oneSlot.get();
        slot.setInt(0, request.slot());
        int result = LibXseg.xseg_respond(segment.handle(), Pointer.nativeValue(slot), 1);
        if (result < 0) {
            LOG.log(System.Logger.Level.WARNING, "an answer was lost: {0}: {1}", request, Host.reason(result));
        }
    }

    private int receive(int port) {
        int count = LibXseg.xseg_receive(segment.handle(), port, batchAddress, BATCH);
        for (int i = 0; i < count; i++) {
            Request request = sent.remove(batch.getInt(4L * i));
            if (request != null) {
                try {
                    if (request.status() == Errno.EOWNERDEAD && canBeRepeated(request.op())) {
                        keep(request, Errno.EOWNERDEAD);
                    } else {
                        end(request, request.status());
                    }
                } catch (RuntimeException | Error e) {
                    defect(request, e);
                }
            }
        }
        return Math.max(count, 0);
    }

    /** What was taken out of a ring with it goes on all the same. */
    private static void defect(Request request, Throwable e) {
        LOG.log(System.Logger.Level.ERROR, "a defect in what serves " + request, e);
    }

    @Override
    public boolean prepareToSleep() {
        LibXseg.xseg_prepare_wait(segment.handle(), bell);
        return poll() == 0;
    }

    @Override
    public void awake() {
        LibXseg.xseg_cancel_wait(segment.handle(), bell);
    }

    /** Says that this process lives, and lets nobody wait for one that does not. */
    private void beat() {
        for (int port : servedPorts) {
            LibXseg.xseg_heartbeat(segment.handle(), port);
        }
        for (int port : slots.ports()) {
            LibXseg.xseg_heartbeat(segment.handle(), port);
        }
        if (!sent.isEmpty()) {
            for (int port : remotePorts) {
                if (LibXseg.xseg_alive(segment.handle(), port) == 0) {
                    LibXseg.xseg_recover(segment.handle(), port);
                }
            }
        }
        reactor.schedule(BEAT_NANOS, this::beat);
    }

    void close() {
        for (int port : servedPorts) {
            LibXseg.xseg_unbind(segment.handle(), port);
        }
    }
}
