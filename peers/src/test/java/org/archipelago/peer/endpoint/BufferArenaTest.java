package org.archipelago.peer.endpoint;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BufferArenaTest {
    private static final int PAGES = 1000;
    private static final int APART = 24;
    private final Memory memory = new Memory((long) PAGES * BufferArena.PAGE);
    private final BufferArena arena = new BufferArena(Pointer.nativeValue(memory), memory.size(), APART);

    private record Block(int page, int order) {}

    @Test
    void orderOf_roundsUpToABlock() {
        assertThat(BufferArena.orderOf(1)).isZero();
        assertThat(BufferArena.orderOf(4096)).isZero();
        assertThat(BufferArena.orderOf(4097)).isEqualTo(1);
        assertThat(BufferArena.orderOf(256 << 10)).isEqualTo(BufferArena.MAX_ORDER);
    }

    @Test
    void take_neverGivesAPageTwiceNorOneSetApart() {
        Random random = new Random(7);
        BitSet taken = new BitSet();
        taken.set(0, APART);
        List<Block> blocks = new ArrayList<>();
        for (int i = 0; i < 200_000; i++) {
            if (random.nextInt(100) < (i / 1000 % 2 == 0 ? 60 : 40)) {
                int order = random.nextInt(BufferArena.MAX_ORDER + 1);
                int page = arena.take(order);
                if (page >= 0) {
                    assertThat(taken.get(page, page + (1 << order)).isEmpty()).isTrue();
                    assertThat(page % (1 << order)).isZero();
                    assertThat(page + (1 << order)).isLessThanOrEqualTo(PAGES);
                    taken.set(page, page + (1 << order));
                    blocks.add(new Block(page, order));
                }
            } else if (!blocks.isEmpty()) {
                Block block = blocks.remove(random.nextInt(blocks.size()));
                taken.clear(block.page, block.page + (1 << block.order));
                arena.release(block.page, block.order);
            }
            assertThat(arena.freeBytes()).isEqualTo((long) (PAGES - taken.cardinality()) * BufferArena.PAGE);
        }
    }

    @Test
    void take_findsLargeBlocksAgainAfterSmallOnes() {
        for (int round = 0; round < 3; round++) {
            List<Integer> pages = new ArrayList<>();
            for (int page = arena.take(0); page >= 0; page = arena.take(0)) {
                pages.add(page);
            }
            assertThat(pages).hasSize(PAGES - APART);
            assertThat(arena.freeBytes()).isZero();
            pages.forEach(page -> arena.release(page, 0));
            List<Integer> large = new ArrayList<>();
            for (int page = arena.take(BufferArena.MAX_ORDER); page >= 0; page = arena.take(BufferArena.MAX_ORDER)) {
                large.add(page);
            }
            assertThat(large).hasSize(PAGES / 64 - 1); // the first such block holds the pages set apart
            large.forEach(page -> arena.release(page, BufferArena.MAX_ORDER));
        }
    }
}
