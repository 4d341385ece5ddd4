package org.archipelago.peer.mapper;

import org.archipelago.posix.Errno;

/**
 * One of 2^bits parts into which garbage collection divides all ids and hashes, where the marks of all together would take too much
 * memory: each part is marked and swept for itself.
 *
 * @param index from 0
 */
record Part(int bits, int index) {
    static final Part ALL = new Part(0, 0);
    private static final int BITS_MAX = 16;

    /** By the first 128 bits of an id or hash, which are random. */
    boolean has(long a, long b) {
        return bits == 0 || (int) ((a ^ b) >>> 64 - bits) == index;
    }

    int count() {
        return 1 << bits;
    }

    boolean isLast() {
        return index == count() - 1;
    }

    Part next() {
        return new Part(bits, index + 1);
    }

    /** The first half; the other is its next. */
    Part half() {
        if (bits == BITS_MAX) {
            throw new Failure(Errno.ENOMEM, "garbage collection has not enough memory for what one part of " + count() + " holds");
        }
        return new Part(bits + 1, 2 * index);
    }
}
