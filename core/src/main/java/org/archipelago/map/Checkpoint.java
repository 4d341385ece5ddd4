package org.archipelago.map;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/**
 * A map as an immutable object. Little-endian; entries as runs, so that a volume's zeros cost nothing.
 *
 * <pre>
 *   object map-ID-GENERATION, and the same bytes once more in map-ID-GENERATION.2
 *    0  u64 magic "ARCMAP\0\0"    8  u32 version = 2      12  u32 blocks
 *   16  u32 layers               20  u32 partials         24  u32 runs        28  u32 generation
 *   32  u8 id[16] of the volume that made it
 *   48  layers    x { u32 kind; u32 epoch; u8 key[32] }
 *                    kind 1: objects of a volume, key = its id, 16 zeros;  2: of an image, key = its root;
 *                    kind 3: the original's, key = the id of the table of their names, 16 zeros
 *       partials  x { u32 layer; i32 below; u64 mask[16] }      below: as an entry; partials it names come first
 *       runs      x { u32 first; u32 count; i32 entry; u32 step }    block first+i has entry + i*step; step: 0 or -1
 *       u32 crc32c of everything before
 * </pre>
 *
 * Entries: 0 zero, n &gt; 0 layer n-1 whole, n &lt; 0 partial -n-1.
 */
public final class Checkpoint {
    private static final long MAGIC = 0x000050414D435241L;
    private static final int VERSION = 2;
    private static final int HEADER = 48;
    private static final int LAYER = 40;
    private static final int PARTIAL = 8 + 8 * UnitMask.WORDS;
    private static final int RUN = 16;

    private static final int OF_VOLUME = 1;
    private static final int OF_IMAGE = 2;
    private static final int FOREIGN = 3;
    private static final int ID = 16;
    private static final int KEY = 32;

    private Checkpoint() {}

    /** Where a checkpoint's layers have their tables; what is missing or damaged is told by an exception. */
    public interface Tables {
        ImageLayer image(String root);

        ForeignLayer foreign(String id);
    }

    /** The object of a volume's checkpoint. */
    public static String name(String id, int generation) {
        return "map-%s-%08x".formatted(id, generation);
    }

    /** The object that holds the same bytes once more. */
    public static String secondName(String checkpoint) {
        return checkpoint + ".2";
    }

    /** @param id of the volume whose checkpoint it is */
    public static byte[] encode(BlockMap map, String id, int generation) {
        return new Encoder(map).encode(id, generation);
    }

    /** Writes what the entries of a map name, and no more: numbers layers and partials anew. */
    private static final class Encoder {
        private final BlockMap map;
        /** New number plus one of each layer, 0 = not named; and the old number of each new one. */
        private final int[] layers;
        private final Numbers layersInOrder = new Numbers();
        /** New entry of each partial, 0 = not named; and the old entry of each new one, those below first. */
        private final int[] partials;
        private final Numbers partialsInOrder = new Numbers();
        /** first, count, entry, step of each. */
        private final Numbers runs = new Numbers();

        Encoder(BlockMap map) {
            this.map = map;
            this.layers = new int[map.layers().size()];
            this.partials = new int[map.partials()];
        }

        byte[] encode(String id, int generation) {
            for (int block = 0; block < map.blocks(); block++) {
                add(block, kept(map.entry(block)));
            }
            int length = HEADER + LAYER * layersInOrder.size + PARTIAL * partialsInOrder.size + 4 * runs.size + 4;
            ByteBuffer to = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
            to.putLong(MAGIC).putInt(VERSION).putInt(map.blocks());
            to.putInt(layersInOrder.size).putInt(partialsInOrder.size).putInt(runs.size / 4).putInt(generation);
            to.put(HexFormat.of().parseHex(id));
            for (int i = 0; i < layersInOrder.size; i++) {
                put(to, map.layerAt(layersInOrder.get(i)));
            }
            for (int i = 0; i < partialsInOrder.size; i++) {
                BlockMap.Partial partial = map.partial(partialsInOrder.get(i));
                to.putInt(layers[partial.layer] - 1).putInt(kept(partial.below));
                for (long word : partial.mask.words) {
                    to.putLong(word);
                }
            }
            for (int i = 0; i < runs.size; i++) {
                to.putInt(runs.get(i));
            }
            to.putInt(crc(to.array(), to.position()));
            return to.array();
        }

        private static void put(ByteBuffer to, Layer layer) {
            int end = to.position() + LAYER;
            if (layer instanceof VolumeLayer objects) {
                to.putInt(OF_VOLUME).putInt(objects.epoch()).put(HexFormat.of().parseHex(objects.id()));
            } else if (layer instanceof ImageLayer image) {
                to.putInt(OF_IMAGE).putInt(0).put(HexFormat.of().parseHex(image.root()));
            } else if (layer instanceof ForeignLayer foreign) {
                to.putInt(FOREIGN).putInt(0).put(HexFormat.of().parseHex(foreign.id()));
            }
            to.position(end);
        }

        private void add(int block, int entry) {
            int last = runs.size - 4;
            int step = entry < 0 ? -1 : 0;
            if (last >= 0 && runs.get(last) + runs.get(last + 1) == block && runs.get(last + 3) == step
                    && runs.get(last + 2) + runs.get(last + 1) * step == entry) {
                runs.set(last + 1, runs.get(last + 1) + 1);
            } else if (entry != BlockMap.ZERO) {
                runs.add(block);
                runs.add(1);
                runs.add(entry);
                runs.add(step);
            }
        }

        /** The entry by its new numbers. */
        private int kept(int entry) {
            if (entry == BlockMap.ZERO) {
                return entry;
            }
            if (entry > 0) {
                return BlockMap.whole(layer(entry - 1));
            }
            int index = -entry - 1;
            if (partials[index] == 0) {
                BlockMap.Partial partial = map.partial(entry);
                kept(partial.below);
                layer(partial.layer);
                partialsInOrder.add(entry);
                partials[index] = -partialsInOrder.size;
            }
            return partials[index];
        }

        private int layer(int old) {
            if (layers[old] == 0) {
                layersInOrder.add(old);
                layers[old] = layersInOrder.size;
            }
            return layers[old] - 1;
        }
    }

    /** A list of int. */
    private static final class Numbers {
        private int[] numbers = new int[64];
        int size;

        void add(int number) {
            if (size == numbers.length) {
                numbers = Arrays.copyOf(numbers, 2 * size);
            }
            numbers[size++] = number;
        }

        int get(int index) {
            return numbers[index];
        }

        void set(int index, int number) {
            numbers[index] = number;
        }
    }

    private static int crc(byte[] bytes, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, length);
        return (int) crc.getValue();
    }

    /**
     * Reads a checkpoint.
     *
     * @param volume whose map it shall be, for messages
     * @param object that the bytes are from
     * @param blocks that the map shall have: as many as the checkpoint's or more
     * @throws DamagedMapException naming what is wrong
     */
    public static BlockMap decode(String volume, String object, byte[] bytes, int blocks, Tables tables) {
        String what = "its checkpoint " + object;
        ByteBuffer from = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.length < HEADER + 4 || from.getLong() != MAGIC) {
            throw new DamagedMapException(volume, what + " is not one of Archipelago's, or is cut short");
        }
        int version = from.getInt();
        if (version != VERSION) {
            throw new DamagedMapException(volume, what + " has format version " + version + "; this Archipelago reads " + VERSION);
        }
        if (from.getInt(bytes.length - 4) != crc(bytes, bytes.length - 4)) {
            throw new DamagedMapException(volume, what + " has a wrong checksum");
        }
        try {
            return decodeChecked(object, from, blocks, tables);
        } catch (BufferUnderflowException | IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new DamagedMapException(volume, what + " contradicts itself (" + e.getMessage() + ")");
        }
    }

    private static BlockMap decodeChecked(String object, ByteBuffer from, int blocks, Tables tables) {
        int mapped = from.getInt();
        int layers = from.getInt();
        int partials = from.getInt();
        int runs = from.getInt();
        int generation = from.getInt();
        long length = HEADER + (long) LAYER * layers + (long) PARTIAL * partials + (long) RUN * runs + 4;
        check(mapped >= 0 && mapped <= blocks && layers >= 0 && partials >= 0 && runs >= 0 && length == from.capacity(), "lengths");
        check(name(hex(from, ID), generation).equals(object), "it is that of another volume or generation");
        BlockMap map = new BlockMap(blocks);
        for (int i = 0; i < layers; i++) {
            check(map.layer(layer(from, tables)) == i, "layer " + i + " is there twice");
        }
        int[] depths = new int[partials];
        BitSet used = new BitSet();
        for (int i = 0; i < partials; i++) {
            int layer = from.getInt();
            int below = from.getInt();
            UnitMask mask = new UnitMask();
            for (int word = 0; word < mask.words.length; word++) {
                mask.words[word] = from.getLong();
            }
            check(layer >= 0 && layer < layers && below <= layers && below >= -i, "partial " + i);
            use(used, below, "partial " + i);
            depths[i] = 1 + (below < 0 ? depths[-below - 1] : Math.min(below, 1));
            check(depths[i] <= BlockMap.MAX_DEPTH + 1, "partial " + i + " is too deep");
            map.add(new BlockMap.Partial(layer, mask, below));
        }
        for (int i = 0; i < runs; i++) {
            int first = from.getInt();
            int count = from.getInt();
            int entry = from.getInt();
            int step = from.getInt();
            long last = entry + (long) step * (count - 1);
            check(first >= 0 && count > 0 && first <= mapped - count && (step == 0 || step == -1)
                && entry <= layers && last >= -partials && (step == 0 || entry < 0), "run " + i);
            for (int block = first; block < first + count; block++) {
                int its = entry + step * (block - first);
                use(used, its, "block " + block);
                check(map.entry(block) == BlockMap.ZERO && map.exists(its, block), "block " + block);
                map.entry(block, its);
            }
        }
        return map;
    }

    /** A partial belongs to one block, at one place. */
    private static void use(BitSet used, int entry, String who) {
        if (entry < 0) {
            check(!used.get(-entry - 1), who + " has what another has");
            used.set(-entry - 1);
        }
    }

    private static Layer layer(ByteBuffer from, Tables tables) {
        int next = from.position() + LAYER;
        int kind = from.getInt();
        int epoch = from.getInt();
        Layer layer = switch (kind) {
            case OF_VOLUME -> new VolumeLayer(hex(from, ID), epoch);
            case OF_IMAGE -> tables.image(hex(from, KEY));
            case FOREIGN -> tables.foreign(hex(from, ID));
            default -> throw new IllegalArgumentException("a layer of kind " + kind);
        };
        from.position(next);
        return layer;
    }

    private static String hex(ByteBuffer from, int length) {
        byte[] bytes = new byte[length];
        from.get(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new IllegalArgumentException(what);
        }
    }
}
