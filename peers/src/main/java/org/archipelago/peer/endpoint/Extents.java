package org.archipelago.peer.endpoint;

import java.nio.ByteBuffer;

/**
 * Turns the composer's answer to STATUS into the descriptors of a BLOCK_STATUS reply, in place:
 * <pre>
 *   composer  little-endian  u32 length, u32 flags, ...
 *   NBD       big-endian     u32 length, u32 flags, ...   (1 = hole, 2 = zero: the same numbers)
 * </pre>
 * Neighbours with equal flags become one; what goes beyond the range is cut off.
 */
final class Extents {
    /** Bytes of a descriptor, here and there. */
    static final int SIZE = 8;
    /** Bytes of extents that one BLOCK_STATUS asks for. */
    static final int ROOM = 4096;
    private static final int FLAGS = 3;

    private Extents() {}

    /**
     * @param bytes big-endian, with the piece's buffer in it
     * @param range bytes asked about
     * @return bytes of descriptors, at least one of them
     */
    static int translate(ByteBuffer bytes, Piece piece, long range, boolean one) {
        int base = piece.page * BufferArena.PAGE;
        long given = Math.max(0, Math.min(piece.request.serviced(), ROOM)) / SIZE * SIZE;
        long left = range;
        int in = 0;
        int out = -SIZE;
        while (in < given && left > 0) {
            long length = Math.min(left, Integer.toUnsignedLong(Integer.reverseBytes(bytes.getInt(base + in))));
            int flags = Integer.reverseBytes(bytes.getInt(base + in + 4)) & FLAGS;
            in += SIZE;
            if (length == 0) {
                continue;
            }
            if (out >= 0 && bytes.getInt(base + out + 4) == flags) {
                length += Integer.toUnsignedLong(bytes.getInt(base + out));
                left += Integer.toUnsignedLong(bytes.getInt(base + out));
            } else if (out >= 0 && one) {
                break;
            } else {
                out += SIZE;
            }
            put(bytes, base + out, length, flags);
            left -= length;
        }
        if (out < 0) {
            out = 0;
            put(bytes, base, range, 0); // nothing was said: it may all be data
        }
        return out + SIZE;
    }

    private static void put(ByteBuffer bytes, int at, long length, int flags) {
        bytes.putInt(at, (int) length);
        bytes.putInt(at + 4, flags);
    }
}
