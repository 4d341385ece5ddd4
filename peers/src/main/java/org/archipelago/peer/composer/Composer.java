package org.archipelago.peer.composer;

import java.util.ArrayDeque;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.archipelago.map.MapReply;
import org.archipelago.map.VolumeName;
import org.archipelago.peer.Peer;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;
import org.archipelago.xseg.TargetTable;

/**
 * Turns I/O on a volume into I/O on objects: asks the mapper where the bytes lie, moves them between
 * the request's own data and the blocker, and has the mapper commit what became the volume's own after
 * its data is written. It keeps no map: the mapper next door is asked each time.
 */
public final class Composer implements Peer {
    private static final int FORWARDS = 64;
    private static final int BOUNCES = 4;
    private static final int BOUNCE_BYTES = 64 << 10;
    private static final IntConsumer NOBODY_ASKED = status -> { };

    final Host host;
    final Reactor reactor;
    final int mapperPort;
    final int blockerPort;
    final LostObjects lost = new LostObjects();
    final RequestPool bounces;
    final RequestPool flushRequests;
    private final RequestPool forwards;
    private final ArrayDeque<Operation> free = new ArrayDeque<>();
    /** Requests that wait for a free operation; before them, volumes that want one for an exclusive operation's flush. */
    private final ArrayDeque<Request> pending = new ArrayDeque<>();
    private final ArrayDeque<Volume> flushing = new ArrayDeque<>();
    private final TargetTable<Volume> volumes;
    private final Volume absent = new Volume(Target.of("-"), false);
    private boolean starting;

    /** @param operations how many requests of clients may be under way at once on this reactor */
    public Composer(Host host, Reactor reactor, int mapperPort, int blockerPort, int operations) {
        this.host = host;
        this.reactor = reactor;
        this.mapperPort = mapperPort;
        this.blockerPort = blockerPort;
        this.volumes = new TargetTable<>(absent);
        RequestPool maps = host.pool(reactor, "composer", operations, MapReply.SIZE);
        RequestPool data = host.pool(reactor, "composer", operations * Operation.DATA_REQUESTS, 0);
        for (int i = 0; i < operations; i++) {
            free.push(new Operation(this, maps.take(), data));
        }
        this.bounces = host.pool(reactor, "composer", BOUNCES, BOUNCE_BYTES);
        this.flushRequests = host.pool(reactor, "composer", operations, 0);
        this.forwards = host.pool(reactor, "composer", FORWARDS, 0);
    }

    @Override
    public void accept(Request request) {
        if (!request.hasTarget() && request.op() != Op.PING) {
            request.complete(Errno.EINVAL);
            return;
        }
        switch (request.op()) {
            case Op.READ, Op.WRITE, Op.ZERO, Op.FLUSH, Op.STATUS -> data(request);
            case Op.SNAPSHOT, Op.RESIZE, Op.DELETE, Op.RENAME, Op.OPEN, Op.CLOSE -> exclusive(request);
            case Op.HASH -> {
                if (request.has(Op.EXCLUSIVE)) {
                    exclusive(request);
                } else {
                    forward(request, 0, status -> { });
                }
            }
            case Op.PING -> request.complete(0);
            default -> forward(request, 0, status -> { });
        }
    }

    // --- data operations

    private void data(Request request) {
        Volume volume = volumes.find(request);
        if (volume == absent) {
            String name = request.target();
            if (VolumeName.problem(name).isPresent() || !Operation.isInRange(request)) {
                request.complete(Errno.EINVAL);
                return;
            }
            if (request.op() != Op.FLUSH && request.length() == 0) {
                request.complete(0L); // nobody is asked for nothing, so nobody would say that there is no such volume
                return;
            }
            volume = add(name);
        }
        if (volume.frozen || volume.settling && request.has(Op.FUA)) {
            volume.waiting.add(request);
        } else if (free.isEmpty()) {
            pending.add(request);
        } else {
            volume.inFlight++;
            free.pop().begin(volume, request);
        }
    }

    /** Also where the request's target is not padded as ours. */
    private Volume add(String name) {
        Target target = Target.of(name);
        Volume volume = volumes.find(target);
        if (volume == absent) {
            volume = new Volume(target, !host.serves(mapperPort));
            volumes.put(target, volume);
        }
        return volume;
    }

    /** An operation has answered its request. */
    void finished(Operation operation, Volume volume, int status) {
        volume.inFlight--;
        free.push(operation);
        if (status == Errno.ENOENT && volume.inFlight == 0) {
            volume.forget();
        }
        if (status == Errno.ENOENT) {
            removeIfIdle(volume);
        }
        advance(volume);
        if (!starting) {
            starting = true; // what begins here may end here: a loop, not a recursion
            while (!flushing.isEmpty() && !free.isEmpty()) {
                Volume next = flushing.poll();
                next.awaitsOperation = false;
                advance(next);
            }
            while (!pending.isEmpty() && !free.isEmpty()) {
                data(pending.poll());
            }
            starting = false;
        }
    }

    private void removeIfIdle(Volume volume) {
        if (volume.isIdle() && volumes.find(volume.name) == volume) {
            volumes.remove(volume.name);
        }
    }

    /**
     * A write has been answered: begins the flush that its client is about to ask for. Its FLUSH then waits for that one alone.
     * A failure of it is found again by the client's.
     */
    void flushIfDue(Volume volume) {
        boolean quiet = volume.inFlight == 0 && !volume.frozen && !volume.flushing;
        if (quiet && volume.rhythm.isFlushDue() && volume.isDirty() && !free.isEmpty()) {
            volume.inFlight++;
            free.pop().beginFlush(volume, false, NOBODY_ASKED);
        }
    }

    // --- operations that want the volume for themselves

    private void exclusive(Request request) {
        Volume volume = volumes.find(request);
        if (volume == absent) {
            String name = request.target();
            Optional<String> problem = VolumeName.problem(name);
            if (problem.isPresent()) {
                request.fail(Errno.EINVAL, problem.get());
                return;
            }
            volume = add(name);
        }
        volume.exclusive.add(request);
        advance(volume);
    }

    /** Lets the next exclusive operation in when nothing else is under way. */
    void advance(Volume volume) {
        if (volume.exclusive.isEmpty()) {
            return;
        }
        if (volume.running.isPresent()) {
            volume.snapshot.ifPresent(LiveSnapshot::advance);
            return;
        }
        Request request = volume.exclusive.peek();
        if (request.op() == Op.SNAPSHOT && !volume.stopsForSnapshot) {
            volume.running = Optional.of(request);
            volume.snapshot = Optional.of(new LiveSnapshot(this, volume, request));
            goOn(volume);
            volume.snapshot.get().begin();
            return;
        }
        volume.frozen = true;
        if (volume.inFlight > 0) {
            return;
        }
        if (request.op() == Op.HASH) { // no write is under way: it wants no more, and may take long
            volume.running = Optional.of(request);
            forward(request, 0, status -> { });
            thaw(volume);
            return;
        }
        boolean durable = request.op() != Op.DELETE && !(request.op() == Op.OPEN && request.has(Op.EXCLUSIVE));
        if (!durable || !volume.isDirty() && !volume.uncommitted) {
            volume.running = Optional.of(request);
            handOver(volume, request);
        } else if (!free.isEmpty()) {
            volume.running = Optional.of(request);
            volume.inFlight++;
            boolean closes = request.op() == Op.CLOSE;
            boolean givesUp = closes && volume.closeFailed;
            free.pop().beginFlush(volume, givesUp, status -> {
                boolean unreadable = status == Errno.EUCLEAN && closes; // nobody can make more of it
                if (status == 0 || status == Errno.ENOENT || unreadable || givesUp && isTheDisks(status)) {
                    handOver(volume, request);
                } else {
                    volume.closeFailed |= closes;
                    thaw(volume);
                    request.fail(status, "what was written to " + volume.name + " cannot be made durable: " + Errno.text(status)
                        + (closes ? " (the log tells more): closing it again gives that up" : ""));
                }
            });
        } else if (!volume.awaitsOperation) {
            volume.awaitsOperation = true;
            flushing.add(volume);
        }
    }

    /** What a disk or file system answers that will not make things durable, now or later. */
    private static boolean isTheDisks(int errno) {
        return switch (errno) {
            case Errno.EIO, Errno.ENOSPC, Errno.EDQUOT, Errno.EROFS -> true;
            default -> false;
        };
    }

    private void handOver(Volume volume, Request request) {
        int op = request.op();
        boolean leaves = op == Op.CLOSE || op == Op.DELETE || op == Op.RENAME;
        forward(request, leaves && !volume.written.doubtful.isEmpty() ? Op.UNCLEAN : 0, status -> {
            if (status == Errno.ENOENT || leaves && status == 0) {
                volume.forget();
            }
            thaw(volume);
        });
    }

    private void thaw(Volume volume) {
        volume.exclusive.poll();
        volume.running = Optional.empty();
        volume.stopsForSnapshot = false;
        if (!volume.exclusive.isEmpty()) {
            reactor.execute(() -> advance(volume));
            return;
        }
        goOn(volume);
        removeIfIdle(volume);
    }

    /** Lets a volume's I/O go on. */
    void goOn(Volume volume) {
        volume.frozen = false;
        for (int left = volume.waiting.size(); left > 0; left--) {
            Request request = volume.waiting.poll();
            reactor.execute(() -> data(request));
        }
    }

    // --- snapshots that let I/O go on

    /** Takes the mapper's answer; with its sentence, where there is one, in the request's data. */
    interface Answered {
        void with(int status, long serviced);
    }

    /** Asks the mapper what belongs to a client's request. */
    void ask(Request request, int op, long offset, Answered then) {
        if (forwards.isEmpty()) {
            then.with(Errno.EAGAIN, 0);
            return;
        }
        Request copy = forwards.take();
        copy.op(op).flags(request.flags()).targetOf(request).range(offset, request.length())
            .data(request.dataAddress(), request.dataLength())
            .onCompletion(done -> {
                int status = done.status();
                long serviced = done.serviced();
                forwards.release(done);
                then.with(status, serviced);
            });
        host.submit(copy, reactor, mapperPort);
    }

    /** Begins a flush of a volume that goes on; false: when an operation is free, the volume is told. */
    boolean beginFlush(Volume volume, IntConsumer then) {
        if (!free.isEmpty()) {
            volume.inFlight++;
            free.pop().awaitFlush(volume, then);
            return true;
        }
        if (!volume.awaitsOperation) {
            volume.awaitsOperation = true;
            flushing.add(volume);
        }
        return false;
    }

    /** A snapshot that let I/O go on has ended, or turns out to need the volume stopped. */
    void ended(Volume volume, boolean stops) {
        volume.snapshot = Optional.empty();
        if (stops) {
            volume.stopsForSnapshot = true;
            volume.running = Optional.empty();
            advance(volume);
        } else {
            thaw(volume);
        }
    }

    /** Hands a request to the mapper as it is, with more flags; then: when the answer has come, before it is passed on. */
    private void forward(Request request, int moreFlags, IntConsumer then) {
        if (forwards.isEmpty()) {
            then.accept(Errno.EAGAIN);
            request.complete(Errno.EAGAIN);
            return;
        }
        Request copy = forwards.take();
        copy.op(request.op()).flags(request.flags() | moreFlags).targetOf(request).range(request.offset(), request.length())
            .data(request.dataAddress(), request.dataLength())
            .onCompletion(done -> {
                request.range(request.offset(), done.length()).serviced(done.serviced());
                int status = done.status();
                forwards.release(done);
                then.accept(status);
                request.complete(status);
            });
        host.submit(copy, reactor, mapperPort);
    }
}
