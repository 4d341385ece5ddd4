package org.archipelago.peer.composer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Layer;
import org.archipelago.map.MapReply;
import org.archipelago.map.VolumeHeader;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;

/**
 * Makes parts of a block a volume's own before a write: copies what lies below into the own object and
 * commits it. Needed for the units at the ragged ends of a small write to a clone, and for a whole
 * block whose stack is too deep or whose object may hold what was never answered. While it runs, no
 * other write may touch the block; a reader sees the same bytes before and after.
 */
final class Fill {
    private static final long BLOCK = 1L << VolumeHeader.BLOCK_SHIFT;
    private static final int UNIT = BlockMap.UNIT;

    private final Composer composer;
    private final Operation owner;
    private final ByteBuffer own = ByteBuffer.allocateDirect(64).order(ByteOrder.LITTLE_ENDIAN);
    /** Two ranges within the block at most: from, to. */
    private final long[] ranges = new long[4];

    private Volume volume;
    private boolean active;
    private int block;
    private int range;
    private long at;
    private boolean committing;
    private int extent;
    private Request mover;

    Fill(Composer composer, Operation owner) {
        this.composer = composer;
        this.owner = owner;
    }

    boolean isActive() {
        return active;
    }

    /** reply, extent: the mapper's answer to the write; offset: of the write in the volume. */
    void begin(Volume ofVolume, ByteBuffer reply, int ofExtent, long offset, boolean whole) {
        volume = ofVolume;
        block = (int) (offset >>> VolumeHeader.BLOCK_SHIFT);
        int nameAt = MapReply.objectName(MapReply.extentObject(reply, ofExtent));
        for (int i = 0; i < Layer.NAME_ROOM; i += 8) {
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
            if (writer != owner && writer.isWriting(block)) {
                volume.parked.add(owner);
                return;
            }
        }
        if (composer.bounces.isEmpty()) {
            composer.reactor.schedule(1_000_000, this::tryStart);
            return;
        }
        mover = composer.bounces.take();
        owner.filling();
        next();
    }

    private void next() {
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

    void mapAnswered(Request map) {
        if (map.status() != 0) {
            end(map.status());
        } else if (committing) {
            volume.uncommitted = true;
            nextRange();
            next();
        } else {
            extent = 0;
            moveExtents(map.data());
        }
    }

    /** Goes through the mapper's answer, one piece at a time. */
    private void moveExtents(ByteBuffer reply) {
        while (extent < MapReply.extents(reply)) {
            int length = MapReply.extentLength(reply, extent);
            boolean zero = (MapReply.extentFlags(reply, extent) & MapReply.ZERO) != 0;
            if (!zero && isOwn(reply)) {
                at += length;
                extent++;
                continue;
            }
            long from = at;
            if (zero) {
                mover.op(Op.ZERO).flags(Op.CREATE_ABSENT | Op.DISCARD).target(own, 0, Layer.NAME_LENGTH).range(from, length)
                    .onCompletion(done -> moved(reply, done, length));
            } else {
                long piece = Math.min(length - (at - extentStart(reply)), mover.dataLength());
                int object = MapReply.extentObject(reply, extent);
                mover.op(Op.READ).target(reply, MapReply.objectName(object), MapReply.objectNameLength(reply, object))
                    .range(from, piece).onCompletion(done -> copied(reply, done, piece));
            }
            composer.host.submit(mover, composer.reactor, composer.blockerPort);
            return;
        }
        next();
    }

    private long extentStart(ByteBuffer reply) {
        return MapReply.extentOffset(reply, extent);
    }

    private boolean isOwn(ByteBuffer reply) {
        int nameAt = MapReply.objectName(MapReply.extentObject(reply, extent));
        for (int i = 0; i < Layer.NAME_ROOM; i += 8) {
            if (own.getLong(i) != reply.getLong(nameAt + i)) {
                return false;
            }
        }
        return true;
    }

    private void copied(ByteBuffer reply, Request done, long piece) {
        if (done.status() != 0) {
            end(done.status() == Errno.ENOENT ? Errno.EIO : done.status());
            return;
        }
        mover.op(Op.WRITE).flags(Op.CREATE_ABSENT).target(own, 0, Layer.NAME_LENGTH).range(at, piece)
            .onCompletion(written -> moved(reply, written, piece));
        composer.host.submit(mover, composer.reactor, composer.blockerPort);
    }

    private void moved(ByteBuffer reply, Request done, long piece) {
        if (done.status() != 0) {
            volume.failedWrite = true;
            end(done.status());
            return;
        }
        volume.dirty.set(block);
        at += piece;
        if (at == extentStart(reply) + MapReply.extentLength(reply, extent)) {
            extent++;
        }
        moveExtents(reply);
    }

    private void end(int status) {
        active = false;
        composer.bounces.release(mover);
        volume.filling.remove(Integer.valueOf(block));
        owner.filled(status);
    }
}
