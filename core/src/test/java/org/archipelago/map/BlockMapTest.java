package org.archipelago.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The map in memory, and its checkpoint, against the simplest model there is: a layer number for every unit. */
class BlockMapTest {
    private static final int BLOCKS = 40;
    private static final String ID = "00112233445566778899aabbccddeeff";

    private static final Checkpoint.Tables NO_TABLES = new Checkpoint.Tables() {
        @Override
        public ImageLayer image(String root) {
            throw new IllegalArgumentException("no image " + root);
        }

        @Override
        public ForeignLayer foreign(String id) {
            throw new IllegalArgumentException("no names " + id);
        }
    };

    private static BlockMap decode(byte[] bytes, int blocks) {
        return Checkpoint.decode("v", Checkpoint.name(ID, 7), bytes, blocks, NO_TABLES);
    }

    @Test
    void randomCommitsAndSnapshots_locateLikeTheModel() {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("BlockMapTest: -Darchipelago.seed=" + seed);
        Random random = new Random(seed);
        BlockMap map = new BlockMap(BLOCKS);
        int[][] model = new int[BLOCKS][BlockMap.UNITS];
        for (int epoch = 1; epoch <= 30; epoch++) {
            map.own(new VolumeLayer(ID, epoch));
            for (int i = 0; i < 60; i++) {
                commit(random, map, model, epoch);
            }
            if (epoch % 3 == 0) {
                map = decode(Checkpoint.encode(map, ID, 7), BLOCKS);
                map.own(new VolumeLayer(ID, epoch));
            }
            verify(map, model, "seed " + seed + " epoch " + epoch);
        }
    }

    private static void commit(Random random, BlockMap map, int[][] model, int epoch) {
        int block = random.nextInt(BLOCKS);
        int unit = random.nextInt(BlockMap.UNITS);
        int count = 1 + random.nextInt(random.nextBoolean() ? 4 : BlockMap.UNITS - unit);
        count = Math.min(count, BlockMap.UNITS - unit);
        if (map.isZeroBelow(block) || map.depth(block) >= BlockMap.MAX_DEPTH) { // as a write to it does
            unit = 0;
            count = BlockMap.UNITS;
        }
        map.commit(block, unit, count);
        assertThat(map.isOwn(block, unit, count)).isTrue();
        for (int i = unit; i < unit + count; i++) {
            model[block][i] = epoch;
        }
    }

    private static void verify(BlockMap map, int[][] model, String when) {
        for (int block = 0; block < BLOCKS; block++) {
            int of = block;
            int[] next = {0};
            boolean all = map.locate(block, 0, BlockMap.UNITS, (layer, unit, count) -> {
                assertThat(unit).isEqualTo(next[0]);
                int epoch = layer < 0 ? 0 : ((VolumeLayer) map.layerAt(layer)).epoch();
                for (int i = unit; i < unit + count; i++) {
                    assertThat(epoch).as("%s block %d unit %d", when, of, i).isEqualTo(model[of][i]);
                }
                next[0] += count;
                return true;
            });
            assertThat(all).isTrue();
            assertThat(next[0]).isEqualTo(BlockMap.UNITS);
        }
    }

    @Test
    void names_areTheFormattedOnes() {
        VolumeLayer layer = new VolumeLayer(ID, 0x1f);
        for (int block : new int[] {0, 1, 0xabcdef, 0x12345678, Integer.MAX_VALUE, -1}) {
            assertThat(written(layer, block)).isEqualTo(layer.object(block).toString());
        }
    }

    /** The name that a layer writes, over bytes that were there; what follows it up to a whole word is zeros. */
    static String written(Layer layer, int block) {
        ByteBuffer buffer = ByteBuffer.allocate(8 + Layer.NAME_ROOM).order(ByteOrder.LITTLE_ENDIAN);
        Arrays.fill(buffer.array(), (byte) 'x');
        int length = layer.writeName(buffer, 0, block);
        for (int i = length; i % 8 != 0; i++) {
            assertThat(buffer.get(i)).isZero();
        }
        return new String(buffer.array(), 0, length, StandardCharsets.US_ASCII);
    }

    @Test
    void blankMap_hasASmallCheckpoint() {
        assertThat(Checkpoint.encode(new BlockMap(4 << 20), ID, 7).length).isLessThan(4096);
    }

    @Test
    void aFlippedBit_isNoticed() {
        byte[] bytes = Checkpoint.encode(new BlockMap(BLOCKS), ID, 7);
        bytes[13] ^= 1;
        assertThatThrownBy(() -> decode(bytes, BLOCKS)).hasMessageContaining("checksum");
    }

    @Test
    void checkpointUnderAnothersName_isRefused() {
        byte[] bytes = Checkpoint.encode(new BlockMap(BLOCKS), ID, 8);
        assertThatThrownBy(() -> decode(bytes, BLOCKS)).hasMessageContaining("another volume or generation");
    }

    @Test
    void mapOverAnImageAndTheOriginalsObjects_comesBackFromItsCheckpoint() {
        byte[] table = new byte[Sha256.BYTES * 3];
        Arrays.fill(table, 0, Sha256.BYTES, (byte) 0xab);
        Arrays.fill(table, 2 * Sha256.BYTES, table.length, (byte) 0x12);
        ImageLayer image = ImageLayer.of(table);
        ForeignLayer foreign = new ForeignLayer(ID, new byte[][] {{}, "archip_vol_0000000000000001".getBytes(StandardCharsets.US_ASCII), {}});
        Checkpoint.Tables tables = new Checkpoint.Tables() {
            @Override
            public ImageLayer image(String root) {
                return ImageLayer.read(root, table.clone());
            }

            @Override
            public ForeignLayer foreign(String id) {
                return ForeignLayer.decode(id, foreign.encode());
            }
        };
        BlockMap map = new BlockMap(BLOCKS);
        map.base(image);
        map.base(foreign);
        map.own(new VolumeLayer(ID, 1));
        map.commit(0, 3, 2);
        map.commit(5, 0, BlockMap.UNITS);
        BlockMap again = Checkpoint.decode("v", Checkpoint.name(ID, 7), Checkpoint.encode(map, ID, 7), BLOCKS, tables);
        StringBuilder found = new StringBuilder();
        again.forEachNamed((layer, block) -> found.append(written(again.layerAt(layer), block)).append('\n'));
        assertThat(found.toString()).isEqualTo(ID + "-00000001-00000000\n" + "sha256-" + "ab".repeat(32) + "\n"
            + "archip_vol_0000000000000001\n" + "sha256-" + "12".repeat(32) + "\n" + ID + "-00000001-00000005\n");
        assertThat(image.root()).isEqualTo(again.layers().stream().filter(ImageLayer.class::isInstance)
            .map(layer -> ((ImageLayer) layer).root()).findFirst().orElseThrow());
    }

    @Test
    void entryThatItsLayerDoesNotHave_isRefused() {
        byte[] table = new byte[Sha256.BYTES];
        table[0] = 1;
        BlockMap map = new BlockMap(BLOCKS);
        map.base(ImageLayer.of(table));
        byte[] bytes = Checkpoint.encode(map, ID, 7);
        byte[] other = new byte[Sha256.BYTES];
        Checkpoint.Tables wrong = new Checkpoint.Tables() {
            @Override
            public ImageLayer image(String root) {
                return ImageLayer.of(other);
            }

            @Override
            public ForeignLayer foreign(String id) {
                return NO_TABLES.foreign(id);
            }
        };
        assertThatThrownBy(() -> Checkpoint.decode("v", Checkpoint.name(ID, 7), bytes, BLOCKS, wrong))
            .isInstanceOf(DamagedMapException.class).hasMessageContaining("block 0");
    }

    @Test
    void zeroedBlock_namesNothing() {
        BlockMap map = new BlockMap(BLOCKS);
        map.own(new VolumeLayer(ID, 1));
        map.commit(2, 0, BlockMap.UNITS);
        map.zero(2);
        map.forEachNamed((layer, block) -> {
            throw new AssertionError("block " + block);
        });
        assertThat(map.isZeroBelow(2)).isTrue();
    }

    @Test
    void mapOfATebibyte_isSmallAndDecodedSoon() {
        int blocks = 256 << 10;
        BlockMap map = new BlockMap(blocks);
        for (int epoch = 1; epoch <= 2; epoch++) { // no two neighbours in one layer: the longest that whole blocks can be
            map.own(new VolumeLayer(ID, epoch));
            for (int block = epoch - 1; block < blocks; block += 2) {
                map.commit(block, 0, BlockMap.UNITS);
            }
        }
        byte[] bytes = Checkpoint.encode(map, ID, 7);
        decode(bytes, blocks);
        long begin = System.nanoTime();
        BlockMap again = decode(bytes, blocks);
        System.out.printf("a map of 1 TiB: %d bytes, decoded in %.1f ms%n", bytes.length, (System.nanoTime() - begin) / 1e6);
        assertThat(bytes.length / blocks).isLessThanOrEqualTo(16);
        assertThat(again.usage().whole()).isEqualTo(blocks);
    }
}
