package org.archipelago.peer.composer;

import java.nio.ByteBuffer;
import org.archipelago.map.BlockMap;
import org.archipelago.xseg.Request;

/**
 * The answer to STATUS, in the request's data: little-endian pairs, one after the other. Neighbours of one kind are one pair.
 *
 * <pre>
 *   0  u32 length, bytes      4  u32 flags: 0, or 3 = a hole that reads as zeros
 * </pre>
 */
final class StatusPairs {
    private static final int PAIR = 8;
    private static final int HOLE = 3;
    /** Most bytes that a pair can tell of, in whole units. */
    private static final long LENGTH_MOST = 0xFFFFFFFFL & -BlockMap.UNIT;

    private int count;

    void clear() {
        count = 0;
    }

    /** Bytes of all pairs. */
    long bytes() {
        return (long) PAIR * count;
    }

    /** What comes next; false where there is no room for it. */
    boolean add(Request request, int length, boolean hole) {
        ByteBuffer to = request.data();
        int last = PAIR * (count - 1);
        int flags = hole ? HOLE : 0;
        if (count > 0 && to.getInt(last + 4) == flags && Integer.toUnsignedLong(to.getInt(last)) + length <= LENGTH_MOST) {
            to.putInt(last, to.getInt(last) + length);
        } else if (bytes() + PAIR <= request.dataLength()) {
            to.putInt(last + PAIR, length).putInt(last + PAIR + 4, flags);
            count++;
        } else {
            return false;
        }
        return true;
    }
}
