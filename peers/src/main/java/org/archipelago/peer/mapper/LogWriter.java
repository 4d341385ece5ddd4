package org.archipelago.peer.mapper;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import org.archipelago.map.BlockMap;
import org.archipelago.map.MapLog;
import org.archipelago.map.VolumeHeader;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;

/**
 * Appends to a volume's log what its writers commit. One write is out at a time, since a record counts
 * only when all before it do; what comes meanwhile goes with the next. Nothing changes in the map
 * before its record is with the kernel. On the reactor's thread.
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
    private final Request write;
    private final Request sync;
    private final ArrayDeque<Request> commits = new ArrayDeque<>();
    private final ArrayDeque<Request> batch = new ArrayDeque<>();
    private final ArrayDeque<Request> flushes = new ArrayDeque<>();
    private final ArrayDeque<Request> flushing = new ArrayDeque<>();
    private boolean writing;
    private boolean syncing;
    private int records;
    private long flushUpTo;

    /** write, sync: requests of this writer's own, write with a buffer of {@value #BUFFER} bytes. */
    LogWriter(Host host, Reactor reactor, int port, VolumeState volume, Request write, Request sync) {
        this.host = host;
        this.reactor = reactor;
        this.port = port;
        this.volume = volume;
        this.write = write.onCompletion(this::written);
        this.sync = sync.onCompletion(this::synced);
    }

    boolean isIdle() {
        return !writing && !syncing && commits.isEmpty() && flushes.isEmpty();
    }

    /** The requests that the writer was made with, when it is idle and done with. */
    void release(java.util.function.Consumer<Request> to) {
        to.accept(write);
        to.accept(sync);
    }

    /** COMMIT: the request's range is the volume's own. */
    void commit(Request request) {
        commits.add(request);
        if (!writing) {
            writeNext();
        }
    }

    /** FLUSH: records before the request's offset, whose data is durable, shall survive a power cut. */
    void flush(Request request) {
        if (request.offset() <= volume.committed) {
            request.complete(0);
            return;
        }
        flushes.add(request);
        if (!writing && !syncing) {
            writeNext();
        }
    }

    private void writeNext() {
        ByteBuffer buffer = write.data();
        records = 0;
        while (!commits.isEmpty() && records + blocksOf(commits.peek()) <= BATCH) {
            Request commit = commits.poll();
            encode(buffer, commit);
            batch.add(commit);
        }
        if (!flushes.isEmpty() && !syncing && records < BATCH) {
            flushUpTo = 0;
            while (!flushes.isEmpty()) {
                flushUpTo = Math.max(flushUpTo, Math.min(flushes.peek().offset(), volume.records));
                flushing.add(flushes.poll());
            }
            MapLog.encode(buffer, MapLog.RECORD * records, volume.logCrc, MapLog.COMMIT, volume.records + records, 0, 0, 0, flushUpTo);
            records++;
        }
        if (records == 0) {
            if (!commits.isEmpty()) {
                commits.poll().complete(Errno.EMSGSIZE);
            }
            return;
        }
        writing = true;
        write.op(Op.WRITE).target(volume.logObject).range(MapLog.position(volume.records), (long) MapLog.RECORD * records);
        host.submit(write, reactor, port);
    }

    private static int blocksOf(Request commit) {
        return (int) (lastByte(commit) >>> VolumeHeader.BLOCK_SHIFT) - (int) (commit.offset() >>> VolumeHeader.BLOCK_SHIFT) + 1;
    }

    private static long lastByte(Request commit) {
        return commit.offset() + Math.max(commit.length(), 1) - 1;
    }

    private void encode(ByteBuffer buffer, Request commit) {
        long firstUnit = commit.offset() >>> UNIT_SHIFT;
        long endUnit = (lastByte(commit) >>> UNIT_SHIFT) + 1;
        for (long unit = firstUnit; unit < endUnit; records++) {
            int block = (int) (unit / UNITS);
            int first = (int) (unit % UNITS);
            int count = (int) Math.min(UNITS - first, endUnit - unit);
            unit += count;
            if (volume.map.isZeroBelow(block)) {
                first = 0;
                count = UNITS;
            }
            MapLog.encode(buffer, MapLog.RECORD * records, volume.logCrc, MapLog.OWN, volume.records + records, block, first, count, 0);
        }
    }

    private void written(Request request) {
        writing = false;
        int status = request.status();
        if (status == 0) {
            apply(request.data());
            volume.records += records;
        }
        boolean marked = !flushing.isEmpty() && !syncing;
        syncing = syncing || marked; // answers below may bring new requests here
        for (int left = batch.size(); left > 0; left--) {
            batch.poll().complete(status);
        }
        if (marked && status == 0) {
            sync.op(Op.SYNC).target(volume.logObject);
            host.submit(sync, reactor, port);
        } else if (marked) {
            syncing = false;
            endFlush(status);
        }
        if (!writing && (!commits.isEmpty() || !flushes.isEmpty() && !syncing)) {
            writeNext();
        }
    }

    private void apply(ByteBuffer buffer) {
        for (int i = 0; i < records; i++) {
            int at = MapLog.RECORD * i;
            if (MapLog.type(buffer, at) == MapLog.OWN) {
                volume.map.commit(MapLog.block(buffer, at), MapLog.unit(buffer, at), MapLog.count(buffer, at));
            }
        }
    }

    private void synced(Request request) {
        syncing = false;
        if (request.status() == 0) {
            volume.committed = Math.max(volume.committed, flushUpTo);
        }
        endFlush(request.status());
        if (!writing && !flushes.isEmpty()) {
            writeNext();
        }
    }

    private void endFlush(int status) {
        for (int left = flushing.size(); left > 0; left--) {
            flushing.poll().complete(status);
        }
    }
}
