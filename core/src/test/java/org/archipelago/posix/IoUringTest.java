package org.archipelago.posix;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Against the kernel's own pread. */
@Timeout(60)
class IoUringTest {
    private static final int SIZE = 1 << 20;
    private static final int BLOCK = 4096;
    private static final int DEPTH = 32;

    @TempDir
    Path folder;

    private byte[] randomFile(Path file, long seed) throws IOException {
        byte[] bytes = new byte[SIZE];
        new SplittableRandom(seed).nextBytes(bytes);
        Files.write(file, bytes);
        return bytes;
    }

    @Test
    void readsOfAllKinds_giveWhatTheFileHolds() throws IOException {
        long seed = System.nanoTime();
        System.out.println("IoUringTest: seed " + seed);
        Path file = folder.resolve("f");
        byte[] bytes = randomFile(file, seed);
        SplittableRandom random = new SplittableRandom(seed);
        int fd = Posix.open(file.toString(), Posix.O_RDWR, 0);
        try (IoUring uring = IoUring.open(DEPTH).orElseThrow(); Memory memory = new Memory((long) DEPTH * BLOCK)) {
            int[] offsets = new int[DEPTH];
            boolean[] out = new boolean[DEPTH];
            int ended = 0;
            int begun = 0;
            while (ended < 5000) {
                for (int i = 0; i < DEPTH; i++) {
                    if (!out[i] && random.nextBoolean()) {
                        offsets[i] = random.nextInt(SIZE);
                        out[i] = true;
                        begun++;
                        assertThat(uring.read(fd, Pointer.nativeValue(memory) + (long) i * BLOCK, BLOCK, offsets[i], i)).isTrue();
                    }
                }
                assertThat(uring.submit()).isZero();
                assertThat(uring.hasQueued()).isFalse();
                ended += uring.reap((number, result) -> {
                    assertThat(out[number]).isTrue();
                    out[number] = false;
                    int due = Math.min(BLOCK, SIZE - offsets[number]);
                    assertThat(result).isEqualTo(due);
                    assertThat(memory.getByteArray((long) number * BLOCK, due))
                        .isEqualTo(Arrays.copyOfRange(bytes, offsets[number], offsets[number] + due));
                });
            }
            assertThat(begun - ended).isLessThanOrEqualTo(DEPTH);
        } finally {
            Posix.close(fd);
        }
    }

    @Test
    void fullQueueAndBadDescriptor_areTold() {
        try (IoUring uring = IoUring.open(2).orElseThrow(); Memory memory = new Memory(BLOCK)) {
            long address = Pointer.nativeValue(memory);
            assertThat(uring.read(-1, address, BLOCK, 0, 0)).isTrue();
            assertThat(uring.read(-1, address, BLOCK, 0, 1)).isTrue();
            assertThat(uring.read(-1, address, BLOCK, 0, 2)).isFalse();
            assertThat(uring.submit()).isZero();
            int[] bad = {0};
            while (bad[0] < 2) {
                uring.reap((number, result) -> bad[0] += result == -Errno.EBADF ? 1 : 100);
            }
            assertThat(bad[0]).isEqualTo(2);
        }
    }

    @Test
    void eventFd_becomesReadable() {
        try (IoUring uring = IoUring.open(2).orElseThrow(); Memory memory = new Memory(BLOCK)) {
            assertThat(Posix.read(uring.eventFd(), Pointer.nativeValue(memory), 8)).isNegative();
            uring.read(-1, Pointer.nativeValue(memory), BLOCK, 0, 0);
            uring.submit();
            assertThat(Posix.read(uring.eventFd(), Pointer.nativeValue(memory), 8)).isEqualTo(8);
        }
    }
}
