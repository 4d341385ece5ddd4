package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.fail;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A small file system of its own, which fills up and becomes read-only. */
final class FullStoreTest {
    @TempDir
    Path directory;
    private boolean mounted;

    @BeforeEach
    void mount() throws Exception {
        if (Posix.geteuid() != 0) {
            fail("this test mounts a tmpfs: run it as root");
        }
        run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory.toString());
        mounted = true;
    }

    @AfterEach
    void unmount() throws Exception {
        if (mounted) {
            run("umount", directory.toString());
        }
    }

    private static void run(String... command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(String.join(" ", command) + ": " + output).isZero();
    }

    @Test
    void aFullStoreSaysSoAndLosesNothing() {
        byte[] old = new byte[10_000];
        Arrays.fill(old, (byte) 3);
        byte[] piece = new byte[64 << 10];
        Arrays.fill(piece, (byte) 9);
        try (TestNode node = new TestNode(directory)) {
            assertThat(node.put("kept", old).status()).isZero();
            int status = 0;
            long size = 0;
            while (status == 0) {
                status = node.write("filler", size, piece).status();
                size += status == 0 ? piece.length : 0;
                assertThat(size).isLessThan(2 << 20);
            }
            assertThat(status).isEqualTo(Errno.ENOSPC);
            for (int i = 0; i < 3; i++) {
                var put = node.put("kept", piece);
                assertThat(put.status()).isEqualTo(Errno.ENOSPC);
                assertThat(put.message()).contains("kept", "no space left", "free space");
                assertThat(node.create("new", piece).status()).isEqualTo(Errno.ENOSPC);
                assertThat(node.send(TestNode.call(Op.WRITE, "filler").flags(Op.FUA).data(piece).range(size, piece.length))
                    .status()).isEqualTo(Errno.ENOSPC);
            }
            assertThat(directory.resolve("tmp")).isEmptyDirectory();
            assertThat(node.read("kept", 0, 10_000).data()).isEqualTo(old);
            assertThat(node.read("filler", 0, piece.length).data()).isEqualTo(piece);
        }
        try (TestNode again = new TestNode(directory)) { // a full store can still be read and emptied
            assertThat(again.read("kept", 0, 10_000).data()).isEqualTo(old);
            assertThat(again.send(Op.DELETE, "filler").status()).isZero();
            assertThat(again.put("kept", piece).status()).isZero();
            assertThat(again.read("kept", 0, piece.length).data()).isEqualTo(piece);
        }
    }

    /** Whose clock is the store's; where that does not tell its time, as without a free inode, none is taken for old. */
    @Test
    void oldTemporaries_areRemovedFromAFullStore_byItsOwnClock() throws Exception {
        new TestNode(directory).close();
        Path old = directory.resolve("tmp").resolve("dead-1");
        Files.write(old, new byte[8192]);
        Files.setLastModifiedTime(old, FileTime.from(Instant.now().minus(2, ChronoUnit.HOURS)));
        run("mount", "-o", "remount,nr_inodes=16", directory.toString());
        List<Path> files = new ArrayList<>();
        IOException full = catchThrowableOfType(() -> {
            while (files.size() < 16) {
                files.add(Files.createFile(directory.resolve("tmp").resolve("filler-" + files.size())));
            }
        }, IOException.class);
        assertThat(full).hasMessageContaining("No space left");
        new TestNode(directory).close();
        assertThat(old).exists();
        for (Path file : files) {
            Files.delete(file);
        }
        fill(directory.resolve("tmp").resolve("filler"));
        try (TestNode node = new TestNode(directory)) {
            long deadline = System.nanoTime() + 10_000_000_000L;
            while (Files.exists(old) && System.nanoTime() < deadline) {
                Thread.sleep(10);
            }
            assertThat(old).doesNotExist();
            assertThat(node.put("kept", new byte[100]).status()).isZero();
        }
    }

    private static void fill(Path file) throws IOException {
        try (OutputStream out = Files.newOutputStream(file)) {
            for (int i = 0; i < 1 << 16; i++) {
                out.write(new byte[4096]);
            }
            fail("it never gets full");
        } catch (IOException full) {
            assertThat(full).hasMessageContaining("No space left");
        }
    }

    @Test
    void aReadOnlyStore() throws Exception {
        try (TestNode node = new TestNode(directory)) {
            node.write("a", 0, new byte[] {1});
        }
        run("mount", "-o", "remount,ro", directory.toString());
        StoreException refused = catchThrowableOfType(() -> new TestNode(directory).close(), StoreException.class);
        assertThat(refused).hasMessageContaining(directory.toString()).hasMessageContaining("read-only");
        assertThat(refused.errno()).isEqualTo(Errno.EROFS);
    }

    @Test
    void aStoreThatBecomesReadOnlyCanStillBeRead() throws Exception {
        try (TestNode node = new TestNode(directory)) {
            node.write("a", 0, new byte[] {1});
        }
        try (TestNode node = new TestNode(directory)) {
            run("mount", "-o", "remount,ro", directory.toString());
            assertThat(node.read("a", 0, 1).data()).isEqualTo(new byte[] {1});
            for (int i = 0; i < 4; i++) {
                assertThat(node.direct(i, TestNode.call(Op.WRITE, "a").data(new byte[] {2}).range(0, 1)).status())
                    .isEqualTo(Errno.EROFS);
                assertThat(node.direct(i, TestNode.call(Op.ZERO, "a").range(0, 1)).status()).isEqualTo(Errno.EROFS);
            }
            assertThat(node.write("new", 0, new byte[] {1}).status()).isEqualTo(Errno.EROFS);
            var put = node.put("a", new byte[] {2});
            assertThat(put.status()).isEqualTo(Errno.EROFS);
            assertThat(put.message()).contains("make its file system writable");
            assertThat(node.send(Op.DELETE, "a").status()).isEqualTo(Errno.EROFS);
            assertThat(node.read("a", 0, 1).data()).isEqualTo(new byte[] {1});
            run("mount", "-o", "remount,rw", directory.toString());
            for (int i = 0; i < 4; i++) {
                assertThat(node.direct(i, TestNode.call(Op.WRITE, "a").data(new byte[] {3}).range(0, 1)).status()).isZero();
            }
        }
    }
}
