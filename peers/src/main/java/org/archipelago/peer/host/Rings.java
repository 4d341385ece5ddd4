package org.archipelago.peer.host;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
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
    private static final long FULL_NANOS = 1_000_000L;

    private final Host host;
    private final Segment segment;
    private final Slots slots;
    private final Reactor reactor;
    private final ByteBuffer metadata;
    private final Memory batch = new Memory(4L * BATCH);
    private final long batchAddress = Pointer.nativeValue(batch);
    private final ThreadLocal<Memory> oneSlot = ThreadLocal.withInitial(() -> new Memory(4));
    private final List<Integer> servedPorts = new ArrayList<>();
    /** By their slots: those of other processes that have come here, and those of this one that are with others. */
    private final Request[] foreign;
    private final Request[] sent;
    private int sentCount;
    private final Set<Integer> remotePorts = new HashSet<>();
    private final ArrayDeque<Request> waiting = new ArrayDeque<>();
    /** Requests whose port nobody serves, and since when that is so. */
    private final ArrayDeque<Request> orphaned = new ArrayDeque<>();
    private final Map<Request, Long> orphanedSince = new IdentityHashMap<>();
    private boolean toSendAgain;
    private final int ringShift;
    private final int bell;
    private final int bellFd;

    Rings(Host host, Slots slots) {
        this.host = host;
        this.slots = slots;
        this.segment = host.segment();
        this.metadata = segment.metadata();
        this.foreign = new Request[segment.requests()];
        this.sent = new Request[segment.requests()];
        this.reactor = host.reactors()[0];
        this.ringShift = Integer.numberOfTrailingZeros(segment.ringSize());
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
        request.publish();
        int result = LibXseg.xseg_submit(segment.handle(), port, Pointer.nativeValue(slot), 1);
        remotePorts.add(port);
        if (result == 1) {
            sent[request.slot()] = request;
            sentCount++;
        } else if (result == 0) {
            waiting.add(request); // the ring is full: its owner is busy, or dead and soon found so
            if (waiting.size() == 1) {
                reactor.schedule(FULL_NANOS, () -> { }); // nobody rings when there is room: look again
            }
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

    /**
     * Operations on objects that leave the same behind when they are done twice, and whose answer does not take the
     * place of the question: the dead may have begun to write it.
     */
    private static boolean canBeRepeated(int op) {
        return switch (op) {
            case Op.READ, Op.WRITE, Op.ZERO, Op.SYNC -> true;
            default -> false;
        };
    }

    @Override
    public int poll() {
        int work = 0;
        for (int i = 0; i < servedPorts.size(); i++) {
            int port = servedPorts.get(i);
            if (hasEntry(segment.portAt(port), SegmentDescriptor.PORT_REQUEST_HEAD, 0)) {
                work += accept(port);
            }
        }
        if (sentCount > 0) {
            for (int port : slots.ports()) {
                int at = segment.portAt(port);
                if (hasEntry(at, SegmentDescriptor.PORT_REPLY_HEAD, 8 * segment.ringSize())
                        || metadata.getInt(at + SegmentDescriptor.PORT_RESCAN) != 0) {
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

    /** Whether there is work: an entry, or a word that a former owner took without moving the head. */
    private boolean hasEntry(int portAt, int headField, int ringAt) {
        long head = (long) WORD.getVolatile(metadata, portAt + headField);
        int index = (int) (head & (segment.ringSize() - 1));
        long word = (long) WORD.getVolatile(metadata, portAt + SegmentDescriptor.PORT_WORDS + ringAt + 8 * index);
        return (int) word != 0 || (int) (word >>> 32) != (int) (head >>> ringShift);
    }

    private int accept(int port) {
        int count = LibXseg.xseg_accept(segment.handle(), port, batchAddress, BATCH);
        for (int i = 0; i < count; i++) {
            int slot = batch.getInt(4L * i);
            Request request = foreign[slot];
            if (request == null) {
                request = foreignRequest(slot);
                foreign[slot] = request;
            }
            if (request.isHeld()) {
                continue; // its sender broke the rules and sent it twice: it is answered once
            }
            if (request.load(port, segment.dataAt(), segment.size())) {
                host.arrive(request);
            } else {
                request.complete(Errno.EINVAL);
            }
        }
        return Math.max(count, 0);
    }

    private Request foreignRequest(int slot) {
        return new Request(metadata, segment.base(), segment.requestAt(slot), slot, true, this::answer)
            .onCompletion(host::serve);
    }

    private void answer(Request request) {
        if (!request.publishAnswer()) {
            return;
        }
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
            int slot = batch.getInt(4L * i);
            Request request = sent[slot];
            if (request != null) {
                sent[slot] = null;
                sentCount--;
                request.loadAnswer();
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
        if (sentCount > 0 || !waiting.isEmpty()) {
            for (int port : remotePorts) {
                if (LibXseg.xseg_alive(segment.handle(), port) == 0) {
                    LibXseg.xseg_try_recover(segment.handle(), port); // else at the next beat: a reactor waits for no lock
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
