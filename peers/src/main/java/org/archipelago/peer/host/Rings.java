package org.archipelago.peer.host;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
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
 * What goes between one reactor and other processes of the segment: requests that others send to the
 * ports that it looks after, and the answers to those that it sent to theirs. It sleeps on a bell that
 * others ring.
 *
 * <p>What is to leave during a round of the reactor leaves together, at the next {@link #poll}: so a
 * batch costs one call and one look whether the other side sleeps.
 *
 * <p>A port whose owner has died gets another, as a rule: a supervisor starts the process anew. So what
 * finds nobody there, or was with the dead and can be done once more, is sent again until then, for
 * {@value #PATIENCE_SECONDS} seconds at most.
 */
final class Rings implements Reactor.Poller {
    private static final System.Logger LOG = System.getLogger(Rings.class.getName());
    private static final int BATCH = 64;
    private static final long BEAT_NANOS = 500_000_000L;
    private static final int PATIENCE_SECONDS = 10;
    private static final long PATIENCE_NANOS = PATIENCE_SECONDS * 1_000_000_000L;
    private static final long AGAIN_NANOS = 50_000_000L;
    private static final long FULL_NANOS = 1_000_000L;
    private static final long BIND_NANOS = 15_000_000_000L;
    private static final long BIND_AGAIN_MILLIS = 20;

    private final Host host;
    private final Segment segment;
    private final Slots slots;
    private final Reactor reactor;
    private final ByteBuffer metadata;
    private final int bell;
    private final int bellFd;
    /** Slot numbers on their way in and out, for one call at a time. */
    private final Memory incoming = new Memory(4L * BATCH);
    private final Memory outgoing = new Memory(4L * BATCH);
    private final Memory answers = new Memory(4L * BATCH);
    private final long incomingAddress = Pointer.nativeValue(incoming);
    private final long outgoingAddress = Pointer.nativeValue(outgoing);
    private final long answersAddress = Pointer.nativeValue(answers);
    private int answersCount;
    private final Request[] batch = new Request[BATCH];
    private final List<ServedPort> served = new ArrayList<>();
    /** By slot: those of other processes that have come here. */
    private Request[] foreign = {};
    private final ArrayDeque<Request> toSend = new ArrayDeque<>();
    /** Requests of this reactor that others have. */
    private int away;
    private final Set<Integer> remotePorts = new HashSet<>();
    /** Requests whose port nobody serves, and since when that is so. */
    private final ArrayDeque<Request> orphaned = new ArrayDeque<>();
    private final Map<Request, Long> orphanedSince = new IdentityHashMap<>();
    private boolean toSendAgain;
    private boolean looksAgain;
    private volatile long lastBeat;

    Rings(Host host, Slots slots, Reactor reactor) {
        this.host = host;
        this.slots = slots;
        this.reactor = reactor;
        this.segment = host.segment();
        this.metadata = segment.metadata();
        this.bell = slots.bell();
        this.bellFd = LibXseg.xseg_bell_fd(segment.handle(), bell);
        SegmentException.check(bellFd);
        Memory sink = new Memory(64);
        reactor.watch(bellFd, Posix.EPOLLIN, events -> Posix.read(bellFd, Pointer.nativeValue(sink), sink.size()));
        reactor.add(this);
        reactor.schedule(0, this::beat);
    }

    /** Takes a port for a role, once the requests of its last owner are back; before the reactors run. */
    void bind(int port, String role) {
        long end = System.nanoTime() + BIND_NANOS;
        int result = Slots.bind(segment, port, 0, 0, role, bell);
        while (result == -Errno.EAGAIN && System.nanoTime() - end < 0) {
            try {
                Thread.sleep(BIND_AGAIN_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                break;
            }
            result = Slots.bind(segment, port, 0, 0, role, bell);
        }
        SegmentException.check(result);
        served.add(new ServedPort(port, reactor.index()));
    }

    /** Takes over from another reactor, which does not look at it any more. */
    private void adopt(ServedPort port) {
        LibXseg.xseg_set_bell(segment.handle(), port.port, bell);
        served.add(port);
    }

    // --- out

    /** Sends a request of this reactor to a port of another process, soon. */
    void submit(Request request) {
        request.publish();
        toSend.add(request);
    }

    /** Lets go what is to be sent, as far as there is room: in order, for each port. */
    private int send() {
        int left = toSend.size();
        int work = 0;
        int full = -1;
        while (left > 0) {
            int port = toSend.peek().destination();
            int n = 0;
            while (n < BATCH && left > 0 && toSend.peek().destination() == port) {
                batch[n++] = toSend.poll();
                left--;
            }
            int went = port == full ? 0 : send(port, n);
            if (went < n) {
                full = port;
                toSend.addAll(Arrays.asList(batch).subList(went, n));
            }
            work += went;
        }
        if (full >= 0 && !looksAgain) {
            looksAgain = true; // nobody rings when there is room
            reactor.schedule(FULL_NANOS, () -> looksAgain = false);
        }
        return work;
    }

    /** How many of batch[0..n) need not be sent again: they are on their way, or have ended. */
    private int send(int port, int n) {
        for (int i = 0; i < n; i++) {
            outgoing.setInt(4L * i, batch[i].slot());
        }
        int result = LibXseg.xseg_submit(segment.handle(), port, outgoingAddress, n);
        if (result >= 0) {
            remotePorts.add(port);
            away += result;
            for (int i = 0; i < result; i++) {
                batch[i].left();
            }
            return result; // where that is not all, the ring is full: its owner is busy, or dead and soon found so
        }
        boolean down = result == -Errno.EHOSTDOWN;
        for (Request request : Arrays.copyOf(batch, down ? n : 1)) {
            if (down && request.op() != Op.PING) {
                keep(request, Errno.EHOSTDOWN);
            } else {
                end(request, -result);
            }
        }
        return down ? n : 1;
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
            submit(orphaned.poll());
        }
    }

    private void end(Request request, int errno) {
        if (!orphanedSince.isEmpty()) {
            orphanedSince.remove(request);
        }
        try {
            request.complete(errno);
        } catch (RuntimeException | Error e) {
            // what was taken out of a ring with it goes on all the same
            LOG.log(System.Logger.Level.ERROR, "a defect in what serves " + request, e);
        }
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

    // --- in

    @Override
    public int poll() {
        int work = leave();
        for (int i = 0; i < served.size(); i++) {
            ServedPort port = served.get(i);
            if (segment.hasRequest(port.port)) {
                work += accept(port);
                if (port.shouldMoveFrom(reactor.index())) {
                    served.remove(i--);
                    Rings next = host.rings(port.candidate());
                    next.reactor.execute(() -> next.adopt(port));
                }
            }
        }
        if (away > 0) {
            Slots.Source[] sources = slots.sources();
            for (int i = 0; i < sources.length; i++) {
                int port = sources[i].port();
                if (segment.hasReply(port) || metadata.getInt(segment.portAt(port) + SegmentDescriptor.PORT_RESCAN) != 0) {
                    work += receive(sources[i]);
                }
            }
        }
        return work + leave();
    }

    private int leave() {
        return (toSend.isEmpty() ? 0 : send()) + (answersCount == 0 ? 0 : respond());
    }

    private int accept(ServedPort port) {
        int count = LibXseg.xseg_accept(segment.handle(), port.port, incomingAddress, BATCH);
        for (int i = 0; i < count; i++) {
            Request request = foreign(incoming.getInt(4L * i));
            if (request.isHeld()) {
                continue; // its sender broke the rules and sent it twice: it is answered once
            }
            if (request.load(port.port, segment.dataAt(), segment.size())) {
                port.belongs(host.arrive(request, reactor));
            } else {
                request.cookie(reactor.index());
                request.complete(Errno.EINVAL);
            }
        }
        return Math.max(count, 0);
    }

    /** The request in a slot of another process. */
    private Request foreign(int slot) {
        if (foreign.length == 0) {
            foreign = new Request[segment.requests()];
        }
        if (foreign[slot] == null) {
            foreign[slot] = new Request(metadata, segment.base(), segment.requestAt(slot), slot, true, host::answer)
                .onCompletion(host::serve);
        }
        return foreign[slot];
    }

    /** A port that is there for this reactor's own requests serves nothing: who sends to it shall not wait for ever. */
    private void refuse(int port) {
        int count = segment.hasRequest(port)
            ? LibXseg.xseg_accept(segment.handle(), port, incomingAddress, BATCH) : 0;
        for (int i = 0; i < count; i++) {
            Request request = foreign(incoming.getInt(4L * i));
            request.load(port, segment.dataAt(), segment.size());
            request.cookie(reactor.index());
            request.complete(Errno.EHOSTDOWN);
        }
    }

    /** Answers another process's request, soon; on any thread. */
    void answer(Request request) {
        if (!reactor.isCurrent()) {
            reactor.execute(() -> answer(request));
        } else if (request.publishAnswer()) {
            if (answersCount == BATCH) {
                respond();
            }
            answers.setInt(4L * answersCount++, request.slot());
        }
    }

    private int respond() {
        int count = answersCount;
        answersCount = 0;
        int result = LibXseg.xseg_respond(segment.handle(), answersAddress, count);
        if (result < count) {
            LOG.log(System.Logger.Level.WARNING, "{0} of {1} answers were lost: who asked has spoilt them, or the segment", count
                - Math.max(result, 0), count);
        }
        return count;
    }

    private int receive(Slots.Source source) {
        int count = LibXseg.xseg_receive(segment.handle(), source.port(), incomingAddress, BATCH);
        for (int i = 0; i < count; i++) {
            Request request = source.of(incoming.getInt(4L * i));
            if (!request.back()) {
                continue; // nobody sent it: a hostile process says that it is answered
            }
            away--;
            if (request.status() == Errno.EOWNERDEAD && canBeRepeated(request.op())) {
                keep(request, Errno.EOWNERDEAD);
            } else {
                end(request, request.status());
            }
        }
        return Math.max(count, 0);
    }

    // --- sleep, life and death

    @Override
    public boolean prepareToSleep() {
        LibXseg.xseg_prepare_wait(segment.handle(), bell);
        return poll() == 0;
    }

    @Override
    public void awake() {
        LibXseg.xseg_cancel_wait(segment.handle(), bell);
    }

    /**
     * Says that this reactor is at work, and lets nobody wait for one that does not live. A role is at work as long as
     * all reactors are.
     */
    private void beat() {
        lastBeat = System.nanoTime();
        if (host.isAtWork(lastBeat - 4 * BEAT_NANOS)) {
            for (ServedPort port : served) {
                LibXseg.xseg_heartbeat(segment.handle(), port.port);
            }
        }
        int result = 0;
        for (Slots.Source source : slots.sources()) {
            result = LibXseg.xseg_heartbeat(segment.handle(), source.port());
            refuse(source.port());
        }
        if (result == -Errno.EUCLEAN) {
            endAll();
        }
        if (away > 0 || !toSend.isEmpty()) {
            for (int port : remotePorts) {
                if (LibXseg.xseg_alive(segment.handle(), port) == 0) {
                    LibXseg.xseg_try_recover(segment.handle(), port); // else at the next beat: a reactor waits for no lock
                }
            }
        }
        reactor.schedule(BEAT_NANOS, this::beat);
    }

    /** Another process has truncated the segment: no answer will come. */
    private void endAll() {
        int ended = 0;
        for (Slots.Source source : slots.sources()) {
            for (Request request : source.requests()) {
                if (request.isAway()) {
                    request.recall();
                    away--;
                    ended++;
                    end(request, Errno.EUCLEAN);
                }
            }
        }
        for (int left = orphaned.size(); left > 0; left--, ended++) {
            end(orphaned.poll(), Errno.EUCLEAN);
        }
        if (ended > 0) {
            LOG.log(System.Logger.Level.ERROR, "the segment was truncated by another process: {0} requests that others had fail; restart "
                + "archipelago on this node", ended);
        }
    }

    /** When this reactor last said that it is at work, by System.nanoTime. */
    long lastBeat() {
        return lastBeat;
    }
}
