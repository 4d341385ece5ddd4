package org.archipelago.map;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Where each block of a volume lies: nowhere (zeros), in one layer as a whole, or in a stack of layers
 * of which the upper ones hold some 4 KiB units only. Holds 4 bytes for each block that is not in a
 * run of 1024 zero ones, and a mask for each block that is held in part.
 *
 * <pre>
 *   pages[b / 1024][b % 1024] =  0      zero
 *                                n > 0  layer n-1, whole
 *                                n < 0  partials[-n-1]:  layer, mask -> what is not in the mask: below
 * </pre>
 *
 * One thread at a time. The layer that the volume writes now is its own; all others never change.
 */
public final class BlockMap {
    public static final int UNIT_SHIFT = 12;
    public static final int UNIT = 1 << UNIT_SHIFT;
    public static final int BLOCK_SHIFT = VolumeHeader.BLOCK_SHIFT;
    public static final int UNITS = UnitMask.UNITS;
    /** Most layers that a block's stack may have before a write makes it whole. */
    public static final int MAX_DEPTH = 7;

    static final int ZERO = 0;
    private static final int PAGE = 1024;
    private static final int[] ZERO_PAGE = new int[PAGE];

    /** A layer that holds some units of a block; below: the entry for the others. */
    static final class Partial {
        final int layer;
        final UnitMask mask;
        final int below;

        Partial(int layer, UnitMask mask, int below) {
            this.layer = layer;
            this.mask = mask;
            this.below = below;
        }
    }

    private static final Partial NOTHING = new Partial(0, new UnitMask(), ZERO);

    /** Told of the parts of a range, in order. */
    public interface Parts {
        /** Returns false to stop. unit and count: 4 KiB units within the block; layer: -1 for zeros. */
        boolean part(int layer, int unit, int count);
    }

    private final List<Layer> layers = new ArrayList<>();
    private final Map<Layer, Integer> layerNumbers = new HashMap<>();
    private final List<Partial> partials = new ArrayList<>();
    /** Entries of partials that no block has any more. */
    private final List<Integer> unused = new ArrayList<>();
    private int[][] pages;
    private int blocks;
    private int own = -1;

    /** A map of zeros. */
    public BlockMap(int blocks) {
        this.blocks = blocks;
        this.pages = new int[pagesFor(blocks)][];
        Arrays.fill(pages, ZERO_PAGE);
    }

    private static int pagesFor(int blocks) {
        return (blocks + PAGE - 1) / PAGE;
    }

    public int blocks() {
        return blocks;
    }

    /** More blocks, zero ones. */
    public void grow(int newBlocks) {
        if (newBlocks < blocks) {
            throw new IllegalArgumentException("a map cannot shrink: blocks=" + blocks + " wanted=" + newBlocks);
        }
        int before = pages.length;
        pages = Arrays.copyOf(pages, pagesFor(newBlocks));
        Arrays.fill(pages, before, pages.length, ZERO_PAGE);
        blocks = newBlocks;
    }

    public List<Layer> layers() {
        return Collections.unmodifiableList(layers);
    }

    /** The layer that a part was found in. */
    public Layer layerAt(int number) {
        return layers.get(number);
    }

    int layer(Layer layer) {
        return layerNumbers.computeIfAbsent(layer, added -> {
            layers.add(added);
            return layers.size() - 1;
        });
    }

    /** From now on writes go to this layer. */
    public void own(Layer layer) {
        own = layer(layer);
    }

    /** The number of the layer that writes go to. */
    public int own() {
        return own;
    }

    int entry(int block) {
        return pages[block / PAGE][block % PAGE];
    }

    void entry(int block, int entry) {
        int page = block / PAGE;
        if (pages[page] == ZERO_PAGE) {
            if (entry == ZERO) {
                return;
            }
            pages[page] = new int[PAGE];
        }
        pages[page][block % PAGE] = entry;
    }

    Partial partial(int entry) {
        return partials.get(-entry - 1);
    }

    /** How many partials there are, unused ones among them. */
    int partials() {
        return partials.size();
    }

    /** Whether an entry's layers have objects for the block. */
    boolean exists(int entry, int block) {
        int at = entry;
        while (at < 0) {
            Partial partial = partial(at);
            if (!layers.get(partial.layer).has(block)) {
                return false;
            }
            at = partial.below;
        }
        return at == ZERO || layers.get(at - 1).has(block);
    }

    int add(Partial partial) {
        if (unused.isEmpty()) {
            partials.add(partial);
            return -partials.size();
        }
        int entry = unused.remove(unused.size() - 1);
        partials.set(-entry - 1, partial);
        return entry;
    }

    /** The entry of a block is another from now on; no other block has its partials. */
    private void replace(int block, int newEntry) {
        for (int old = entry(block); old < 0; ) {
            int below = partial(old).below;
            partials.set(-old - 1, NOTHING);
            unused.add(old);
            old = below;
        }
        entry(block, newEntry);
    }

    static int whole(int layer) {
        return layer + 1;
    }

    // --- reading

    /** Names the parts that units [unit, unit+count) of a block consist of. */
    public boolean locate(int block, int unit, int count, Parts parts) {
        return locateIn(entry(block), unit, count, parts);
    }

    private boolean locateIn(int entry, int unit, int count, Parts parts) {
        if (entry >= 0) {
            return parts.part(entry - 1, unit, count);
        }
        Partial partial = partial(entry);
        int end = unit + count;
        for (int at = unit; at < end; ) {
            int run = partial.mask.runLength(at, end);
            boolean more = partial.mask.get(at)
                ? parts.part(partial.layer, at, run)
                : locateIn(partial.below, at, run, parts);
            if (!more) {
                return false;
            }
            at += run;
        }
        return true;
    }

    /** Whether all of the units may be written in place, with nothing to commit. */
    public boolean isOwn(int block, int unit, int count) {
        int entry = entry(block);
        if (entry >= 0) {
            return entry == whole(own);
        }
        Partial partial = partial(entry);
        return partial.layer == own && partial.mask.all(unit, count);
    }

    /** Whether the own layer has an object for the block, with some of its units at least. */
    public boolean hasOwn(int block) {
        int entry = entry(block);
        return entry < 0 ? partial(entry).layer == own : entry == whole(own);
    }

    /**
     * Whether the rest of the block under the own layer is zeros, as an object that was never written
     * is: then a first write owns the whole block at once.
     */
    public boolean isZeroBelow(int block) {
        int entry = entry(block);
        return entry == ZERO || entry < 0 && partial(entry).layer == own && partial(entry).below == ZERO;
    }

    /** Layers that a read of the block may have to look into. */
    public int depth(int block) {
        int depth = 0;
        int entry = entry(block);
        while (entry < 0) {
            depth++;
            entry = partial(entry).below;
        }
        return depth + (entry == ZERO ? 0 : 1);
    }

    // --- writing

    /** The units are the own layer's from now on. */
    public void commit(int block, int unit, int count) {
        int entry = entry(block);
        if (entry == whole(own)) {
            return;
        }
        if (count == UNITS) {
            replace(block, whole(own));
            return;
        }
        Partial partial;
        if (entry < 0 && partial(entry).layer == own) {
            partial = partial(entry);
        } else {
            partial = new Partial(own, new UnitMask(), entry);
            entry(block, add(partial));
        }
        partial.mask.set(unit, count);
        if (partial.mask.full()) {
            replace(block, whole(own));
        }
    }

    /** The block reads as zeros, and lies nowhere. */
    public void zero(int block) {
        replace(block, ZERO);
    }

    /** All blocks that a layer has lie in it, whole: of a map that is zeros. */
    public void base(Layer layer) {
        int number = layer(layer);
        for (int block = 0; block < blocks; block++) {
            if (layer.has(block)) {
                entry(block, whole(number));
            }
        }
    }

    /** Told of an object that a map names. */
    public interface Named {
        void object(int layer, int block);
    }

    /** Names all objects that the map consists of, block after block; what upper layers have covered, too. */
    public void forEachNamed(Named named) {
        for (int block = 0; block < blocks; block++) {
            forEachNamed(block, named);
        }
    }

    /** The same for one block, the uppermost layer first. */
    public void forEachNamed(int block, Named named) {
        int entry = entry(block);
        while (entry < 0) {
            Partial partial = partial(entry);
            named.object(partial.layer, block);
            entry = partial.below;
        }
        if (entry != ZERO) {
            named.object(entry - 1, block);
        }
    }

    /** Whether the block lies nowhere, and reads as zeros. */
    public boolean isZero(int block) {
        return entry(block) == ZERO;
    }

    /** The layer that holds all of a block; empty where it is of zeros, or in parts. */
    public Optional<Layer> wholeLayer(int block) {
        int entry = entry(block);
        return entry > 0 ? Optional.of(layers.get(entry - 1)) : Optional.empty();
    }

    // --- for people

    /** How many blocks hold something, and how many of these in part. */
    public record Usage(int blocks, int zero, int whole, int partial, Map<Layer, Integer> byLayer) {}

    public Usage usage() {
        int[] tops = new int[layers.size()];
        int zero = 0;
        int wholes = 0;
        for (int block = 0; block < blocks; block++) {
            int entry = entry(block);
            if (entry == ZERO) {
                zero++;
            } else if (entry > 0) {
                wholes++;
                tops[entry - 1]++;
            } else {
                tops[partial(entry).layer]++;
            }
        }
        Map<Layer, Integer> byLayer = new HashMap<>();
        for (int i = 0; i < tops.length; i++) {
            if (tops[i] > 0) {
                byLayer.put(layers.get(i), tops[i]);
            }
        }
        return new Usage(blocks, zero, wholes, blocks - zero - wholes, byLayer);
    }

    /** The blocks of which the own layer holds something. */
    public List<Integer> ownBlocks() {
        List<Integer> held = new ArrayList<>();
        for (int block = 0; block < blocks; block++) {
            int entry = entry(block);
            if (entry > 0 ? entry == whole(own) : entry < 0 && partial(entry).layer == own) {
                held.add(block);
            }
        }
        return held;
    }
}
