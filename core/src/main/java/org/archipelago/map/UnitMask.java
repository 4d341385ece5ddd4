package org.archipelago.map;

/**
 * Which units of a block are valid: 4096 bytes each, {@value #UNITS} in a block of 4 MiB. Mutable; one
 * thread at a time.
 */
final class UnitMask {
    static final int UNITS = 1024;
    static final int WORDS = UNITS / 64;

    final long[] words;

    UnitMask() {
        this(new long[WORDS]);
    }

    private UnitMask(long[] words) {
        this.words = words;
    }

    boolean get(int unit) {
        return (words[unit >> 6] & 1L << unit) != 0;
    }

    void set(int first, int count) {
        for (int unit = first; unit < first + count; unit++) {
            words[unit >> 6] |= 1L << unit;
        }
    }

    boolean all(int first, int count) {
        return run(first, first + count) == first + count || count == 0;
    }

    boolean full() {
        for (long word : words) {
            if (word != -1L) {
                return false;
            }
        }
        return true;
    }

    /** The end of the run of valid units that begins at first; first itself when that is not valid. */
    private int run(int first, int end) {
        int unit = first;
        while (unit < end && get(unit)) {
            unit++;
        }
        return unit;
    }

    /** How many units from first on, before end, are like it. */
    int runLength(int first, int end) {
        boolean valid = get(first);
        int unit = first + 1;
        while (unit < end && get(unit) == valid) {
            unit++;
        }
        return unit - first;
    }

    int count() {
        int count = 0;
        for (long word : words) {
            count += Long.bitCount(word);
        }
        return count;
    }

    UnitMask copy() {
        return new UnitMask(words.clone());
    }
}
