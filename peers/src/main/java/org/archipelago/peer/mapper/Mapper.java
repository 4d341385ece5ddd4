package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Optional;
import org.archipelago.map.MapLog;
import org.archipelago.map.VolumeName;
import org.archipelago.peer.Peer;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.mapper.Leases.Use;
import org.archipelago.peer.mapper.VolumeState.Compaction;
import org.archipelago.peer.mapper.VolumeState.Lease;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;
import org.archipelago.xseg.TargetTable;

/**
 * Owns the maps of the volumes that belong to its reactor. Where bytes lie, and what a write makes its
 * volume's own, is answered on the reactor from memory; what has to wait for the store is done by a
 * {@link ControlThread}, which then holds the volume while requests for it queue here.
 */
public final class Mapper implements Peer, Reactor.Poller {
    private static final System.Logger LOG = System.getLogger(Mapper.class.getName());
    /** Volumes that are kept in memory though nobody has them open. */
    private static final int MAX_UNOPENED = 256;
    /** How long the header of a volume that another node may change counts as looked at. */
    private static final long LOOK_NANOS = 100_000_000L;

    private final Host host;
    private final Reactor reactor;
    private final int blockermPort;
    private final ControlThread control;
    private final long longLog;
    private final LongRuns longRuns;
    private final StoreRequests requests;
    private final TargetTable<Slot> volumes;
    /** Logs that are to be written to when the round ends. */
    private final ArrayDeque<LogWriter> gathering = new ArrayDeque<>();
    private final Answer answer = new Answer();
    private final Slot absent = new Slot(Target.of("-"));

    /** A volume's place here: its map when it is in memory, and who waits for it. */
    private final class Slot {
        final Target name;
        final ArrayDeque<Request> waiting = new ArrayDeque<>();
        Optional<VolumeState> state = Optional.empty();
        Optional<LogWriter> log = Optional.empty();
        /** The control thread has it. */
        boolean busy;
        /** Somebody waits for the log to be idle; who comes now stands behind him. */
        boolean wanted;
        /** When its header was looked at, of nanoTime. */
        long lookedAt;

        Slot(Target name) {
            this.name = name;
        }

        boolean hasIdleLog() {
            return log.isEmpty() || log.get().isIdle();
        }

        boolean has(VolumeState volume) {
            return !busy && state.isPresent() && state.get() == volume && volumes.find(name) == this;
        }
    }

    /** @param blockermPort port of the blocker that stores maps and locks */
    public Mapper(Host host, Reactor reactor, MapperControl control, int blockermPort) {
        this.host = host;
        this.reactor = reactor;
        this.blockermPort = blockermPort;
        this.control = control.thread(reactor);
        this.longLog = control.longLog();
        this.longRuns = control.longRuns();
        this.requests = new StoreRequests(host.pool(reactor, "mapper", control.requests(), LogWriter.BUFFER));
        this.volumes = new TargetTable<>(absent);
        reactor.add(this);
    }

    // --- the end of a round

    @Override
    public int poll() {
        int count = gathering.size();
        for (int left = count; left > 0; left--) {
            gathering.poll().roundEnds();
        }
        return count;
    }

    @Override
    public boolean prepareToSleep() {
        return gathering.isEmpty();
    }

    @Override
    public void awake() {}

    // --- requests

    @Override
    public void accept(Request request) {
        if (!request.hasTarget() && request.op() != Op.PING) {
            request.complete(Errno.EINVAL);
            return;
        }
        switch (request.op()) {
            case Op.MAPR, Op.MAPW, Op.COMMIT, Op.FLUSH, Op.SYNC, Op.PREPARE, Op.SEAL -> map(request);
            case Op.PING -> request.complete(0);
            case Op.SNAPSHOT -> {
                if (request.offset() > 0) {
                    map(request); // of a volume that goes on
                } else {
                    hold(request);
                }
            }
            case Op.OPEN, Op.CLOSE, Op.CREATE, Op.RESIZE, Op.DELETE, Op.RENAME -> hold(request);
            case Op.INFO -> {
                volumes.find(request).lookedAt = System.nanoTime() - LOOK_NANOS; // what is read after it is as new
                control.run(request);
            }
            case Op.HASH -> {
                if (request.has(Op.EXCLUSIVE)) {
                    map(request); // of a volume that is being written, though not just now
                } else {
                    longRuns.step(reactor, request);
                }
            }
            case Op.CHECK, Op.VERIFY, Op.COLLECT, Op.USAGE -> longRuns.step(reactor, request);
            case Op.LIST, Op.STATUS, Op.SETINFO, Op.LOCK, Op.UNLOCK -> control.run(request);
            default -> request.complete(Errno.EOPNOTSUPP);
        }
    }

    // --- data operations

    private void map(Request request) {
        Slot slot = volumes.find(request);
        if (slot == absent) {
            String name = request.target();
            if (VolumeName.problem(name).isPresent()) {
                request.complete(Errno.EINVAL);
                return;
            }
            slot = slot(name);
        }
        if (slot.busy || slot.wanted) {
            slot.waiting.add(request);
        } else if (slot.state.isEmpty()) {
            reload(slot, request);
        } else if (slot.state.get().lease == Lease.EXCLUSIVE) {
            serve(slot, slot.state.get(), request);
        } else {
            if (request.has(Op.FRESH)) {
                slot.lookedAt = System.nanoTime() - LOOK_NANOS;
            }
            validate(slot, slot.state.get(), request);
        }
    }

    /** Also where a request's target is not padded as ours. */
    private Slot slot(String name) {
        Target target = Target.of(name);
        Slot slot = volumes.find(target);
        if (slot == absent) {
            slot = new Slot(target);
            volumes.put(target, slot);
        }
        return slot;
    }

    private void serve(Slot slot, VolumeState volume, Request request) {
        switch (request.op()) {
            case Op.MAPR -> answer.read(volume, request);
            case Op.MAPW -> {
                if (volume.header().readOnly()) {
                    request.complete(Errno.EROFS);
                } else if (volume.lease == Lease.NONE) {
                    open(slot, request);
                } else {
                    volume.changedFrom = Math.min(volume.changedFrom, request.offset());
                    answer.write(volume, request);
                }
            }
            case Op.COMMIT -> {
                if (volume.lease == Lease.NONE) {
                    request.complete(Errno.EBUSY); // it had it when MAPW was answered
                } else if (Answer.inRange(volume, request) && (!request.has(Op.DISCARD) || isWholeBlocks(volume, request))) {
                    log(slot, volume).commit(request);
                } else {
                    request.complete(Errno.EINVAL);
                }
            }
            case Op.SYNC -> request.complete(volume.owned());
            case Op.FLUSH -> {
                if (volume.lease == Lease.NONE) {
                    request.complete(volume.unopened ? Errno.EIO : 0);
                } else {
                    log(slot, volume).flush(request);
                }
            }
            case Op.HASH -> {
                long from = volume.lease == Lease.EXCLUSIVE ? volume.takeChangedFrom() : 0;
                longRuns.step(reactor, request, argument -> argument.addProperty(Hashing.CHANGED_FROM, from));
            }
            case Op.PREPARE -> prepare(slot, volume, request);
            case Op.SEAL -> seal(slot, volume, request);
            case Op.SNAPSHOT -> snapshot(slot, volume, request);
            default -> request.complete(Errno.EOPNOTSUPP);
        }
    }

    private LogWriter log(Slot slot, VolumeState volume) {
        if (slot.log.isEmpty()) {
            slot.log = Optional.of(new LogWriter(host, reactor, blockermPort, volume, requests, (flush, status) -> flushed(slot, volume, flush, status),
                () -> logIsQuiet(slot, volume), gathering::add));
        }
        return slot.log.get();
    }

    /** What was shared may have been taken: whoever took it read the log after that, so what is in it by now counts. */
    private void flushed(Slot slot, VolumeState volume, Request flush, int status) {
        if (status != 0) {
            flush.complete(status);
            return;
        }
        if (volume.lease != Lease.SHARED) {
            flush.complete(1L);
            return;
        }
        requests.lend(look -> {
            look.op(Op.READ).flags(Op.FRESH).target(volume.sharedObject).range(0, 1).onCompletion(done -> {
                int found = done.status();
                requests.giveBack(done);
                if (found == 0) {
                    flush.complete(1L);
                } else if (found == Errno.ENOENT) {
                    slot.lookedAt = System.nanoTime() - LOOK_NANOS;
                    flush.complete(0L);
                } else {
                    flush.complete(found);
                }
            });
            host.submit(look, reactor, blockermPort);
        });
    }

    private static boolean isWholeBlocks(VolumeState volume, Request request) {
        long mask = volume.header().blockSize() - 1;
        long end = request.offset() + request.length();
        return (request.offset() & mask) == 0 && ((end & mask) == 0 || end == volume.header().size());
    }

    // --- volumes that another node may write

    /** Looks whether the map in memory is still the volume's: now and then at the header, at the log's end each time. */
    private void validate(Slot slot, VolumeState volume, Request request) {
        if (System.nanoTime() - slot.lookedAt >= LOOK_NANOS) {
            requests.lend(look -> lookAtHeader(slot, volume, request, look, volume.headerObject));
        } else {
            serveWithLog(slot, volume, request);
        }
    }

    private void lookAtHeader(Slot slot, VolumeState volume, Request request, Request look, Target object) {
        long now = System.nanoTime();
        look.op(Op.READ).flags(Op.FRESH).target(object).range(0, VolumeState.HEAD).onCompletion(done -> {
            boolean same = volume.isStill(done.status(), done.data());
            requests.giveBack(done);
            Target next = volume.hiddenObject.orElse(object);
            if (same && !next.equals(object)) {
                requests.lend(second -> lookAtHeader(slot, volume, request, second, next));
            } else if (same && slot.has(volume) && !slot.wanted) {
                slot.lookedAt = now;
                serveWithLog(slot, volume, request);
            } else {
                goOn(slot, volume, request, same);
            }
        });
        host.submit(look, reactor, blockermPort);
    }

    private void serveWithLog(Slot slot, VolumeState volume, Request request) {
        if (volume.header().readOnly() || volume.hiddenObject.isPresent()) {
            serve(slot, volume, request);
        } else {
            requests.lend(look -> lookAtLog(slot, volume, request, look));
        }
    }

    private void lookAtLog(Slot slot, VolumeState volume, Request request, Request look) {
        LogState log = volume.log;
        long end = log.records;
        if (end == 0 && !volume.sealed.isEmpty()) {
            LogState before = volume.sealed.get(volume.sealed.size() - 1);
            look.op(Op.READ).target(before.object).range(MapLog.position(before.sealed - 1), MapLog.RECORD).onCompletion(done -> {
                boolean taken = done.status() == 0 && done.data().getInt(0) != before.lastRecord; // a SEAL that failed, and was taken back
                lookAtEnd(slot, volume, request, look, taken);
            });
            host.submit(look, reactor, blockermPort);
        } else {
            lookAtEnd(slot, volume, request, look, false);
        }
    }

    private void lookAtEnd(Slot slot, VolumeState volume, Request request, Request look, boolean changed) {
        LogState log = volume.log;
        long end = log.records;
        int last = log.lastRecord;
        int before = end == 0 ? 0 : MapLog.RECORD; // it may have been one that was taken back
        look.op(Op.READ).target(log.object).range(MapLog.position(end) - before, before + MapLog.RECORD).onCompletion(done -> {
            boolean grown = changed || done.status() != 0 || before > 0 && done.data().getInt(0) != last
                || MapLog.valid(done.data(), before, log.crc, end);
            requests.giveBack(done);
            if (!grown && slot.has(volume) && !slot.wanted) {
                serve(slot, volume, request);
            } else if (grown && slot.has(volume) && !slot.hasIdleLog()) {
                await(slot, request); // it may be a record of our own that is just being written
            } else {
                goOn(slot, volume, request, !grown || log.records != end || volume.log != log);
            }
        });
        host.submit(look, reactor, blockermPort);
    }

    /** After a look; same: as far as was looked, the map in memory is the volume's. */
    private void goOn(Slot slot, VolumeState volume, Request request, boolean same) {
        if (same || !slot.has(volume) || slot.wanted) {
            map(request);
        } else {
            reload(slot, request);
        }
    }

    // --- what waits for the store

    private void reload(Slot slot, Request request) {
        if (slot.hasIdleLog()) {
            makeRoom();
            borrow(slot, request, store -> store.resume(slot.name.toString()));
        } else {
            await(slot, request);
        }
    }

    private void open(Slot slot, Request request) {
        borrow(slot, request, store -> store.open(slot.name.toString(), Use.WRITE));
    }

    private interface Fetch {
        VolumeState from(VolumeStore store);
    }

    /** Fetches the volume's map, then serves the request and those that came meanwhile. */
    private void borrow(Slot slot, Request request, Fetch fetch) {
        begin(slot);
        slot.lookedAt = System.nanoTime();
        int op = request.op();
        control.execute(store -> {
            try {
                VolumeState fetched = fetch.from(store);
                return () -> {
                    end(slot, Optional.of(fetched));
                    serve(slot, fetched, request);
                    drain(slot);
                };
            } catch (Failure e) {
                LOG.log(e.errno() == Errno.ENOENT ? Level.DEBUG : Level.WARNING, "{0} {1}: {2}",
                    Op.name(op), slot.name, e.getMessage());
                return () -> fail(slot, request, e.errno());
            }
        }, errno -> fail(slot, request, errno));
    }

    private void fail(Slot slot, Request request, int errno) {
        end(slot, Optional.empty());
        request.complete(errno);
        drain(slot);
    }

    /** A control operation that changes the volume: the control thread holds it meanwhile. */
    private void hold(Request request) {
        String name = request.target();
        Optional<String> problem = VolumeName.problem(name);
        if (problem.isPresent()) {
            request.fail(Errno.EINVAL, problem.get());
            return;
        }
        Slot slot = slot(name);
        if (slot.busy || slot.wanted || !slot.hasIdleLog()) {
            await(slot, request);
            return;
        }
        Optional<VolumeState> held = slot.state;
        begin(slot);
        control.execute(request, held, after -> {
            end(slot, after);
            drain(slot);
        });
    }

    /** A log is lost, and the data that it names is durable: the map goes on in a new checkpoint. */
    private void replaceLog(Slot slot, VolumeState volume) {
        begin(slot);
        control.execute(store -> {
            Optional<VolumeState> next;
            try {
                next = Optional.of(store.nextGeneration(volume, volume.log.epoch, false));
            } catch (Failure e) {
                LOG.log(Level.WARNING, "the log of {0} stays lost: {1}", volume.name, e.getMessage());
                next = e.isHalfWay() ? Optional.empty() : Optional.of(volume);
            }
            Optional<VolumeState> after = next;
            return () -> release(slot, after);
        }, errno -> release(slot, errno == Errno.EAGAIN ? Optional.of(volume) : Optional.empty()));
    }

    private void release(Slot slot, Optional<VolumeState> state) {
        end(slot, state);
        drain(slot);
    }

    private void await(Slot slot, Request request) {
        slot.waiting.add(request);
        slot.wanted |= !slot.busy;
    }

    private void logIsQuiet(Slot slot, VolumeState volume) {
        if (!slot.has(volume)) {
            return;
        }
        if (slot.wanted) {
            if (slot.hasIdleLog()) {
                drain(slot);
            }
        } else if (volume.lease != Lease.EXCLUSIVE) {
            return;
        } else if (volume.isLogLost()) {
            if (slot.hasIdleLog() && volume.owned() <= volume.backed) {
                replaceLog(slot, volume);
            }
        } else if (volume.compaction == Compaction.SEALED && volume.areSealedWhole()) {
            sumUp(slot, volume);
        } else if (volume.isLogLong(longLog)) {
            sealLong(slot, volume);
        }
    }

    // --- seals: the volume goes on in another log, and what waits for the store does not stop it

    /** PREPARE: makes the log that the volume shall go on in, in a new epoch. */
    private void prepare(Slot slot, VolumeState volume, Request request) {
        if (volume.lease != Lease.EXCLUSIVE || volume.isLogLost() || volume.hasManyLogs()) {
            request.complete(0L);
        } else if (volume.preparing) {
            slot.waiting.add(request);
        } else {
            volume.preparing = true;
            volume.next = Optional.empty();
            control.prepare(request, volume, made -> {
                volume.next = made;
                prepared(slot, volume);
            });
        }
    }

    /** SEAL: the volume's I/O is stopped; it goes on in what was prepared. */
    private void seal(Slot slot, VolumeState volume, Request request) {
        Optional<LogState> next = volume.next.filter(made -> made.generation == request.offset());
        volume.next = Optional.empty();
        if (volume.lease != Lease.EXCLUSIVE || next.isEmpty()) {
            request.complete(Errno.EAGAIN);
        } else {
            volume.preparing = true; // one SEAL at a time
            log(slot, volume).seal(next.get(), status -> {
                prepared(slot, volume);
                request.complete(status);
            });
        }
    }

    /** Another log may be made now: for those, too, who came meanwhile. */
    private void prepared(Slot slot, VolumeState volume) {
        volume.preparing = false;
        if (slot.has(volume)) {
            drain(slot);
        }
    }

    /** SNAPSHOT of a volume that goes on: of what it was before a log that it was sealed for. */
    private void snapshot(Slot slot, VolumeState volume, Request request) {
        Optional<LogState> from = volume.goesOnIn(request.offset()).filter(log -> volume.lease == Lease.EXCLUSIVE);
        if (from.isEmpty()) {
            request.fail(Errno.EAGAIN, "volume " + volume.name + " has gone on meanwhile: try again");
        } else {
            control.snapshot(request, volume, from.get(), () -> summedUp(slot, volume));
        }
    }

    /** The log has grown long: the volume goes on in another, in the same epoch. */
    private void sealLong(Slot slot, VolumeState volume) {
        LogState log = volume.log;
        volume.compaction = Compaction.SEALING;
        volume.preparing = true;
        volume.next = Optional.empty();
        control.execute(store -> {
            try {
                LogState next = store.prepare(volume.name, volume.header().id(), log.generation, log.epoch, Optional.empty());
                return () -> {
                    if (slot.has(volume) && volume.log == log) {
                        log(slot, volume).seal(next, status -> sealedLong(slot, volume, status));
                    } else {
                        sealedLong(slot, volume, Errno.EAGAIN);
                    }
                };
            } catch (Failure e) {
                LOG.log(Level.WARNING, "the log of {0} grows long: {1}", volume.name, e.getMessage());
                return () -> sealedLong(slot, volume, e.errno());
            }
        }, errno -> sealedLong(slot, volume, errno));
    }

    private void sealedLong(Slot slot, VolumeState volume, int status) {
        volume.compaction = status == 0 ? Compaction.SEALED : Compaction.NONE;
        volume.longer += status == 0 ? 0 : 1;
        prepared(slot, volume);
    }

    /** A checkpoint takes the place of the logs before the present one, which are durable. */
    private void sumUp(Slot slot, VolumeState volume) {
        LogState log = volume.log;
        volume.compaction = Compaction.SUMMING_UP;
        control.execute(store -> {
            try {
                store.sumUp(volume, log.generation, log.epoch, false);
                return () -> summedUp(slot, volume);
            } catch (Failure e) {
                LOG.log(Level.WARNING, "the logs of {0} stay: {1}", volume.name, e.getMessage());
                return () -> notSummedUp(volume);
            }
        }, errno -> notSummedUp(volume));
    }

    private void summedUp(Slot slot, VolumeState volume) {
        volume.compaction = volume.compaction == Compaction.SUMMING_UP ? Compaction.NONE : volume.compaction;
        if (slot.has(volume)) {
            volume.prune();
        }
    }

    private static void notSummedUp(VolumeState volume) {
        volume.compaction = Compaction.NONE;
        volume.longer++;
    }

    private void begin(Slot slot) {
        slot.busy = true;
        slot.log = Optional.empty();
        slot.state = Optional.empty();
    }

    private void end(Slot slot, Optional<VolumeState> state) {
        slot.busy = false;
        slot.state = state;
        removeIfUnused(slot);
    }

    private void drain(Slot slot) {
        slot.wanted = false;
        for (int left = slot.waiting.size(); left > 0 && !slot.busy && !slot.wanted; left--) {
            accept(slot.waiting.poll());
        }
        removeIfUnused(slot);
    }

    private void removeIfUnused(Slot slot) {
        if (slot.state.isEmpty() && !slot.busy && slot.waiting.isEmpty() && volumes.find(slot.name) == slot) {
            volumes.remove(slot.name);
        }
    }

    /** Forgets a map that nobody has open when there are many. */
    private void makeRoom() {
        if (volumes.size() <= MAX_UNOPENED) {
            return;
        }
        for (Slot slot : volumes.values()) {
            boolean unused = slot.state.filter(state -> state.lease == Lease.NONE).isPresent();
            if (unused && !slot.busy && slot.waiting.isEmpty() && slot.log.isEmpty()) {
                volumes.remove(slot.name);
                return;
            }
        }
    }
}
