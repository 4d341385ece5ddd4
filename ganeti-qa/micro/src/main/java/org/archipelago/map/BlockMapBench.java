package org.archipelago.map;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** Where a 4 KiB read of a clone goes: half of the blocks are its own in part, over those of what it was cloned from. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BlockMapBench {
    private static final int BLOCKS = 16 << 10; // 64 GiB

    private final BlockMap map = new BlockMap(BLOCKS);
    private final Random random = new Random(1);
    private long found;
    private final BlockMap.Parts parts = (layer, unit, count) -> {
        found += layer;
        return true;
    };
    private long next = 1;

    public BlockMapBench() {
        map.own(new VolumeLayer("00000000000000000000000000000001", 1));
        for (int block = 0; block < BLOCKS; block++) {
            map.commit(block, 0, BlockMap.UNITS);
        }
        map.own(new VolumeLayer("00000000000000000000000000000002", 1));
        for (int block = 0; block < BLOCKS; block += 2) {
            map.commit(block, random.nextInt(BlockMap.UNITS - 16), 16);
        }
    }

    @Benchmark
    public long locate() {
        next = next * 6364136223846793005L + 1442695040888963407L;
        map.locate((int) (next >>> 33) % BLOCKS, (int) (next >>> 20) & BlockMap.UNITS - 1, 1, parts);
        return found;
    }
}
