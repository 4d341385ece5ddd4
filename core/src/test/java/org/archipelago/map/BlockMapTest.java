package org.archipelago.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** The map in memory, and its checkpoint, against the simplest model there is: a layer number for every unit. */
class BlockMapTest {
    private static final int BLOCKS = 40;
    private static final String ID = "00112233445566778899aabbccddeeff";

    @Test
    void randomCommitsAndSnapshots_locateLikeTheModel() {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("BlockMapTest: -Darchipelago.seed=" + seed);
        Random random = new Random(seed);
        BlockMap map = new BlockMap(BLOCKS);
        int[][] model = new int[BLOCKS][BlockMap.UNITS];
        for (int epoch = 1; epoch <= 30; epoch++) {
            map.own(new Layer(ID, epoch));
            for (int i = 0; i < 60; i++) {
                commit(random, map, model, epoch);
            }
            if (epoch % 3 == 0) {
                map = Checkpoint.decode("v", Checkpoint.encode(map), BLOCKS);
                map.own(new Layer(ID, epoch));
            }
            verify(map, model, "seed " + seed + " epoch " + epoch);
        }
    }

    private static void commit(Random random, BlockMap map, int[][] model, int epoch) {
        int block = random.nextInt(BLOCKS);
        int unit = random.nextInt(BlockMap.UNITS);
        int count = 1 + random.nextInt(random.nextBoolean() ? 4 : BlockMap.UNITS - unit);
        count = Math.min(count, BlockMap.UNITS - unit);
        if (map.isZeroBelow(block)) {
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
                int epoch = layer < 0 ? 0 : map.layers().get(layer).epoch();
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
        Layer layer = new Layer(ID, 0x1f);
        java.nio.ByteBuffer buffer = java.nio.ByteBuffer.allocate(64).order(java.nio.ByteOrder.LITTLE_ENDIAN);
        for (int block : new int[] {0, 1, 0xabcdef, 0x12345678, Integer.MAX_VALUE, -1}) {
            Layer.writeName(buffer, 0, layer.prefix(), block);
            String name = new String(buffer.array(), 0, Layer.NAME_LENGTH, java.nio.charset.StandardCharsets.US_ASCII);
            assertThat(name).isEqualTo(layer.object(block).toString());
        }
    }

    @Test
    void blankMap_hasASmallCheckpoint() {
        assertThat(Checkpoint.encode(new BlockMap(4 << 20)).length).isLessThan(4096);
    }

    @Test
    void mutatedCheckpoints_areRefusedOrHarmless() {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("BlockMapTest: -Darchipelago.seed=" + seed);
        Random random = new Random(seed);
        BlockMap map = new BlockMap(BLOCKS);
        int[][] model = new int[BLOCKS][BlockMap.UNITS];
        for (int epoch = 1; epoch <= 4; epoch++) {
            map.own(new Layer(ID, epoch));
            for (int i = 0; i < 30; i++) {
                commit(random, map, model, epoch);
            }
        }
        byte[] good = Checkpoint.encode(map);
        int refused = 0;
        for (int i = 0; i < 20_000; i++) {
            byte[] bad = good.clone();
            for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
                int at = random.nextInt(random.nextInt(4) == 0 ? bad.length - 4 : Math.min(200, bad.length - 4));
                bad[at] = (byte) random.nextInt();
            }
            MapLogTest.fixCrc(bad);
            try {
                BlockMap decoded = Checkpoint.decode("v", bad, BLOCKS);
                for (int block = 0; block < BLOCKS; block++) {
                    decoded.locate(block, 0, BlockMap.UNITS, (layer, unit, count) -> true);
                    decoded.depth(block);
                }
            } catch (DamagedMapException e) {
                refused++;
                assertThat(e).hasMessageContaining("volume v cannot be opened");
            }
        }
        assertThat(refused).isGreaterThan(1000);
    }

    @Test
    void aFlippedBit_isNoticed() {
        byte[] bytes = Checkpoint.encode(new BlockMap(BLOCKS));
        bytes[13] ^= 1;
        assertThatThrownBy(() -> Checkpoint.decode("v", bytes, BLOCKS)).hasMessageContaining("checksum");
    }
}
