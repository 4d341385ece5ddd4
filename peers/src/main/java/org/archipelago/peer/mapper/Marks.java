package org.archipelago.peer.mapper;

/**
 * Which objects some map names, in bounded memory: 32 bytes for up to 64 neighbouring blocks of a layer, in a hash table with open
 * addressing. Names that are no numbers are marked by 192 bits of their hash: should two ever agree, one object too much is kept.
 * One thread at a time.
 *
 * <pre>
 *   slot    u64 a, u64 b    the layer's id
 *           u64 c           epoch &lt;&lt; 32 | block / 64
 *           u64 bits        block % 64; 0: the slot is free
 * </pre>
 */
final class Marks {
    private static final int SLOT = 4;
    private static final int FIRST_SLOTS = 1 << 6;

    private final int slotsMax;
    private long[] table = new long[SLOT * FIRST_SLOTS];
    private int used;
    private long count;

    /** @param bytesMax of memory that it may take when it has grown; half as much again while it grows */
    Marks(long bytesMax) {
        this.slotsMax = Math.toIntExact(Math.max(FIRST_SLOTS, Long.highestOneBit(bytesMax / (SLOT * Long.BYTES))));
    }

    void clear() {
        table = new long[SLOT * FIRST_SLOTS];
        used = 0;
        count = 0;
    }

    /** How many there are. */
    long count() {
        return count;
    }

    /** False where there is no room. */
    boolean add(long a, long b, long c, int bit) {
        int at = find(a, b, c);
        if (table[at + 3] == 0) {
            if (used >= slots() / 4 * 3) {
                if (slots() >= slotsMax) {
                    return false;
                }
                grow();
                at = find(a, b, c);
            }
            table[at] = a;
            table[at + 1] = b;
            table[at + 2] = c;
            used++;
        }
        long before = table[at + 3];
        table[at + 3] |= 1L << bit;
        count += before == table[at + 3] ? 0 : 1;
        return true;
    }

    boolean has(long a, long b, long c, int bit) {
        return (table[find(a, b, c) + 3] & 1L << bit) != 0;
    }

    private int slots() {
        return table.length / SLOT;
    }

    /** Where it is, or would be. */
    private int find(long a, long b, long c) {
        int at = SLOT * (int) (mix(a, b, c) & slots() - 1);
        while (table[at + 3] != 0 && (table[at] != a || table[at + 1] != b || table[at + 2] != c)) {
            at = at + SLOT == table.length ? 0 : at + SLOT;
        }
        return at;
    }

    private void grow() {
        long[] old = table;
        table = new long[2 * old.length];
        for (int i = 0; i < old.length; i += SLOT) {
            if (old[i + 3] != 0) {
                System.arraycopy(old, i, table, find(old[i], old[i + 1], old[i + 2]), SLOT);
            }
        }
    }

    private static long mix(long a, long b, long c) {
        long mixed = (a ^ Long.rotateLeft(b, 21) ^ c * 0x9E3779B97F4A7C15L) * 0xBF58476D1CE4E5B9L;
        return mixed ^ mixed >>> 32;
    }
}
