package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
class WritePacingTest {
    private static final long WAIT_NANOS = 10_000_000_000L;

    @TempDir
    private Path directory;

    /** As /proc/vmstat, with writers waiting at 1500 pages. */
    private Path pages(long dirty, long writeback) throws IOException {
        return Files.writeString(directory.resolve("vmstat"), "nr_free_pages 1\nnr_dirty " + dirty + "\nnr_writeback " + writeback
            + "\nnr_writeback_temp 99999\nnr_dirty_threshold 2000\nnr_dirty_background_threshold 1000\nnr_dirtied 99999\n");
    }

    private boolean nearlyTooMany(long dirty, long writeback) throws IOException {
        return new DirtyPages(pages(dirty, writeback).toString()).nearlyTooMany();
    }

    @Test
    void dirtyPages_areTooManyBeforeWritersWait() throws IOException {
        assertThat(nearlyTooMany(0, 0)).isFalse();
        assertThat(nearlyTooMany(1000, 300)).isFalse();
        assertThat(nearlyTooMany(1000, 400)).isTrue();
        assertThat(nearlyTooMany(1400, 0)).isTrue();
        assertThat(new DirtyPages(directory.resolve("absent").toString()).nearlyTooMany()).isFalse();
        Files.writeString(directory.resolve("empty"), "");
        assertThat(new DirtyPages(directory.resolve("empty").toString()).nearlyTooMany()).isFalse();
    }

    @Test
    void thisKernel_tellsWhatIsNeeded() throws IOException {
        assertThat(Files.readString(Path.of("/proc/vmstat"))).contains("\nnr_dirty ", "\nnr_writeback ", "\nnr_dirty_threshold ",
            "\nnr_dirty_background_threshold ");
    }

    private static boolean becomes(WritePacing pacing, boolean expected) {
        long deadline = System.nanoTime() + WAIT_NANOS;
        while (System.nanoTime() < deadline) {
            if (pacing.mayWrite(4096) == expected) {
                return true;
            }
            LockSupport.parkNanos(1_000_000);
        }
        return false;
    }

    @Test
    void reactorStopsWritingWhileThereAreTooMany_andGoesOnAfterwards() throws IOException {
        try (WorkerPool pool = new WorkerPool("test", 1)) {
            WritePacing pacing = new WritePacing(pool, new DirtyPages(pages(1400, 0).toString()));
            assertThat(becomes(pacing, false)).isTrue();
            pages(0, 0);
            assertThat(becomes(pacing, true)).isTrue();
        }
    }

    @Test
    void writesThatWaited_areHandedOver_thoseThatLostTheCoreAreNot() throws IOException {
        try (WorkerPool pool = new WorkerPool("test", 1)) {
            WritePacing busy = new WritePacing(pool, new DirtyPages(pages(0, 0).toString()));
            WritePacing waiting = new WritePacing(pool, new DirtyPages(pages(0, 0).toString()));
            for (int i = 0; i < 3; i++) {
                assertThat(busy.mayWrite(1)).isTrue();
                for (long from = System.nanoTime(); System.nanoTime() - from < 5_000_000L; ) {
                    Thread.onSpinWait();
                }
                busy.wrote(1);
            }
            assertThat(busy.mayWrite(1)).isTrue();
            for (int i = 0; i < 2; i++) {
                assertThat(waiting.mayWrite(1)).isTrue();
                for (long from = System.nanoTime(); System.nanoTime() - from < 5_000_000L; ) {
                    LockSupport.parkNanos(5_000_000L);
                }
                waiting.wrote(1);
            }
            assertThat(waiting.mayWrite(1)).isFalse();
        }
    }
}
