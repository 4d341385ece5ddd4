package org.archipelago.peer.composer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.archipelago.map.BlockMap;
import org.archipelago.map.MapReply;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeLayer;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Completion;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;

/**
 * What wants a block for itself. Makes parts of it a volume's own before a write: copies what lies below into the own object and
 * commits it. Needed for the units at the ragged ends of a small write to a clone, and for a whole
 * block whose stack is too deep or whose object may hold what was never answered. Or makes a block one of zeros, which lies nowhere. While it runs, no
 * other write may touch the block; a reader sees the same bytes before and after.
 *
 * <p>One request is out at a time, and its answer may come inside submit; {@link #go} makes a loop of that,
 * since a block may consist of a thousand pieces.
 */
final class Fill {
    private static final long BLOCK = 1L << VolumeHeader.BLOCK_SHIFT;
    private static final int UNIT = BlockMap.UNIT;
    /** Bytes of an own object's name, in whole words. */
    private static final int NAME_ROOM = VolumeLayer.NAME_LENGTH + 7 & -8;

    /** What to do next, when the request that is out has been answered. */
    private enum Step { ASK, ANSWERED, READ, MOVED, DROP, DROPPED }

    private final Composer composer;
    private final Operation owner;
    private final ByteBuffer own = ByteBuffer.allocateDirect(64).order(ByteOrder.LITTLE_ENDIAN);
    /** Two ranges within the block at most: from, to. */
    private final long[] ranges = new long[4];

    private final Completion onMoved = this::moverAnswered;

    private Volume volume;
    private boolean active;
    private boolean whole;
    /** Nothing is filled: the block becomes one of zeros. */
    private boolean dropping;
    /** Flags of writes to the own object: it may have to be made. */
    private int make;
    private int block;
    private int range;
    private long at;
    private boolean committing;
    private int extent;
    private long piece;
    private Request mover;
    private Step step;
    private boolean going;
    private boolean again;

    Fill(Composer composer, Operation owner) {
        this.composer = composer;
        this.owner = owner;
    }

    boolean isActive() {
        return active;
    }

    /** reply, extent: the mapper's answer to the write; offset: of the write in the volume. */
    void begin(Volume ofVolume, ByteBuffer reply, int ofExtent, long offset, boolean wholeBlock, boolean drop) {
        volume = ofVolume;
        dropping = drop;
        make = Operation.making(MapReply.extentFlags(reply, ofExtent));
        whole = wholeBlock || drop;
        block = (int) (offset >>> VolumeHeader.BLOCK_SHIFT);
        int nameAt = MapReply.objectName(MapReply.extentObject(reply, ofExtent));
        volume.writesTo(reply, nameAt);
        for (int i = 0; i < NAME_ROOM; i += 8) {
            own.putLong(i, reply.getLong(nameAt + i));
        }
        long from = MapReply.extentOffset(reply, ofExtent);
        long to = from + MapReply.extentLength(reply, ofExtent);
        if (whole) {
            ranges[0] = 0;
            ranges[1] = Math.min(BLOCK, MapReply.volumeSize(reply) - block * BLOCK);
            ranges[2] = ranges[3] = 0;
        } else {
            long head = from & -UNIT;
            long tail = (to - 1) & -UNIT;
            ranges[0] = head;
            ranges[1] = from == head && to - from >= UNIT ? head : head + UNIT;
            ranges[2] = tail;
            ranges[3] = tail == head || to == tail + UNIT ? tail : tail + UNIT;
        }
        active = true;
        range = 0;
        at = ranges[0];
        volume.filling.add(block);
    }

    /** Starts when no other write to the block is under way; else the owner waits. */
    void tryStart() {
        for (int i = 0; i < volume.writers.size(); i++) {
            Operation writer = volume.writers.get(i);
            if (writer != owner && writer.isWriting(block, block)) {
                volume.parked.add(owner);
                return;
            }
        }
        if (composer.bounces.isEmpty()) {
            composer.reactor.schedule(1_000_000, this::tryStart);
            return;
        }
        mover = composer.bounces.take().onCompletion(onMoved);
        owner.filling();
        step = dropping ? Step.DROP : Step.ASK;
        go();
    }

    private void go() {
        if (going) {
            again = true;
            return;
        }
        going = true;
        do {
            again = false;
            switch (step) {
                case ASK -> ask();
                case ANSWERED -> answered();
                case READ -> write();
                case MOVED -> moved();
                case DROP -> drop();
                case DROPPED -> dropped();
            }
        } while (again);
        going = false;
    }

    /** Asks what the rest of a range consists of, or commits it when it has been moved. */
    private void ask() {
        while (range < 2 && ranges[2 * range] == ranges[2 * range + 1]) {
            nextRange();
        }
        if (range == 2) {
            end(0);
            return;
        }
        Request map = owner.mapRequest();
        long to = ranges[2 * range + 1];
        committing = at == to;
        if (committing) {
            long from = ranges[2 * range];
            map.op(Op.COMMIT).target(volume.name).range(block * BLOCK + from, to - from);
        } else {
            map.op(Op.MAPR).target(volume.name).range(block * BLOCK + at, to - at);
        }
        composer.host.submit(map, composer.reactor, composer.mapperPort);
    }

    private void nextRange() {
        range++;
        at = range < 2 ? ranges[2 * range] : 0;
    }

    /** Frees what the volume's own object has of the block, if there is one. */
    private void drop() {
        mover.op(Op.ZERO).flags(Op.DISCARD | Op.sized(VolumeHeader.BLOCK_SHIFT)).target(own, 0, VolumeLayer.NAME_LENGTH).range(0, BLOCK);
        composer.host.submit(mover, composer.reactor, composer.blockerPort);
    }

    private void dropped() {
        boolean absent = mover.status() == Errno.ENOENT;
        if (!absent) {
            volume.written.dirty.set(block);
        }
        if (mover.status() != 0 && !absent) {
            volume.written.doubtful.set(block);
            end(mover.status());
            return;
        }
        committing = true;
        owner.mapRequest().op(Op.COMMIT).flags(Op.DISCARD).target(volume.name).range(block * BLOCK, ranges[1]);
        composer.host.submit(owner.mapRequest(), composer.reactor, composer.mapperPort);
    }

    private void moverAnswered(Request done) {
        if (dropping) {
            step = Step.DROPPED;
            go();
            return;
        }
        step = done.op() == Op.READ ? Step.READ : Step.MOVED;
        go();
    }

    void mapAnswered() {
        step = Step.ANSWERED;
        go();
    }

    private void answered() {
        Request map = owner.mapRequest();
        if (map.status() != 0) {
            volume.uncommitted |= committing;
            end(map.status());
        } else if (committing) {
            volume.uncommitted = true;
            nextRange();
            step = Step.ASK;
            again = true;
        } else if (owner.takeReply(block * BLOCK + at, block * BLOCK + ranges[2 * range + 1])) {
            extent = 0;
            move();
        } else {
            end(Errno.EIO);
        }
    }

    /** Moves the next piece of what the mapper named. */
    private void move() {
        ByteBuffer reply = owner.reply();
        while (extent < MapReply.extents(reply)) {
            int length = MapReply.extentLength(reply, extent);
            boolean zero = (MapReply.extentFlags(reply, extent) & MapReply.ZERO) != 0;
            if (zero || !isOwn(reply)) {
                move(reply, length, zero);
                return;
            }
            at += length;
            extent++;
        }
        step = Step.ASK;
        again = true;
    }

    private void move(ByteBuffer reply, int length, boolean zero) {
        if (zero) {
            piece = length;
            mover.op(Op.ZERO).flags(make | Op.DISCARD).target(own, 0, VolumeLayer.NAME_LENGTH).range(at, piece);
        } else {
            int object = MapReply.extentObject(reply, extent);
            piece = Math.min(length - (at - MapReply.extentOffset(reply, extent)), mover.dataLength());
            mover.op(Op.READ).flags(MapReply.isWholeBlock(reply, object) ? Op.EXACT : 0).target(reply, MapReply.objectName(object), MapReply.objectNameLength(reply, object))
                .range(at, piece);
        }
        composer.host.submit(mover, composer.reactor, composer.blockerPort);
    }

    private boolean isOwn(ByteBuffer reply) {
        int object = MapReply.extentObject(reply, extent);
        int nameAt = MapReply.objectName(object);
        if (MapReply.objectNameLength(reply, object) != VolumeLayer.NAME_LENGTH) {
            return false;
        }
        for (int i = 0; i < NAME_ROOM; i += 8) {
            if (own.getLong(i) != reply.getLong(nameAt + i)) {
                return false;
            }
        }
        return true;
    }

    private void write() {
        if (mover.status() != 0) {
            if (mover.status() == Errno.ENOENT) {
                composer.lost.tell(volume.name, mover.target());
            }
            end(mover.status() == Errno.ENOENT ? Errno.EIO : mover.status());
            return;
        }
        mover.op(Op.WRITE).flags(make).target(own, 0, VolumeLayer.NAME_LENGTH).range(at, piece);
        composer.host.submit(mover, composer.reactor, composer.blockerPort);
    }

    private void moved() {
        volume.written.dirty.set(block);
        if (mover.status() != 0) {
            volume.written.doubtful.set(block);
            end(mover.status());
            return;
        }
        ByteBuffer reply = owner.reply();
        at += piece;
        if (at == MapReply.extentOffset(reply, extent) + MapReply.extentLength(reply, extent)) {
            extent++;
        }
        move();
    }

    private void end(int status) {
        active = false;
        composer.bounces.release(mover);
        volume.filling.remove(Integer.valueOf(block));
        if (whole && status == 0) {
            volume.written.doubtful.clear(block);
        }
        owner.filled(status);
    }
}
