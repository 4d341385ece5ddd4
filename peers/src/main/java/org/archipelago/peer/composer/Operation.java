package org.archipelago.peer.composer;

import com.sun.jna.Memory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.IntConsumer;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Layer;
import org.archipelago.map.MapReply;
import org.archipelago.map.VolumeHeader;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;

/**
 * One request of a client on its way through the composer. It owns a request to the mapper and a few
 * to the blocker, and is used again and again; nothing is allocated on the way.
 *
 * <p>Each step may end at once, inside submit, or later: {@link #pump} goes on until it has to wait,
 * and a completion that comes while it runs only makes it go round once more.
 */
final class Operation {
    static final int DATA_REQUESTS = 4;
    private static final int BLOCK_SHIFT = VolumeHeader.BLOCK_SHIFT;
    private static final long BLOCK = 1L << BLOCK_SHIFT;

    private enum Phase { MAP, MAPPING, MOVE, COMMITTING, PARKED, FILL, FLUSH_WAIT, DONE }

    private final Composer composer;
    private final Request map;
    private final Request[] data = new Request[DATA_REQUESTS];
    private final ByteBuffer name = ByteBuffer.allocateDirect(64).order(ByteOrder.LITTLE_ENDIAN);
    private final Fill fill;
    private final Flush flush;

    private Volume volume;
    private Request parent;
    private Phase phase;
    private int op;
    private boolean durable;
    private int status;
    private long cursor;
    private long end;
    private long address;
    private int extent;
    private int free;
    private long commitFrom;
    private long commitTo;
    private boolean committed;
    private boolean pumping;
    private boolean again;
    private long reported;

    Operation(Composer composer, Request map, RequestPool pool) {
        this.composer = composer;
        this.map = map.onCompletion(done -> mapAnswered());
        for (int i = 0; i < DATA_REQUESTS; i++) {
            data[i] = pool.take().onCompletion(this::dataAnswered);
        }
        this.fill = new Fill(composer, this);
        this.flush = new Flush(composer, this);
        this.free = DATA_REQUESTS;
    }

    // --- beginning

    void begin(Volume ofVolume, Request request) {
        volume = ofVolume;
        parent = request;
        op = request.op();
        durable = request.has(Op.FUA);
        status = 0;
        committed = false;
        cursor = request.offset();
        end = cursor + request.length();
        address = op == Op.READ || op == Op.WRITE ? request.dataAddress() - cursor : 0;
        reported = 0;
        commitTo = -1;
        extent = Integer.MAX_VALUE;
        if (op == Op.FLUSH) {
            awaitFlush();
            return;
        }
        if (cursor < 0 || end < cursor || (op == Op.READ || op == Op.WRITE) && request.dataLength() < request.length()) {
            status = Errno.EINVAL;
        }
        phase = status != 0 || cursor == end ? Phase.DONE : Phase.MAP;
        if (writes()) {
            volume.writers.add(this);
        }
        pump();
    }

    private boolean writes() {
        return op == Op.WRITE || op == Op.ZERO;
    }

    // --- the round

    private void pump() {
        if (pumping) {
            again = true;
            return;
        }
        pumping = true;
        do {
            again = false;
            step();
        } while (again);
        pumping = false;
        if (phase == Phase.DONE && free == DATA_REQUESTS) {
            finish();
        }
    }

    private void step() {
        if (status != 0 && phase == Phase.MOVE) {
            phase = Phase.DONE;
        }
        switch (phase) {
            case MAP -> askMap();
            case MOVE -> move();
            default -> { }
        }
    }

    private void askMap() {
        phase = Phase.MAPPING;
        map.op(writes() ? Op.MAPW : Op.MAPR).target(volume.name).range(cursor, end - cursor);
        composer.host.submit(map, composer.reactor, composer.mapperPort);
    }

    private void mapAnswered() {
        if (phase == Phase.FILL) {
            fill.mapAnswered(map);
            return;
        }
        if (phase == Phase.COMMITTING) {
            commitAnswered();
            return;
        }
        if (map.status() != 0) {
            status = map.status() == Errno.EINVAL && writes() ? Errno.ENOSPC : map.status();
            phase = Phase.DONE;
        } else {
            extent = 0;
            phase = Phase.MOVE;
            durable |= writes() && (MapReply.flags(map.data()) & MapReply.WRITE_THROUGH) != 0;
        }
        pump();
    }

    /** Moves the parts that the mapper named, as far as requests are free. */
    private void move() {
        ByteBuffer reply = map.data();
        int extents = MapReply.extents(reply);
        while (extent < extents && status == 0) {
            if (writes() && mustWait(reply)) {
                return;
            }
            if (!moveExtent(reply)) {
                return; // no request is free: the next answer comes back here
            }
            cursor += MapReply.extentLength(reply, extent);
            extent++;
        }
        if (status == 0 && writes() && free < DATA_REQUESTS) {
            return;
        }
        if (commitTo >= 0 && status == 0) {
            commit();
        } else if (status == 0 && cursor < end && !(op == Op.STATUS && reported == parent.dataLength() / 8)) {
            phase = Phase.MAP;
            again = true;
        } else {
            phase = Phase.DONE;
        }
    }

    private boolean moveExtent(ByteBuffer reply) {
        int flags = MapReply.extentFlags(reply, extent);
        int length = MapReply.extentLength(reply, extent);
        boolean zero = (flags & MapReply.ZERO) != 0;
        if (op == Op.STATUS) {
            report(length, zero);
            return true;
        }
        if (zero && op == Op.READ) {
            Posix.memset(address + cursor, 0, length);
            return true;
        }
        if (zero && op == Op.ZERO) {
            return true;
        }
        if (free == 0) {
            return false;
        }
        submit(reply, flags, length);
        return true;
    }

    private void submit(ByteBuffer reply, int flags, int length) {
        int object = MapReply.extentObject(reply, extent);
        Request request = data[--free];
        int requestFlags = switch (op) {
            case Op.WRITE -> Op.CREATE_ABSENT | (durable ? Op.FUA : 0);
            case Op.ZERO -> Op.CREATE_ABSENT | parent.flags() & Op.DISCARD;
            default -> 0;
        };
        request.op(op).flags(requestFlags)
            .target(reply, MapReply.objectName(object), MapReply.objectNameLength(reply, object))
            .range(MapReply.extentOffset(reply, extent), length);
        if (op != Op.ZERO) {
            request.data(address + cursor, length);
        }
        if (writes()) {
            ownPrefix(reply, object);
            request.cookie(MapReply.objectBlock(reply, object));
            if ((flags & MapReply.COMMIT) != 0) {
                commitFrom = commitTo < 0 ? cursor : commitFrom;
                commitTo = cursor + length;
            }
        }
        composer.host.submit(request, composer.reactor, composer.blockerPort);
    }

    private void dataAnswered(Request request) {
        if (phase == Phase.FLUSH_WAIT) {
            data[free++] = request;
            flush.synced(request);
            return;
        }
        data[free++] = request;
        if (writes()) {
            volume.dirty.set((int) request.cookie()); // only now: a flush that ran meanwhile has not covered it
        }
        if (request.status() != 0) {
            // an object that a map names but that is not there is lost data, not an absent volume
            status = request.status() == Errno.ENOENT ? Errno.EIO : request.status();
            volume.failedWrite |= writes();
        }
        pump();
    }

    /** Pairs of u32 length, u32 flags: 3 = a hole that reads as zeros. */
    private void report(int length, boolean zero) {
        ByteBuffer to = parent.data();
        int at = (int) (8 * (reported - 1));
        int flags = zero ? 3 : 0;
        if (reported > 0 && to.getInt(at + 4) == flags) {
            to.putInt(at, to.getInt(at) + length);
        } else if (8 * (reported + 1) <= parent.dataLength()) {
            to.putInt(at + 8, length).putInt(at + 12, flags);
            reported++;
        } else {
            cursor = end - length; // no room for more: that is the answer
        }
    }

    // --- what a write changes

    private void ownPrefix(ByteBuffer reply, int object) {
        int nameAt = MapReply.objectName(object);
        byte[] prefix = volume.ownPrefix;
        boolean same = prefix.length == Layer.PREFIX_LENGTH;
        for (int i = Layer.PREFIX_LENGTH - 1; same && i >= 0; i--) {
            same = prefix[i] == reply.get(nameAt + i);
        }
        if (!same) {
            volume.ownPrefix = new byte[Layer.PREFIX_LENGTH];
            reply.get(nameAt, volume.ownPrefix);
        }
    }

    private void commit() {
        phase = Phase.COMMITTING;
        map.op(Op.COMMIT).target(volume.name).range(commitFrom, commitTo - commitFrom);
        composer.host.submit(map, composer.reactor, composer.mapperPort);
    }

    private void commitAnswered() {
        commitTo = -1;
        if (map.status() != 0) {
            status = map.status();
            volume.failedWrite = true;
            phase = Phase.DONE;
        } else {
            committed = true;
            volume.uncommitted = true;
            phase = cursor < end ? Phase.MAP : Phase.DONE;
        }
        wakeParked(false);
        pump();
    }

    // --- blocks that must be made own first

    /** Whether this extent must not be written yet; then the operation waits, or fills its block. */
    private boolean mustWait(ByteBuffer reply) {
        int block = (int) (cursor >>> BLOCK_SHIFT);
        int flags = MapReply.extentFlags(reply, extent);
        boolean zeroButDoubtful = volume.failedWrite && (flags & MapReply.ZERO) != 0 && op == Op.WRITE;
        boolean needsFill = (flags & (MapReply.FILL | MapReply.FLATTEN)) != 0 || zeroButDoubtful;
        if (op == Op.ZERO && (flags & MapReply.ZERO) != 0 || !needsFill && !volume.isFilling(block)) {
            return false;
        }
        if (free < DATA_REQUESTS) {
            return true; // what was begun ends first
        }
        if (commitTo >= 0) {
            end(reply);
            commit();
            return true;
        }
        if (volume.isFilling(block)) {
            wakeParked(true);
            phase = Phase.PARKED;
            volume.parked.add(this);
            return true;
        }
        boolean whole = (flags & MapReply.FLATTEN) != 0 || zeroButDoubtful;
        fill.begin(volume, reply, extent, cursor, whole);
        phase = Phase.PARKED;
        fill.tryStart();
        return true;
    }

    /** The rest of the answer is asked for again, after the commit. */
    private void end(ByteBuffer reply) {
        extent = MapReply.extents(reply);
    }

    /** Whether this operation has a write or commit under way that touches the block. */
    boolean isWriting(int block) {
        if (phase != Phase.MOVE && phase != Phase.COMMITTING || free == DATA_REQUESTS && commitTo < 0) {
            return false;
        }
        return block >= parent.offset() >>> BLOCK_SHIFT && block <= (end - 1) >>> BLOCK_SHIFT;
    }

    void filling() {
        phase = Phase.FILL;
    }

    Request mapRequest() {
        return map;
    }

    /** The block is own now, or could not be made so. */
    void filled(int fillStatus) {
        if (fillStatus != 0) {
            status = fillStatus;
            phase = Phase.DONE;
        } else {
            phase = Phase.MAP;
        }
        wakeParked(false);
        pump();
    }

    /** Lets those who wait look again; fillsOnly: those who wait to begin a fill. */
    private void wakeParked(boolean fillsOnly) {
        for (int left = volume.parked.size(); left > 0; left--) {
            Operation waiter = volume.parked.poll();
            if (fillsOnly && !waiter.fill.isActive()) {
                volume.parked.add(waiter);
            } else {
                composer.reactor.execute(waiter::unpark);
            }
        }
    }

    private void unpark() {
        if (phase != Phase.PARKED) {
            return;
        }
        if (fill.isActive()) {
            fill.tryStart();
        } else {
            phase = Phase.MAP;
            pump();
        }
    }

    // --- flushing

    private void awaitFlush() {
        phase = Phase.FLUSH_WAIT;
        if (volume.dirty.isEmpty() && !volume.uncommitted && !volume.flushing) {
            phase = Phase.DONE;
            pump();
            return;
        }
        volume.flushWaiters.add(this);
        if (!volume.flushing) {
            flush.run(volume);
        }
    }

    /** A flush on behalf of the composer itself. */
    void beginFlush(Volume ofVolume, IntConsumer then) {
        volume = ofVolume;
        op = Op.FLUSH;
        status = 0;
        phase = Phase.FLUSH_WAIT;
        flush.run(ofVolume, flushStatus -> {
            composer.finished(this, volume, 0);
            then.accept(flushStatus);
        });
    }

    /** Runs the next flush for those who wait, this one among them. */
    void runFlush() {
        flush.run(volume);
    }

    boolean hasDataRequest() {
        return free > 0;
    }

    boolean hasAllDataRequests() {
        return free == DATA_REQUESTS;
    }

    Request takeDataRequest() {
        return data[--free];
    }

    ByteBuffer nameBuffer() {
        return name;
    }

    void flushed(int flushStatus) {
        status = flushStatus;
        phase = Phase.DONE;
        pump();
    }

    private void finish() {
        if (writes()) {
            if (durable && status == 0 && (committed || op == Op.ZERO)) {
                durable = false;
                volume.writers.remove(this);
                op = Op.FLUSH;
                awaitFlush();
                return;
            }
            volume.writers.remove(this);
            wakeParked(false);
        }
        Request answered = parent;
        Volume done = volume;
        int result = status;
        long serviced = parent.op() == Op.STATUS ? 8 * reported : parent.length();
        composer.finished(this, done, result);
        if (result == 0) {
            answered.complete(serviced);
        } else {
            answered.complete(result);
        }
    }
}
