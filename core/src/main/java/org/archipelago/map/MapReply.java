package org.archipelago.map;

import java.nio.ByteBuffer;

/**
 * How a mapper answers MAPR and MAPW: which parts of which objects make up the bytes of the range that
 * the answer covers, in order. Lies in the request's data, little-endian.
 *
 * <pre>
 *     0  u16 objects   2  u16 extents   4  u32 flags: 1 = write through   8  u64 bytes of the volume
 *    16  objects x 144 bytes: u32 length of the name, u32 block of the volume, u32 layer, u32 flags: 1 = it has as many bytes
 *        as a block; 128 bytes name, zero padded. layer: the mapper's number, for nobody else
 *  1168  extents x 16 bytes: u16 object, u16 flags, u32 offset in it, u32 length, u32 reserved
 * </pre>
 */
public final class MapReply {
    public static final int MAX_OBJECTS = 8;
    /** Room that a request for an answer shall have, bytes. */
    public static final int SIZE = 4096;

    /** Extent: no object, zeros. */
    public static final int ZERO = 1;
    /** Extent: after the write, commit it. */
    public static final int COMMIT = 2;
    /** Extent: the units at its ragged ends must be filled from below before the write. */
    public static final int FILL = 4;
    /** Extent: the whole block must be made own before the write: its stack is too deep. */
    public static final int FLATTEN = 8;
    /** Extent: the object may be absent, and the write makes it; else it must be there, and its absence is damage. */
    public static final int MAKE = 16;

    /** Reply: what is written must be durable before it is answered; another node may take over. */
    public static final int WRITE_THROUGH = 1;

    private static final int OBJECTS = 16;
    private static final int OBJECT = 16 + Layer.NAME_ROOM;
    private static final int NAME = 16;
    private static final int WHOLE_BLOCK = 1;
    private static final int EXTENTS = OBJECTS + MAX_OBJECTS * OBJECT;
    private static final int EXTENT = 16;
    public static final int MAX_EXTENTS = (SIZE - EXTENTS) / EXTENT;
    private static final int BLOCK = 1 << VolumeHeader.BLOCK_SHIFT;

    private MapReply() {}

    // --- writing

    public static void clear(ByteBuffer to, int flags, long volumeSize) {
        to.putInt(0, 0).putInt(4, flags).putLong(8, volumeSize);
    }

    /** Adds an object, or finds it; -1 when the answer is full; number: of the layer. */
    public static int object(ByteBuffer to, Layer layer, int number, int block) {
        int count = to.getShort(0);
        for (int i = count - 1; i >= 0; i--) {
            int at = OBJECTS + OBJECT * i;
            if (to.getInt(at + 4) == block && to.getInt(at + 8) == number) {
                return i;
            }
        }
        if (count == MAX_OBJECTS) {
            return -1;
        }
        int at = OBJECTS + OBJECT * count;
        to.putInt(at, layer.writeName(to, at + NAME, block)).putInt(at + 4, block).putInt(at + 8, number);
        to.putInt(at + 12, layer.hasWholeBlocks() ? WHOLE_BLOCK : 0);
        to.putShort(0, (short) (count + 1));
        return count;
    }

    /** Adds an extent; false when the answer is full. */
    public static boolean extent(ByteBuffer to, int object, int flags, int offset, int length) {
        int count = to.getShort(2);
        if (count == MAX_EXTENTS) {
            return false;
        }
        int at = EXTENTS + EXTENT * count;
        to.putShort(at, (short) object).putShort(at + 2, (short) flags).putInt(at + 4, offset).putInt(at + 8, length);
        to.putShort(2, (short) (count + 1));
        return true;
    }

    /** Copies an answer; both have {@link #SIZE} bytes. */
    public static void copy(ByteBuffer from, ByteBuffer to) {
        int objects = Math.min(Short.toUnsignedInt(from.getShort(0)), MAX_OBJECTS);
        int extents = extents(from);
        to.putShort(0, (short) objects).putShort(2, (short) extents);
        to.put(4, from, 4, OBJECTS - 4);
        for (int i = 0; i < objects; i++) {
            int at = OBJECTS + OBJECT * i;
            int length = Math.max(0, Math.min(from.getInt(at), Layer.NAME_MAX));
            to.put(at + 4, from, at + 4, NAME - 4 + (length + 7 & -8));
            to.putInt(at, length);
        }
        to.put(EXTENTS, from, EXTENTS, EXTENT * extents);
    }

    // --- reading

    /**
     * Takes an answer out of memory that others may write: what was checked here stays so.
     *
     * @param at position in the volume that was asked about, and where the question ended
     * @return whether it tells of bytes from at on, not beyond end, each at its place in an object that the answer names
     */
    public static boolean take(ByteBuffer from, ByteBuffer to, long at, long end) {
        copy(from, to);
        int objects = to.getShort(0);
        int extents = to.getShort(2);
        long next = at;
        for (int i = 0; i < extents; i++) {
            int object = extentObject(to, i);
            int offset = extentOffset(to, i);
            int length = extentLength(to, i);
            boolean named = object < objects && objectNameLength(to, object) > 0;
            if (!named && (extentFlags(to, i) & (ZERO | COMMIT)) != ZERO || offset != (next & BLOCK - 1)
                    || length <= 0 || length > BLOCK - offset || length > end - next) {
                return false;
            }
            next += length;
        }
        return extents > 0 && end <= VolumeHeader.MAX_SIZE;
    }

    public static int flags(ByteBuffer from) {
        return from.getInt(4);
    }

    public static long volumeSize(ByteBuffer from) {
        return from.getLong(8);
    }

    public static int extents(ByteBuffer from) {
        return Math.min(Short.toUnsignedInt(from.getShort(2)), MAX_EXTENTS);
    }

    public static int extentObject(ByteBuffer from, int extent) {
        return Math.min(Short.toUnsignedInt(from.getShort(EXTENTS + EXTENT * extent)), MAX_OBJECTS - 1);
    }

    public static int extentFlags(ByteBuffer from, int extent) {
        return from.getShort(EXTENTS + EXTENT * extent + 2);
    }

    /** Bytes within the object. */
    public static int extentOffset(ByteBuffer from, int extent) {
        return from.getInt(EXTENTS + EXTENT * extent + 4);
    }

    public static int extentLength(ByteBuffer from, int extent) {
        return from.getInt(EXTENTS + EXTENT * extent + 8);
    }

    /** Where the name lies in the answer; {@link #objectNameLength} bytes, zero padded to words. */
    public static int objectName(int object) {
        return OBJECTS + OBJECT * object + NAME;
    }

    public static int objectNameLength(ByteBuffer from, int object) {
        return Math.max(0, Math.min(from.getInt(OBJECTS + OBJECT * object), Layer.NAME_MAX));
    }

    /** Whether the object has as many bytes as a block, so that one that ends before is damaged. */
    public static boolean isWholeBlock(ByteBuffer from, int object) {
        return (from.getInt(OBJECTS + OBJECT * object + 12) & WHOLE_BLOCK) != 0;
    }
}
