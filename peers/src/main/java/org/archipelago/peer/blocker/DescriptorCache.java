package org.archipelago.peer.blocker;

import java.util.function.Consumer;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;

/**
 * The open files of one reactor: a bounded hash table, from which the clock algorithm takes one that was
 * not used lately when room is needed. What is pinned stays. Finding allocates nothing. For the
 * reactor's thread alone.
 */
final class DescriptorCache {
    private final Descriptor[] table;
    private final Descriptor[] clock;
    private final int[] free;
    private int freeCount;
    private int hand;
    /** Pinned descriptors that are in the cache. */
    private int pinned;

    /** @param capacity files, at least 1 */
    DescriptorCache(int capacity) {
        table = new Descriptor[Integer.highestOneBit(capacity) * 4];
        clock = new Descriptor[capacity];
        free = new int[capacity];
        for (int i = 0; i < capacity; i++) {
            free[i] = capacity - 1 - i;
        }
        freeCount = capacity;
    }

    /** The file of a request's target, or null. */
    Descriptor find(Request request) {
        int hash = request.targetHash();
        for (Descriptor d = table[hash & table.length - 1]; d != null; d = d.chain) {
            if (d.hash == hash && request.targets(d.target)) {
                d.used = true;
                return d;
            }
        }
        return null;
    }

    Descriptor find(Target target) {
        int hash = target.hashCode();
        for (Descriptor d = table[hash & table.length - 1]; d != null; d = d.chain) {
            if (d.hash == hash && d.target.equals(target)) {
                return d;
            }
        }
        return null;
    }

    /** Whether {@link #add} would find a place. */
    boolean hasRoom() {
        return pinned < clock.length;
    }

    /**
     * Adds a file that is not in the cache, pinned once, where there is room.
     *
     * @return who had to give way, the caller's to close; or null
     */
    Descriptor add(Descriptor d) {
        Descriptor evicted = null;
        if (freeCount == 0) {
            evicted = victim();
            detach(evicted);
        }
        d.place = free[--freeCount];
        clock[d.place] = d;
        int bucket = d.hash & table.length - 1;
        d.chain = table[bucket];
        table[bucket] = d;
        d.pins = 1;
        pinned++;
        return evicted;
    }

    private Descriptor victim() {
        while (true) {
            Descriptor d = clock[hand];
            hand = hand + 1 == clock.length ? 0 : hand + 1;
            if (d.pins == 0) {
                if (!d.used) {
                    return d;
                }
                d.used = false;
            }
        }
    }

    void pin(Descriptor d) {
        if (d.pins++ == 0 && !d.detached) {
            pinned++;
        }
    }

    /** Whether it is to be closed now. */
    boolean unpin(Descriptor d) {
        if (--d.pins > 0) {
            return false;
        }
        if (!d.detached) {
            pinned--;
        }
        return d.detached;
    }

    /** Takes it out: the next request opens the object anew. The caller closes it, now or when it is unpinned. */
    void detach(Descriptor d) {
        int bucket = d.hash & table.length - 1;
        if (table[bucket] == d) {
            table[bucket] = d.chain;
        } else {
            Descriptor before = table[bucket];
            while (before.chain != d) {
                before = before.chain;
            }
            before.chain = d.chain;
        }
        d.chain = null;
        clock[d.place] = null;
        free[freeCount++] = d.place;
        d.detached = true;
        if (d.pins > 0) {
            pinned--;
        }
    }

    /** Shows every file that is in the cache. */
    void forEach(Consumer<Descriptor> consumer) {
        for (Descriptor d : clock) {
            if (d != null) {
                consumer.accept(d);
            }
        }
    }
}
