package org.archipelago.map;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * A map as an immutable object. Little-endian; entries as runs, so that a volume's zeros cost nothing.
 *
 * <pre>
 *    0  u64 magic "ARCMAP\0\0"    8  u32 version = 1      12  u32 blocks
 *   16  u32 layers               20  u32 partials         24  u32 runs        28  u32 reserved
 *   32  layers    x { u8 id[16]; u32 epoch; u32 reserved }
 *       partials  x { u32 layer; i32 below; u64 mask[16] }      below: as an entry; partials it names come first
 *       runs      x { u32 first; u32 count; i32 entry; u32 step }    block first+i has entry + i*step
 *       u32 crc32c of everything before
 * </pre>
 *
 * Entries: 0 zero, n &gt; 0 layer n-1 whole, n &lt; 0 partial -n-1.
 */
public final class Checkpoint {
    private static final long MAGIC = 0x000050414D435241L;
    private static final int VERSION = 1;
    private static final int HEADER = 32;
    private static final int LAYER = 24;
    private static final int PARTIAL = 8 + 8 * UnitMask.WORDS;
    private static final int RUN = 16;

    private Checkpoint() {}

    private record Run(int first, int count, int entry, int step) {}

    public static byte[] encode(BlockMap map) {
        return new Encoder(map).encode();
    }

    /** Writes what the entries of a map name, and no more: numbers layers and partials anew. */
    private static final class Encoder {
        private final BlockMap map;
        /** Old number of each layer, and of each partial, those below first, to its new one. */
        private final Map<Integer, Integer> layers = new LinkedHashMap<>();
        private final Map<Integer, Integer> partials = new LinkedHashMap<>();
        private final List<Run> runs = new ArrayList<>();

        Encoder(BlockMap map) {
            this.map = map;
        }

        byte[] encode() {
            for (int block = 0; block < map.blocks(); block++) {
                add(block, kept(map.entry(block)));
            }
            ByteBuffer to = ByteBuffer.allocate(HEADER + LAYER * layers.size() + PARTIAL * partials.size()
                + RUN * runs.size() + 4).order(ByteOrder.LITTLE_ENDIAN);
            to.putLong(MAGIC).putInt(VERSION).putInt(map.blocks());
            to.putInt(layers.size()).putInt(partials.size()).putInt(runs.size()).putInt(0);
            for (int number : layers.keySet()) {
                Layer layer = map.layers().get(number);
                to.put(HexFormat.of().parseHex(layer.id())).putInt(layer.epoch()).putInt(0);
            }
            for (int entry : partials.keySet()) {
                BlockMap.Partial partial = map.partial(entry);
                to.putInt(layers.get(partial.layer)).putInt(kept(partial.below));
                for (long word : partial.mask.words) {
                    to.putLong(word);
                }
            }
            for (Run run : runs) {
                to.putInt(run.first).putInt(run.count).putInt(run.entry).putInt(run.step);
            }
            to.putInt(crc(to.array(), to.position()));
            return to.array();
        }

        private void add(int block, int entry) {
            Run last = runs.isEmpty() ? new Run(-1, 0, 0, 0) : runs.get(runs.size() - 1);
            int step = entry < 0 ? -1 : 0;
            if (last.first + last.count == block && last.step == step && last.entry + last.count * step == entry) {
                runs.set(runs.size() - 1, new Run(last.first, last.count + 1, last.entry, step));
            } else if (entry != BlockMap.ZERO) {
                runs.add(new Run(block, 1, entry, step));
            }
        }

        /** The entry by its new numbers. */
        private int kept(int entry) {
            if (entry == BlockMap.ZERO) {
                return entry;
            }
            if (entry > 0) {
                return BlockMap.whole(layers.computeIfAbsent(entry - 1, old -> layers.size()));
            }
            BlockMap.Partial partial = map.partial(entry);
            kept(partial.below);
            layers.computeIfAbsent(partial.layer, old -> layers.size());
            return partials.computeIfAbsent(entry, old -> -partials.size() - 1);
        }
    }

    private static int crc(byte[] bytes, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, length);
        return (int) crc.getValue();
    }

    /**
     * @param blocks that the map shall have: as many as the checkpoint's or more
     * @throws DamagedMapException naming what is wrong
     */
    public static BlockMap decode(String volume, byte[] bytes, int blocks) {
        ByteBuffer from = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.length < HEADER + 4 || from.getLong() != MAGIC) {
            throw new DamagedMapException(volume, "its checkpoint is not one of Archipelago's, or is cut short");
        }
        int version = from.getInt();
        if (version != VERSION) {
            throw new DamagedMapException(volume, "its checkpoint has format version " + version
                + "; this Archipelago reads " + VERSION);
        }
        if (from.getInt(bytes.length - 4) != crc(bytes, bytes.length - 4)) {
            throw new DamagedMapException(volume, "its checkpoint's checksum is wrong");
        }
        try {
            return decodeChecked(volume, from, blocks);
        } catch (BufferUnderflowException | IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new DamagedMapException(volume, "its checkpoint contradicts itself (" + e.getMessage() + ")");
        }
    }

    private static BlockMap decodeChecked(String volume, ByteBuffer from, int blocks) {
        int mapped = from.getInt();
        int layers = from.getInt();
        int partials = from.getInt();
        int runs = from.getInt();
        from.getInt();
        long length = HEADER + (long) LAYER * layers + (long) PARTIAL * partials + (long) RUN * runs + 4;
        if (mapped < 0 || mapped > blocks || layers < 0 || partials < 0 || runs < 0 || length != from.capacity()) {
            throw new DamagedMapException(volume, "its checkpoint's lengths contradict each other");
        }
        BlockMap map = new BlockMap(blocks);
        byte[] id = new byte[16];
        for (int i = 0; i < layers; i++) {
            from.get(id);
            int epoch = from.getInt();
            from.getInt();
            if (map.layer(new Layer(HexFormat.of().formatHex(id), epoch)) != i) {
                throw new IllegalArgumentException("layer " + i + " is there twice");
            }
        }
        for (int i = 0; i < partials; i++) {
            int layer = from.getInt();
            int below = from.getInt();
            UnitMask mask = new UnitMask();
            for (int word = 0; word < mask.words.length; word++) {
                mask.words[word] = from.getLong();
            }
            check(layer >= 0 && layer < layers && below <= layers && below >= -i, "partial " + i);
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
            for (int block = 0; block < count; block++) {
                map.entry(first + block, entry + step * block);
            }
        }
        return map;
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new IllegalArgumentException(what);
        }
    }
}
