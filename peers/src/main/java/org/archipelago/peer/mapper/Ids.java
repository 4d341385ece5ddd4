package org.archipelago.peer.mapper;

import org.archipelago.posix.Errno;

/**
 * The ids of volumes and snapshots that a collection has found, and what their headers said: 24 bytes each, in a hash table with
 * open addressing. One thread at a time.
 *
 * <pre>
 *   slot    u64 a, u64 b    the id
 *           u32 epoch, u32 generation; all ones: nothing of it counts any more;  0: the slot is free
 * </pre>
 */
final class Ids {
    /** Of {@link #find}: nobody knows the id. */
    static final long UNKNOWN = 0;
    /** Of {@link #find}: the id's volume is gone. */
    static final long DEAD = -1;

    private static final int SLOT = 3;
    private static final int SLOTS_MAX = 1 << 18;
    private static final long KNOWN = 1L << 63;

    private long[] table = new long[SLOT << 10];
    private int used;
    private int live;

    void clear() {
        table = new long[SLOT << 10];
        used = 0;
        live = 0;
    }

    /** How many volumes and snapshots there are. */
    int live() {
        return live;
    }

    /** What the id's header said, for {@link #epoch} and {@link #generation}; or UNKNOWN, or DEAD. */
    long find(long a, long b) {
        return table[slot(a, b) + 2];
    }

    static int epoch(long found) {
        return (int) (found >>> 32 & Integer.MAX_VALUE);
    }

    static int generation(long found) {
        return (int) found;
    }

    void live(long a, long b, int epoch, int generation) {
        put(a, b, KNOWN | (long) epoch << 32 | Integer.toUnsignedLong(generation));
        live++;
    }

    void dead(long a, long b) {
        put(a, b, DEAD);
    }

    private void put(long a, long b, long value) {
        if (used >= table.length / SLOT / 4 * 3) {
            if (table.length >= SLOT * SLOTS_MAX) {
                throw new Failure(Errno.ENOMEM, "garbage collection can keep in mind " + used + " volumes and snapshots, and there are more");
            }
            grow();
        }
        int at = slot(a, b);
        used += table[at + 2] == UNKNOWN ? 1 : 0;
        table[at] = a;
        table[at + 1] = b;
        table[at + 2] = value;
    }

    private int slot(long a, long b) {
        int at = SLOT * (int) (((a ^ b) * 0x9E3779B97F4A7C15L >>> 32) & table.length / SLOT - 1);
        while (table[at + 2] != UNKNOWN && (table[at] != a || table[at + 1] != b)) {
            at = at + SLOT == table.length ? 0 : at + SLOT;
        }
        return at;
    }

    private void grow() {
        long[] old = table;
        table = new long[2 * old.length];
        for (int i = 0; i < old.length; i += SLOT) {
            if (old[i + 2] != UNKNOWN) {
                System.arraycopy(old, i, table, slot(old[i], old[i + 1]), SLOT);
            }
        }
    }
}
