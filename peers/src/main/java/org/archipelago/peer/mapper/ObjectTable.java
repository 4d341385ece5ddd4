package org.archipelago.peer.mapper;

import java.util.Arrays;

/**
 * The objects of a store, or of a part of it: what each takes, and whose maps name it. {@value #PLACE_BYTES} bytes for each
 * place, of which at least a quarter is free; a store that has more objects than fit is looked at in passes, each of the objects
 * whose keys begin with certain bits.
 *
 * <pre>
 *   places[2i]    the object's key; 0: the place is free
 *   places[2i+1]  high half: its size in units of 512 bytes; low half, whose maps name it:
 *                   0        none
 *                   n &gt; 0    that of volume n-1 alone
 *                   n &lt; 0    several; -n-1 is the last that was told
 *                   OTHER    none, and it is not one of ours by its name
 * </pre>
 *
 * First all objects of a pass are added, then all maps tell what they name, one volume's after another's. One thread at a time.
 */
final class ObjectTable {
    static final int PLACE_BYTES = 16;

    private static final int PLACES_LEAST = 1 << 10;
    private static final int UNIT_SHIFT = 9;
    private static final int UNNAMED = 0;
    private static final int OTHER = Integer.MIN_VALUE;

    private final int placesMost;
    private long[] places;
    private int taken;
    /** The pass is of keys whose first so many bits are these. */
    private int bits;
    private long begin;

    /** @param placesMost how many it may have, a power of two */
    ObjectTable(int placesMost) {
        this.placesMost = placesMost;
        allocate(Math.min(PLACES_LEAST, placesMost));
    }

    /**
     * What objects there are.
     *
     * @param bytes of all
     * @param named of those that maps name, each once
     * @param garbage of ours that no map names
     */
    record Totals(long objects, long bytes, long named, long garbageObjects, long garbage) {
        static final Totals NONE = new Totals(0, 0, 0, 0, 0);

        Totals plus(Totals more) {
            return new Totals(objects + more.objects, bytes + more.bytes, named + more.named,
                garbageObjects + more.garbageObjects, garbage + more.garbage);
        }
    }

    private void allocate(int count) {
        places = new long[2 * count];
        taken = 0;
    }

    private int count() {
        return places.length / 2;
    }

    /** Goes on with the next pass, which has no objects yet; false: that was the last one. */
    boolean next() {
        begin++;
        if (begin == 1L << bits) {
            return false;
        }
        Arrays.fill(places, 0);
        taken = 0;
        return true;
    }

    /** An object that is of another pass is passed over. ours: by its name. */
    void add(long key, long bytes, boolean ours) {
        if (!isOfPass(key)) {
            return;
        }
        put(key, state(Math.min(Integer.MAX_VALUE, bytes >>> UNIT_SHIFT), ours ? UNNAMED : OTHER));
        while (taken > count() / 4 * 3) {
            if (count() < placesMost) {
                rebuild(2 * count());
            } else {
                bits++;
                begin *= 2;
                rebuild(count());
            }
        }
    }

    private static long state(long units, int namer) {
        return units << 32 | Integer.toUnsignedLong(namer);
    }

    private static long bytes(long state) {
        return state >>> 32 << UNIT_SHIFT;
    }

    private boolean isOfPass(long key) {
        return bits == 0 || key >>> -bits == begin;
    }

    /** Keeps what is of the pass. */
    private void rebuild(int count) {
        long[] old = places;
        allocate(count);
        for (int i = 0; i < old.length; i += 2) {
            if (old[i] != 0 && isOfPass(old[i])) {
                put(old[i], old[i + 1]);
            }
        }
    }

    private void put(long key, long state) {
        int at = find(key);
        if (places[at] == 0) {
            places[at] = notZero(key);
            taken++;
        }
        places[at + 1] = state;
    }

    /** Where an object is, or would be. */
    private int find(long key) {
        long wanted = notZero(key);
        int mask = places.length - 1;
        int at = 2 * (int) wanted & mask;
        while (places[at] != wanted && places[at] != 0) {
            at = at + 2 & mask;
        }
        return at;
    }

    private static long notZero(long key) {
        return key == 0 ? 1 : key;
    }

    /**
     * The map of a volume names an object; one that is not here counts nothing.
     *
     * @param used of each volume: bytes of all objects that it names, each once
     * @param exclusive of each volume: those of them that no other names, so far
     */
    void name(long key, int volume, long[] used, long[] exclusive) {
        int at = find(key);
        if (places[at] == 0) {
            return;
        }
        long state = places[at + 1];
        int before = (int) state;
        int namer = volume + 1;
        if (before == namer || before == -namer) {
            return;
        }
        long bytes = bytes(state);
        used[volume] += bytes;
        if (before == UNNAMED || before == OTHER) {
            exclusive[volume] += bytes;
        } else {
            if (before > 0) {
                exclusive[before - 1] -= bytes;
            }
            namer = -namer;
        }
        places[at + 1] = state(state >>> 32, namer);
    }

    /** Of this pass, after all maps have told. */
    Totals totals() {
        long bytes = 0;
        long named = 0;
        long garbageObjects = 0;
        long garbage = 0;
        for (int i = 0; i < places.length; i += 2) {
            if (places[i] != 0) {
                long size = bytes(places[i + 1]);
                int namer = (int) places[i + 1];
                bytes += size;
                if (namer == UNNAMED) {
                    garbageObjects++;
                    garbage += size;
                } else if (namer != OTHER) {
                    named += size;
                }
            }
        }
        return new Totals(taken, bytes, named, garbageObjects, garbage);
    }
}
