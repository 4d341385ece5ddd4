package org.archipelago.peer.mapper;

import java.util.Arrays;

/**
 * The objects of a store, or of a part of it: what each takes, and whose maps name it. {@value #PLACE_BYTES} bytes for each place,
 * of which at least a quarter is free; a store that has more objects than fit is looked at in passes, each of the objects whose keys
 * begin with certain bits.
 *
 * <pre>
 *   keys    the object's key, 0: the place is free
 *   sizes   units of 512 bytes
 *   namers  0        named by no map
 *           n &gt; 0    by that of volume n-1 alone
 *           n &lt; 0    by several; -n-1 is the last that was told
 *           OTHER    by none, and not one of ours by its name
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
    private long[] keys;
    private int[] sizes;
    private int[] namers;
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
            return new Totals(objects + more.objects, bytes + more.bytes, named + more.named, garbageObjects + more.garbageObjects,
                garbage + more.garbage);
        }
    }

    private void allocate(int places) {
        keys = new long[places];
        sizes = new int[places];
        namers = new int[places];
        taken = 0;
    }

    /** Goes on with the next pass, which has no objects yet; false: that was the last one. */
    boolean next() {
        begin++;
        if (begin == 1L << bits) {
            return false;
        }
        Arrays.fill(keys, 0);
        taken = 0;
        return true;
    }

    /** An object that is of another pass is passed over. ours: by its name. */
    void add(long key, long bytes, boolean ours) {
        if (!isOfPass(key)) {
            return;
        }
        put(key, (int) Math.min(Integer.MAX_VALUE, bytes >>> UNIT_SHIFT), ours ? UNNAMED : OTHER);
        while (taken > keys.length / 4 * 3) {
            if (keys.length < placesMost) {
                rebuild(2 * keys.length);
            } else {
                bits++;
                begin *= 2;
                rebuild(keys.length);
            }
        }
    }

    private boolean isOfPass(long key) {
        return bits == 0 || key >>> -bits == begin;
    }

    /** Keeps what is of the pass. */
    private void rebuild(int places) {
        long[] oldKeys = keys;
        int[] oldSizes = sizes;
        int[] oldNamers = namers;
        allocate(places);
        for (int i = 0; i < oldKeys.length; i++) {
            if (oldKeys[i] != 0 && isOfPass(oldKeys[i])) {
                put(oldKeys[i], oldSizes[i], oldNamers[i]);
            }
        }
    }

    private void put(long key, int size, int namer) {
        int place = place(key);
        if (keys[place] == 0) {
            keys[place] = notZero(key);
            taken++;
        }
        sizes[place] = size;
        namers[place] = namer;
    }

    /** Where an object is, or would be. */
    private int place(long key) {
        long wanted = notZero(key);
        int place = (int) wanted & keys.length - 1;
        while (keys[place] != wanted && keys[place] != 0) {
            place = place + 1 & keys.length - 1;
        }
        return place;
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
        int place = place(key);
        if (keys[place] == 0) {
            return;
        }
        int before = namers[place];
        int namer = volume + 1;
        if (before == namer || before == -namer) {
            return;
        }
        long bytes = (long) sizes[place] << UNIT_SHIFT;
        used[volume] += bytes;
        if (before == UNNAMED || before == OTHER) {
            exclusive[volume] += bytes;
            namers[place] = namer;
        } else {
            if (before > 0) {
                exclusive[before - 1] -= bytes;
            }
            namers[place] = -namer;
        }
    }

    /** Of this pass, after all maps have told. */
    Totals totals() {
        long bytes = 0;
        long named = 0;
        long garbageObjects = 0;
        long garbage = 0;
        for (int i = 0; i < keys.length; i++) {
            if (keys[i] != 0) {
                long size = (long) sizes[i] << UNIT_SHIFT;
                bytes += size;
                if (namers[i] == UNNAMED) {
                    garbageObjects++;
                    garbage += size;
                } else if (namers[i] != OTHER) {
                    named += size;
                }
            }
        }
        return new Totals(taken, bytes, named, garbageObjects, garbage);
    }
}
