package org.archipelago.peer.composer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.IntConsumer;
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
    /** Flags of a write to an own object that may have to be made: as long as a block, so that a short one is a damaged one. */
    static final int MAKE = Op.CREATE_ABSENT | Op.sized(VolumeHeader.BLOCK_SHIFT);
    private static final int BLOCK_SHIFT = VolumeHeader.BLOCK_SHIFT;

    private enum Phase { MAP, MAPPING, MOVE, COMMITTING, PARKED, FILL, FLUSH_WAIT, DONE }

    private final Composer composer;
    private final Request map;
    private final Request[] data = new Request[DATA_REQUESTS];
    /** What the mapper answered, where nobody else can change it. */
    private final ByteBuffer reply = ByteBuffer.allocateDirect(MapReply.SIZE).order(ByteOrder.LITTLE_ENDIAN);
    private final ByteBuffer name = ByteBuffer.allocateDirect(64).order(ByteOrder.LITTLE_ENDIAN);
    private final Fill fill;
    private final Flush flush;
    private final IntConsumer flushedForThis = this::flushedForThis;
    private final IntConsumer flushedForComposer = this::flushedForComposer;
    private IntConsumer whenFlushed = flushStatus -> { };
    /** It waits for a flush on behalf of the composer itself. */
    private boolean forComposer;

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
    /** The extent is zeros already, and zeros shall be written there. */
    private boolean leftOut;
    /** An object was not there; and the map has been looked at anew since. */
    private boolean missing;
    private boolean looked;
    private int free;
    private long commitFrom;
    private long commitTo;
    /** Among the volume's operations; and how many of these had begun when this one failed, 0: it has not. */
    private long number;
    private long overtaking;
    private boolean pumping;
    private boolean again;
    private final StatusPairs pairs = new StatusPairs();

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
        number = ++volume.begun;
        parent = request;
        op = request.op();
        durable = request.has(Op.FUA);
        status = 0;
        overtaking = 0;
        cursor = request.offset();
        end = cursor + request.length();
        address = op == Op.READ || op == Op.WRITE ? request.dataAddress() - cursor : 0;
        pairs.clear();
        commitTo = -1;
        extent = Integer.MAX_VALUE;
        leftOut = false;
        missing = false;
        looked = false;
        if (op == Op.FLUSH) {
            volume.rhythm.flushed();
            awaitFlush();
            return;
        }
        if (!isInRange(request)) {
            status = Errno.EINVAL;
        }
        phase = status != 0 || cursor == end ? Phase.DONE : Phase.MAP;
        if (writes()) {
            volume.writers.add(this);
        }
        pump();
    }

    /** Whether the range of a data operation is one, and its data has room for it. */
    static boolean isInRange(Request request) {
        boolean moves = request.op() == Op.READ || request.op() == Op.WRITE;
        return request.op() == Op.FLUSH || request.offset() >= 0 && request.length() >= 0
            && request.offset() <= Long.MAX_VALUE - request.length() && (!moves || request.length() <= request.dataLength());
    }

    /** Whether what it writes is durable before it is answered. */
    boolean isDurable() {
        return durable;
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
            if (missing && !looked && op == Op.READ) {
                readAgain();
            } else {
                finish();
            }
        }
    }

    /** The map may have been out of date, and the object collected: a volume that another node has open, or a snapshot. */
    private void readAgain() {
        looked = true;
        status = 0;
        cursor = parent.offset();
        phase = Phase.MAP;
        pump();
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
        map.op(writes() ? Op.MAPW : Op.MAPR).flags(looked ? Op.FRESH : 0).target(volume.name).range(cursor, end - cursor);
        composer.host.submit(map, composer.reactor, composer.mapperPort);
    }

    private void mapAnswered() {
        if (phase == Phase.FILL) {
            fill.mapAnswered();
            return;
        }
        if (phase == Phase.COMMITTING) {
            commitAnswered();
            return;
        }
        if (map.status() != 0) {
            status = map.status() == Errno.EINVAL && writes() ? Errno.ENOSPC : map.status();
            phase = Phase.DONE;
        } else if (takeReply(cursor, end)) {
            extent = 0;
            phase = Phase.MOVE;
            durable |= writes() && (MapReply.flags(reply) & MapReply.WRITE_THROUGH) != 0;
        } else {
            status = Errno.EIO;
            phase = Phase.DONE;
        }
        pump();
    }

    /** Takes the mapper's answer about a part of the volume; false where it makes no sense. */
    boolean takeReply(long from, long to) {
        return MapReply.take(map.data(), reply, from, to);
    }

    ByteBuffer reply() {
        return reply;
    }

    /** Moves the parts that the mapper named, as far as requests are free. */
    private void move() {
        int extents = MapReply.extents(reply);
        while (extent < extents && cursor < end && status == 0) {
            if (writes() && mustWait()) {
                return;
            }
            if (op == Op.STATUS) {
                boolean hole = (MapReply.extentFlags(reply, extent) & MapReply.ZERO) != 0;
                if (!pairs.add(parent, MapReply.extentLength(reply, extent), hole)) {
                    end = cursor; // no room for more: that is the answer
                }
            } else if (!moveExtent()) {
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
        } else if (status == 0 && cursor < end) {
            phase = Phase.MAP;
            again = true;
        } else {
            phase = Phase.DONE;
        }
    }

    private boolean moveExtent() {
        int flags = MapReply.extentFlags(reply, extent);
        int length = MapReply.extentLength(reply, extent);
        boolean zero = (flags & MapReply.ZERO) != 0;
        if (zero && op == Op.READ) {
            Posix.memset(address + cursor, 0, length);
            return true;
        }
        if (leftOut) {
            return true;
        }
        if (free == 0) {
            return false;
        }
        submit(flags, length);
        return true;
    }

    private void submit(int flags, int length) {
        int object = MapReply.extentObject(reply, extent);
        Request request = takeDataRequest();
        int requestFlags = switch (op) {
            case Op.WRITE -> making(flags) | (durable ? Op.FUA : 0);
            case Op.ZERO -> making(flags) | parent.flags() & Op.DISCARD;
            default -> MapReply.isWholeBlock(reply, object) ? Op.EXACT : 0;
        };
        request.op(op).flags(requestFlags)
            .target(reply, MapReply.objectName(object), MapReply.objectNameLength(reply, object))
            .range(MapReply.extentOffset(reply, extent), length);
        if (op != Op.ZERO) {
            request.data(address + cursor, length);
        }
        if (writes()) {
            volume.writesTo(reply, MapReply.objectName(object));
            request.cookie(cursor >>> BLOCK_SHIFT);
            if ((flags & MapReply.COMMIT) != 0) {
                commitFrom = commitTo < 0 ? cursor : commitFrom;
                commitTo = cursor + length;
            }
        }
        composer.host.submit(request, composer.reactor, composer.blockerPort);
    }

    /** What a write needs that may have to make its object. */
    static int making(int extentFlags) {
        return (extentFlags & MapReply.MAKE) != 0 ? MAKE : 0;
    }

    private void dataAnswered(Request request) {
        if (phase == Phase.FLUSH_WAIT) {
            data[free++] = request;
            flush.synced(request);
            return;
        }
        data[free++] = request;
        if (writes() && !(op == Op.WRITE && durable && request.status() == 0)) {
            volume.written.dirty.set((int) request.cookie()); // only now: a flush that ran meanwhile has not covered it
        }
        if (request.status() != 0) {
            // an object that a map names but that is not there is lost data, not an absent volume
            missing |= request.status() == Errno.ENOENT;
            if (looked && request.status() == Errno.ENOENT) {
                composer.lost.tell(volume.name, request.target());
            }
            status = request.status() == Errno.ENOENT ? Errno.EIO : request.status();
            if (writes()) {
                doubt((int) request.cookie(), (int) request.cookie());
            }
        }
        pump();
    }

    /** The write has failed, and may have left something in the objects of these blocks. */
    private void doubt(int firstBlock, int lastBlock) {
        volume.written.doubtful.set(firstBlock, lastBlock + 1);
        overtaking = volume.begun;
    }

    // --- what a write changes

    private void commit() {
        phase = Phase.COMMITTING;
        map.op(Op.COMMIT).target(volume.name).range(commitFrom, commitTo - commitFrom);
        composer.host.submit(map, composer.reactor, composer.mapperPort);
    }

    private void commitAnswered() {
        if (map.status() != 0) {
            status = map.status();
            volume.uncommitted = true; // its record may be in the log: the next flush clears it
            doubt((int) (commitFrom >>> BLOCK_SHIFT), (int) ((commitTo - 1) >>> BLOCK_SHIFT));
            phase = Phase.DONE;
        } else {
            volume.uncommitted = true;
            phase = cursor < end ? Phase.MAP : Phase.DONE;
        }
        commitTo = -1;
        wakeParked(false);
        pump();
    }

    // --- blocks that must be made own first

    /** Whether this extent must not be written yet; then the operation waits, or fills its block. */
    private boolean mustWait() {
        int block = (int) (cursor >>> BLOCK_SHIFT);
        int flags = MapReply.extentFlags(reply, extent);
        boolean zero = (flags & MapReply.ZERO) != 0;
        leftOut = zero && (op == Op.ZERO || Zeros.fill(address + cursor, MapReply.extentLength(reply, extent)));
        if (leftOut) {
            return commitTo >= 0 && mustEndWhatBegan(); // a commit must not reach across it
        }
        boolean drops = op == Op.ZERO && !zero && coversBlock();
        boolean whole = (flags & MapReply.FLATTEN) != 0 || zero && (volume.inherited || volume.written.doubtful.get(block));
        boolean needsFill = drops || whole || (flags & MapReply.FILL) != 0;
        if (!needsFill && !volume.isFilling(block)) {
            return false;
        }
        if (mustEndWhatBegan()) {
            return true;
        }
        phase = Phase.PARKED;
        if (volume.isFilling(block)) {
            wakeParked(true);
            volume.parked.add(this);
        } else {
            fill.begin(volume, reply, extent, cursor, whole, drops);
            fill.tryStart();
        }
        return true;
    }

    /** Whether the extent is a whole block, or all that the volume has of its last one. */
    private boolean coversBlock() {
        int length = MapReply.extentLength(reply, extent);
        return MapReply.extentOffset(reply, extent) == 0
            && (length == 1 << BLOCK_SHIFT || cursor + length == MapReply.volumeSize(reply));
    }

    /** Whether parts before this extent are still to be written or committed; the rest is asked for again after the commit. */
    private boolean mustEndWhatBegan() {
        if (free < DATA_REQUESTS) {
            return true;
        }
        if (commitTo < 0) {
            return false;
        }
        extent = MapReply.extents(reply);
        commit();
        return true;
    }

    /** Whether this operation has a write or commit under way that may touch these blocks. */
    boolean isWriting(int firstBlock, int lastBlock) {
        if (phase != Phase.MOVE && phase != Phase.COMMITTING || free == DATA_REQUESTS && commitTo < 0) {
            return false;
        }
        return lastBlock >= parent.offset() >>> BLOCK_SHIFT && firstBlock <= (end - 1) >>> BLOCK_SHIFT;
    }

    /**
     * Whether a write that is older than this one's failure goes on in the same blocks. Its commit may yet show what
     * the failed one left there; so the failure is told afterwards, and what is read then stays.
     */
    private boolean isOvertaking() {
        int first = (int) (parent.offset() >>> BLOCK_SHIFT);
        int last = (int) ((end - 1) >>> BLOCK_SHIFT);
        for (int i = 0; i < volume.writers.size(); i++) {
            Operation writer = volume.writers.get(i);
            if (writer != this && writer.number <= overtaking && writer.isWriting(first, last)) {
                return true;
            }
        }
        return false;
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
            phase = status == 0 ? Phase.MAP : Phase.DONE;
            pump();
        }
    }

    // --- flushing

    private void awaitFlush() {
        phase = Phase.FLUSH_WAIT;
        if (!volume.isDirty() && !volume.uncommitted && !volume.flushing) {
            phase = Phase.DONE;
            pump();
            return;
        }
        if (volume.flushing && parent.op() == Op.FLUSH && volume.written.dirty.isEmpty() && !volume.uncommitted) {
            volume.flushSharers.add(this); // nothing was written since it began
            return;
        }
        volume.flushWaiters.add(this);
        if (!volume.flushing) {
            runFlush();
        }
    }

    /** A flush on behalf of the composer itself. */
    void beginFlush(Volume ofVolume, boolean givesUp, IntConsumer then) {
        volume = ofVolume;
        op = Op.FLUSH;
        status = 0;
        phase = Phase.FLUSH_WAIT;
        whenFlushed = then;
        flush.run(ofVolume, givesUp, flushedForComposer);
    }

    /** The same where I/O goes on, and another flush may be under way. */
    void awaitFlush(Volume ofVolume, IntConsumer then) {
        volume = ofVolume;
        op = Op.FLUSH;
        phase = Phase.FLUSH_WAIT;
        whenFlushed = then;
        forComposer = true;
        volume.flushWaiters.add(this);
        if (!volume.flushing) {
            runFlush();
        }
    }

    private void flushedForComposer(int flushStatus) {
        IntConsumer then = whenFlushed; // once this is free, others use it
        composer.finished(this, volume, 0);
        then.accept(flushStatus);
    }

    /** Runs the next flush for those who wait, this one among them. */
    void runFlush() {
        flush.run(volume, false, flushedForThis);
    }

    private void flushedForThis(int flushStatus) {
        flushed(flushStatus, flush.leaseIsHeld());
    }

    boolean hasDataRequest() {
        return free > 0;
    }

    boolean hasAllDataRequests() {
        return free == DATA_REQUESTS;
    }

    Request takeDataRequest() {
        return data[--free].noData();
    }

    ByteBuffer nameBuffer() {
        return name;
    }

    /** held: whether the lease is still this node's; else what was just written is in no map. */
    void flushed(int flushStatus, boolean held) {
        if (forComposer) {
            forComposer = false;
            flushedForComposer(flushStatus);
            return;
        }
        status = flushStatus == 0 && !held && parent.op() != Op.FLUSH ? Errno.EBUSY : flushStatus;
        phase = Phase.DONE;
        pump();
    }

    private void finish() {
        if (writes()) {
            if (status != 0 && commitTo >= 0) { // other parts were written, and no map will name them
                doubt((int) (commitFrom >>> BLOCK_SHIFT), (int) ((commitTo - 1) >>> BLOCK_SHIFT));
                commitTo = -1;
            }
            if (overtaking > 0 && isOvertaking()) {
                phase = Phase.PARKED;
                wakeParked(true);
                volume.parked.add(this);
                return;
            }
            volume.writers.remove(this);
            wakeParked(false);
            // a ZERO itself is not durable; the record that names a block may not be, whoever's write made it
            if (durable && status == 0 && (op == Op.ZERO || volume.uncommitted || volume.flushing)) {
                durable = false;
                op = Op.FLUSH;
                awaitFlush();
                composer.advance(volume);
                return;
            }
        }
        Request answered = parent;
        Volume done = volume;
        int result = status;
        boolean flushable = writes() && !durable && result == 0;
        if (flushable) {
            volume.rhythm.wrote();
        }
        long serviced = parent.op() == Op.STATUS ? pairs.bytes() : parent.length();
        composer.finished(this, done, result);
        if (result == 0) {
            answered.complete(serviced);
        } else {
            answered.complete(result);
        }
        if (flushable) {
            composer.flushIfDue(done);
        }
    }
}
