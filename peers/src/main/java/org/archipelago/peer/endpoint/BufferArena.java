package org.archipelago.peer.endpoint;

import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Divides a run of memory into blocks of {@code PAGE << order} bytes: a buddy allocator whose books
 * lie outside the memory, with a few free blocks of each order kept whole, since what is freed is
 * asked for again at once. Nothing is allocated in the heap after construction. One thread.
 *
 * <pre>
 *   page   0   1   2   3   4   5   6   7        a block of order n begins at a multiple of 2^n pages;
 *        | 0 | 0 |   1   |       2       |      its buddy is at its page number with bit n turned over
 * </pre>
 *
 * The first pages can be set apart: they are part of {@link #bytes}, and never given out.
 */
final class BufferArena {
    static final int PAGE = 4096;
    /** The largest block: 256 KiB. */
    static final int MAX_ORDER = 6;
    static final int BLOCK_MAX = PAGE << MAX_ORDER;

    private static final int KEPT = 64;
    private static final int NONE = -1;
    private static final byte TAKEN = -1;

    private final long address;
    private final int pages;
    private final ByteBuffer bytes;
    private final byte[] freeOrder;
    private final int[] next;
    private final int[] previous;
    private final int[] heads = new int[MAX_ORDER + 1];
    private final int[][] kept = new int[MAX_ORDER + 1][KEPT];
    private final int[] keptCount = new int[MAX_ORDER + 1];
    private long freeBytes;

    /**
     * @param length rounded down to pages; below 2 GiB
     * @param apart pages that are set apart
     */
    BufferArena(long address, long length, int apart) {
        this.address = address;
        this.pages = Math.toIntExact(length / PAGE);
        this.bytes = new Pointer(address).getByteBuffer(0, (long) pages * PAGE).order(ByteOrder.BIG_ENDIAN);
        this.freeOrder = new byte[pages];
        this.next = new int[pages];
        this.previous = new int[pages];
        this.freeBytes = (long) (pages - apart) * PAGE;
        Arrays.fill(freeOrder, TAKEN);
        Arrays.fill(heads, NONE);
        for (int page = apart; page < pages; ) {
            int order = MAX_ORDER;
            while ((page & ((1 << order) - 1)) != 0 || page + (1 << order) > pages) {
                order--;
            }
            link(page, order);
            page += 1 << order;
        }
    }

    /** The smallest order whose blocks have room for that many bytes, at most {@link #BLOCK_MAX}. */
    static int orderOf(int length) {
        int order = 0;
        while (PAGE << order < length) {
            order++;
        }
        return order;
    }

    /** Takes a block; its first page, or -1 where no block of that order is free. */
    int take(int order) {
        if (keptCount[order] > 0) {
            freeBytes -= (long) PAGE << order;
            return kept[order][--keptCount[order]];
        }
        int page = split(order);
        if (page == NONE && mergeKept()) {
            page = split(order);
        }
        if (page != NONE) {
            freeBytes -= (long) PAGE << order;
        }
        return page;
    }

    void release(int page, int order) {
        freeBytes += (long) PAGE << order;
        if (keptCount[order] < KEPT) {
            kept[order][keptCount[order]++] = page;
        } else {
            merge(page, order);
        }
    }

    long freeBytes() {
        return freeBytes;
    }

    long address(int page) {
        return address + (long) page * PAGE;
    }

    /** All of the memory, big-endian; a page begins at its number times {@link #PAGE}. */
    ByteBuffer bytes() {
        return bytes;
    }

    private int split(int order) {
        int from = order;
        while (from <= MAX_ORDER && heads[from] == NONE) {
            from++;
        }
        if (from > MAX_ORDER) {
            return NONE;
        }
        int page = heads[from];
        unlink(page, from);
        while (from > order) {
            from--;
            link(page + (1 << from), from);
        }
        return page;
    }

    /** Gives up the blocks kept whole; false if there were none. */
    private boolean mergeKept() {
        boolean any = false;
        for (int order = 0; order <= MAX_ORDER; order++) {
            while (keptCount[order] > 0) {
                merge(kept[order][--keptCount[order]], order);
                any = true;
            }
        }
        return any;
    }

    private void merge(int page, int order) {
        while (order < MAX_ORDER) {
            int buddy = page ^ (1 << order);
            if (buddy + (1 << order) > pages || freeOrder[buddy] != order) {
                break;
            }
            unlink(buddy, order);
            page = Math.min(page, buddy);
            order++;
        }
        link(page, order);
    }

    private void link(int page, int order) {
        int head = heads[order];
        freeOrder[page] = (byte) order;
        next[page] = head;
        previous[page] = NONE;
        if (head != NONE) {
            previous[head] = page;
        }
        heads[order] = page;
    }

    private void unlink(int page, int order) {
        int before = previous[page];
        int after = next[page];
        if (before == NONE) {
            heads[order] = after;
        } else {
            next[before] = after;
        }
        if (after != NONE) {
            previous[after] = before;
        }
        freeOrder[page] = TAKEN;
    }
}
