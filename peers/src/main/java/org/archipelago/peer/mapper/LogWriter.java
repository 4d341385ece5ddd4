package org.archipelago.peer.mapper;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.archipelago.map.BlockMap;
import org.archipelago.map.MapLog;
import org.archipelago.map.VolumeHeader;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Completion;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;

/**
 * Appends to a volume's log what its writers commit. One write is out at a time, since a record counts
 * only when all before it do; what comes meanwhile goes with the next. Nothing changes in the map
 * before its record is with the kernel. On the reactor's thread.
 *
 * <p>Writes may be answered inside submit, and who is answered may come back with more at once;
 * {@link #go} does one thing after another all the same.
 */
final class LogWriter {
    /** Bytes of the buffer that a request for the log needs. */
    static final int BUFFER = 4096;
    private static final int BATCH = BUFFER / MapLog.RECORD;
    private static final int UNIT_SHIFT = BlockMap.UNIT_SHIFT;
    private static final int UNITS = BlockMap.UNITS;

    private final Host host;
    private final Reactor reactor;
    private final int port;
    private final VolumeState volume;
    private final StoreRequests requests;
    private final Flushed whenFlushed;
    private final Runnable whenQuiet;
    private final StoreRequests.Borrower write = this::write;
    private final StoreRequests.Borrower sync = this::sync;
    private final Completion onWritten = this::written;
    private final Completion onSynced = this::synced;

    /** Who waits for a record to be written, and for what was written; so too for flushes. */
    private final ArrayDeque<Request> commits = new ArrayDeque<>();
    private final ArrayDeque<Request> batch = new ArrayDeque<>();
    private final ArrayDeque<Request> flushes = new ArrayDeque<>();
    private final ArrayDeque<Request> flushing = new ArrayDeque<>();
    /** What those in flushing wait for, as the volume counts; and the log that is being marked for them, with how many. */
    private long flushUpTo;
    private LogState marked;
    private long markedUpTo;
    /** Who wants the log sealed, and the one that it shall go on in. */
    private Optional<Seal> sealing = Optional.empty();
    private boolean going;
    /** A write, a sync is out; whether the write marks, seals; that one was answered. */
    private boolean writing;
    private boolean marking;
    private boolean closing;
    private boolean syncing;
    private boolean written;
    private boolean synced;
    private int writeStatus;
    private int syncStatus;
    /** The log of the write that is out, and its records. */
    private LogState target;
    private int records;

    private record Seal(LogState next, IntConsumer then) {}

    /** requests: with buffers of {@value #BUFFER} bytes; whenQuiet: told each time that something was answered and nothing more can be begun. */
    LogWriter(Host host, Reactor reactor, int port, VolumeState volume, StoreRequests requests, Flushed whenFlushed, Runnable whenQuiet) {
        this.host = host;
        this.reactor = reactor;
        this.port = port;
        this.volume = volume;
        this.marked = volume.log;
        this.target = volume.log;
        this.requests = requests;
        this.whenFlushed = whenFlushed;
        this.whenQuiet = whenQuiet;
    }

    /** Answers a FLUSH that has ended. */
    interface Flushed {
        void with(Request flush, int status);
    }

    boolean isIdle() {
        return !going && !writing && !syncing && commits.isEmpty() && flushes.isEmpty() && flushing.isEmpty() && sealing.isEmpty();
    }

    /** COMMIT: the request's range is the volume's own; DISCARD: it is blocks that lie nowhere. */
    void commit(Request request) {
        if (blocksOf(request) > BATCH) {
            request.complete(Errno.EMSGSIZE);
        } else if (request.has(Op.DISCARD) ? isZero(request) : isOwn(request)) {
            request.complete(0);
        } else {
            commits.add(request);
            go();
        }
    }

    /** FLUSH: records before the request's offset, whose data is durable, shall survive a power cut. */
    void flush(Request request) {
        volume.backed = Math.max(volume.backed, Math.min(request.offset(), volume.log.end()));
        if (!isDue(request.offset())) {
            whenFlushed.with(request, 0);
        } else {
            flushes.add(request);
            go();
        }
    }

    /**
     * Seals the log: the volume goes on in the next one once the SEAL is with the kernel. then: told how that went; after a
     * failure the SEAL may be there all the same, until the log's next write, so the next one must not be used otherwise.
     */
    void seal(LogState next, IntConsumer then) {
        sealing = Optional.of(new Seal(next, then));
        go();
    }

    private void go() {
        if (going) {
            return;
        }
        going = true;
        boolean more = true;
        while (more) {
            if (written) {
                written = false;
                endWrite();
            } else if (synced) {
                synced = false;
                endSync();
            } else {
                more = !writing && (!commits.isEmpty() || sealing.isPresent() || mustMark());
                if (more) {
                    writing = true;
                    requests.lend(write);
                }
            }
        }
        going = false;
        whenQuiet.run();
    }

    // --- what is marked as durable: a log never before those that it follows

    /** Whether such a flush has something to write. */
    private boolean isDue(long upTo) {
        return due(upTo).isDue(upTo);
    }

    /** The first log that it has to write in; the present one, where none before has to be. */
    private LogState due(long upTo) {
        for (int i = 0; i < volume.sealed.size(); i++) {
            if (volume.sealed.get(i).isDue(upTo)) {
                return volume.sealed.get(i);
            }
        }
        return volume.log;
    }

    /** Whether a log shall be marked now. */
    private boolean mustMark() {
        return !syncing && !(flushing.isEmpty() && flushes.isEmpty());
    }

    /** Takes together who waits for a flush. */
    private void gather() {
        if (flushing.isEmpty()) {
            flushUpTo = 0;
            while (!flushes.isEmpty()) {
                flushUpTo = Math.max(flushUpTo, Math.min(flushes.peek().offset(), volume.log.end()));
                flushing.add(flushes.poll());
            }
        }
    }

    // --- writing

    private void write(Request request) {
        ByteBuffer buffer = request.data();
        records = 0;
        target = volume.log;
        marking = mustMark();
        if (marking) {
            gather();
            marked = due(flushUpTo);
            target = marked;
        }
        if (target == volume.log) {
            int room = BATCH - 2; // a SEAL and a COMMIT
            while (!commits.isEmpty() && (records == 0 || records + blocksOf(commits.peek()) <= room)) {
                Request commit = commits.poll();
                encode(buffer, commit);
                batch.add(commit);
            }
        }
        marking &= records < BATCH;
        if (marking) {
            markedUpTo = marked.upTo(flushUpTo);
            put(buffer, MapLog.COMMIT, (int) marked.committed, markedUpTo);
        }
        closing = target == volume.log && sealing.isPresent() && records < BATCH;
        if (closing) {
            LogState next = sealing.get().next;
            put(buffer, MapLog.SEAL, next.epoch, next.generation);
        }
        int length = MapLog.RECORD * records;
        for (long stale = target.records + records; stale < target.refused; stale++) {
            MapLog.clear(buffer, length); // a write that failed may have left its records there: they must not count
            length += MapLog.RECORD;
        }
        request.op(Op.WRITE).target(target.object).range(MapLog.position(target.records), length).onCompletion(onWritten);
        host.submit(request, reactor, port);
    }

    private void put(ByteBuffer buffer, int type, int block, long upTo) {
        MapLog.encode(buffer, MapLog.RECORD * records, target.crc, type, target.records + records, block, 0, 0, upTo);
        records++;
    }

    private static int blocksOf(Request commit) {
        return (int) (lastByte(commit) >>> VolumeHeader.BLOCK_SHIFT) - (int) (commit.offset() >>> VolumeHeader.BLOCK_SHIFT) + 1;
    }

    private static long lastByte(Request commit) {
        return commit.offset() + Math.max(commit.length(), 1) - 1;
    }

    private boolean isOwn(Request commit) {
        long endUnit = (lastByte(commit) >>> UNIT_SHIFT) + 1;
        for (long unit = commit.offset() >>> UNIT_SHIFT; unit < endUnit; ) {
            int first = (int) (unit % UNITS);
            int count = (int) Math.min(UNITS - first, endUnit - unit);
            if (!volume.map.isOwn((int) (unit / UNITS), first, count)) {
                return false;
            }
            unit += count;
        }
        return true;
    }

    private boolean isZero(Request commit) {
        for (long block = commit.offset() >>> VolumeHeader.BLOCK_SHIFT; block <= lastByte(commit) >>> VolumeHeader.BLOCK_SHIFT; block++) {
            if (!volume.map.isZero((int) block)) {
                return false;
            }
        }
        return true;
    }

    private void encode(ByteBuffer buffer, Request commit) {
        int type = commit.has(Op.DISCARD) ? MapLog.ZERO : MapLog.OWN;
        long endUnit = (lastByte(commit) >>> UNIT_SHIFT) + 1;
        for (long unit = commit.offset() >>> UNIT_SHIFT; unit < endUnit; records++) {
            int block = (int) (unit / UNITS);
            int first = (int) (unit % UNITS);
            int count = (int) Math.min(UNITS - first, endUnit - unit);
            unit += count;
            boolean toTheEnd = first == 0 && unit << UNIT_SHIFT >= volume.header().size(); // behind that, all is zeros
            if (type == MapLog.ZERO || toTheEnd || volume.map.isZeroBelow(block)) {
                first = 0;
                count = UNITS;
            }
            MapLog.encode(buffer, MapLog.RECORD * records, target.crc, type, target.records + records, block, first, count, 0);
        }
    }

    private void written(Request request) {
        writeStatus = request.status();
        if (writeStatus == 0) {
            apply(request.data());
            target.refused = 0;
        } else {
            target.refused = Math.max(target.refused, target.records + records);
        }
        requests.giveBack(request);
        written = true;
        go();
    }

    private void apply(ByteBuffer buffer) {
        for (int i = 0; i < records; i++) {
            int at = MapLog.RECORD * i;
            target.records++;
            if (target.sealed == 0) {
                target.lastRecord = buffer.getInt(at);
            }
            switch (MapLog.type(buffer, at)) {
                case MapLog.OWN -> {
                    volume.map.commit(MapLog.block(buffer, at), MapLog.unit(buffer, at), MapLog.count(buffer, at));
                    target.owned = target.records;
                }
                case MapLog.ZERO -> {
                    volume.map.zero(MapLog.block(buffer, at));
                    target.owned = target.records;
                }
                default -> { }
            }
        }
        if (closing) {
            volume.seal(sealing.get().next);
        }
    }

    private void endWrite() {
        int status = writeStatus;
        writing = false;
        syncing = marking && status == 0 || syncing;
        while (!batch.isEmpty()) {
            batch.poll().complete(status);
        }
        if (closing) {
            IntConsumer then = sealing.get().then;
            sealing = Optional.empty();
            then.accept(status);
        }
        if (marking && status == 0) {
            requests.lend(sync);
        } else if (marking) {
            endFlush(status);
        }
    }

    // --- syncing

    private void sync(Request request) {
        request.op(Op.SYNC).target(marked.object).onCompletion(onSynced);
        host.submit(request, reactor, port);
    }

    private void synced(Request request) {
        syncStatus = request.status();
        requests.giveBack(request);
        synced = true;
        go();
    }

    private void endSync() {
        syncing = false;
        if (syncStatus != 0) {
            marked.lost = true;
            endFlush(syncStatus);
            return;
        }
        marked.committed = Math.max(marked.committed, markedUpTo);
        if (!isDue(flushUpTo)) {
            endFlush(0);
        }
    }

    private void endFlush(int status) {
        while (!flushing.isEmpty()) {
            whenFlushed.with(flushing.poll(), status);
        }
    }
}
