package org.archipelago.peer.mapper;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
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
    private final Runnable whenIdle;
    private final StoreRequests.Borrower write = this::write;
    private final StoreRequests.Borrower sync = this::sync;
    private final Completion onWritten = this::written;
    private final Completion onSynced = this::synced;

    /** Who waits for a record to be written, and for what was written; so too for flushes. */
    private final ArrayDeque<Request> commits = new ArrayDeque<>();
    private final ArrayDeque<Request> batch = new ArrayDeque<>();
    private final ArrayDeque<Request> flushes = new ArrayDeque<>();
    private final ArrayDeque<Request> flushing = new ArrayDeque<>();
    private boolean going;
    /** A write, a sync is out; whether the write marks what the flushing ones wait for; that one was answered. */
    private boolean writing;
    private boolean marking;
    private boolean syncing;
    private boolean written;
    private boolean synced;
    private int writeStatus;
    private int syncStatus;
    /** Records of the write that is out. */
    private int records;
    private long flushUpTo;

    /** requests: with buffers of {@value #BUFFER} bytes; whenIdle: told each time that all is answered. */
    LogWriter(Host host, Reactor reactor, int port, VolumeState volume, StoreRequests requests, Flushed whenFlushed, Runnable whenIdle) {
        this.host = host;
        this.reactor = reactor;
        this.port = port;
        this.volume = volume;
        this.requests = requests;
        this.whenFlushed = whenFlushed;
        this.whenIdle = whenIdle;
    }

    /** Answers a FLUSH that has ended. */
    interface Flushed {
        void with(Request flush, int status);
    }

    boolean isIdle() {
        return !going && !writing && !syncing && commits.isEmpty() && flushes.isEmpty();
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
        volume.backed = Math.max(volume.backed, Math.min(request.offset(), volume.records));
        if (request.offset() <= volume.committed && volume.refused <= volume.records) {
            whenFlushed.with(request, 0);
        } else {
            flushes.add(request);
            go();
        }
    }

    private void go() {
        if (going) {
            return;
        }
        going = true;
        while (written || synced || !writing && (!commits.isEmpty() || !flushes.isEmpty() && !syncing)) {
            if (written) {
                written = false;
                endWrite();
            } else if (synced) {
                synced = false;
                endSync();
            } else {
                writing = true;
                requests.lend(write);
            }
        }
        going = false;
        if (isIdle()) {
            whenIdle.run();
        }
    }

    // --- writing

    private void write(Request request) {
        ByteBuffer buffer = request.data();
        records = 0;
        while (!commits.isEmpty() && records + blocksOf(commits.peek()) <= BATCH) {
            Request commit = commits.poll();
            encode(buffer, commit);
            batch.add(commit);
        }
        marking = !flushes.isEmpty() && !syncing && records < BATCH;
        if (marking) {
            flushUpTo = 0;
            while (!flushes.isEmpty()) {
                flushUpTo = Math.max(flushUpTo, Math.min(flushes.peek().offset(), volume.records));
                flushing.add(flushes.poll());
            }
            MapLog.encode(buffer, MapLog.RECORD * records, volume.logCrc, MapLog.COMMIT, volume.records + records,
                (int) volume.committed, 0, 0, flushUpTo);
            records++;
        }
        int length = MapLog.RECORD * records;
        for (long stale = volume.records + records; stale < volume.refused; stale++) {
            MapLog.clear(buffer, length); // a write that failed may have left its records there: they must not count
            length += MapLog.RECORD;
        }
        request.op(Op.WRITE).target(volume.logObject).range(MapLog.position(volume.records), length).onCompletion(onWritten);
        host.submit(request, reactor, port);
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
            MapLog.encode(buffer, MapLog.RECORD * records, volume.logCrc, type, volume.records + records, block, first, count, 0);
        }
    }

    private void written(Request request) {
        writeStatus = request.status();
        if (writeStatus == 0) {
            apply(request.data());
            volume.refused = 0;
        } else {
            volume.refused = Math.max(volume.refused, volume.records + records);
        }
        requests.giveBack(request);
        written = true;
        go();
    }

    private void apply(ByteBuffer buffer) {
        for (int i = 0; i < records; i++) {
            int at = MapLog.RECORD * i;
            volume.records++;
            volume.lastRecord = buffer.getInt(at);
            switch (MapLog.type(buffer, at)) {
                case MapLog.OWN -> {
                    volume.map.commit(MapLog.block(buffer, at), MapLog.unit(buffer, at), MapLog.count(buffer, at));
                    volume.owned = volume.records;
                }
                case MapLog.ZERO -> {
                    volume.map.zero(MapLog.block(buffer, at));
                    volume.owned = volume.records;
                }
                default -> { }
            }
        }
    }

    private void endWrite() {
        int status = writeStatus;
        boolean marked = marking;
        writing = false;
        syncing |= marked && status == 0;
        while (!batch.isEmpty()) {
            batch.poll().complete(status);
        }
        if (marked && status == 0) {
            requests.lend(sync);
        } else if (marked) {
            endFlush(status);
        }
    }

    // --- syncing

    private void sync(Request request) {
        request.op(Op.SYNC).target(volume.logObject).onCompletion(onSynced);
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
        if (syncStatus == 0) {
            volume.committed = Math.max(volume.committed, flushUpTo);
        } else {
            volume.logLost = true;
        }
        endFlush(syncStatus);
    }

    private void endFlush(int status) {
        while (!flushing.isEmpty()) {
            whenFlushed.with(flushing.poll(), status);
        }
    }
}
