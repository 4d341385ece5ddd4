package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.ArrayList;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class StoreStartTest {
    @TempDir
    Path directory;

    private StoreException refused() {
        return catchThrowableOfType(() -> FileStore.open("blockerb", directory, 2, 16, false).close(), StoreException.class);
    }

    private static void assertSays(StoreException e, int errno, String... parts) {
        assertThat(e).isNotNull();
        assertThat(e.getMessage()).contains(parts);
        assertThat(e.errno()).isEqualTo(errno);
    }

    @Test
    void anEmptyDirectoryBecomesAStoreAndStaysThatOne() throws Exception {
        try (TestNode node = new TestNode(directory, new TestNode.Settings().firstSync(null))) {
            assertThat(node.create("a", new byte[1]).status()).isZero();
            assertThat(node.send(Op.SYNC, "a").status()).isZero(); // after a real syncfs
        }
        String marker = Files.readString(directory.resolve("archipelago.store"));
        assertThat(marker).matches("\\{\"format\":1,\"uuid\":\"[0-9a-f-]{36}\",\"created\":\"20[^\"]*Z\"}\n");
        try (TestNode node = new TestNode(directory)) {
            assertThat(node.read("a", 0, 1).status()).isZero();
        }
        assertThat(Files.readString(directory.resolve("archipelago.store"))).isEqualTo(marker);
    }

    @Test
    void aDirectoryThatDoesNotExist() {
        directory = directory.resolve("missing");
        assertSays(refused(), Errno.ENOENT, "blockerb", directory.toString(), "does not exist", "archip_dir");
    }

    @Test
    void aFileInsteadOfADirectory() throws Exception {
        directory = Files.createFile(directory.resolve("file"));
        assertSays(refused(), 20, directory.toString(), "no directory");
    }

    @Test
    void aDirectoryOfSomethingElse() throws Exception {
        Files.createFile(directory.resolve("letter.txt"));
        assertSays(refused(), Errno.EUCLEAN, directory.toString(), "letter.txt", "no marker");
        assertThat(directory.resolve("tmp")).doesNotExist();
    }

    @Test
    void objectsWhoseMarkerWasLost() throws Exception {
        try (TestNode node = new TestNode(directory)) {
            node.create("a", new byte[1]);
        }
        Files.delete(directory.resolve("archipelago.store"));
        assertSays(refused(), Errno.EUCLEAN, "no marker", "restore");
    }

    @Test
    void aFormatOfTheFuture() throws Exception {
        Files.writeString(directory.resolve("archipelago.store"), "{\"format\":2,\"uuid\":\"x\",\"created\":\"\"}");
        assertSays(refused(), Errno.EPROTO, directory.toString(), "format 2", "format 1");
    }

    @Test
    void aDamagedMarker() throws Exception {
        for (String contents : List.of("", "{", "[]", "{\"format\":1}", "{\"format\":[]}", "\0\0\0", "x".repeat(9000))) {
            Files.writeString(directory.resolve("archipelago.store"), contents);
            assertSays(refused(), Errno.EUCLEAN, directory.toString(), "damaged");
        }
    }

    @Test
    void oldTemporariesAreRemovedAndYoungOnesStay() throws Exception {
        FileStore.open("blockerb", directory, 2, 16, false).close();
        Path old = Files.createFile(directory.resolve("tmp/old"));
        Files.setLastModifiedTime(old, FileTime.fromMillis(System.currentTimeMillis() - 3_700_000));
        Path young = Files.createFile(directory.resolve("tmp/young"));
        Files.setLastModifiedTime(young, FileTime.fromMillis(System.currentTimeMillis() - 3_400_000));
        try (TestNode node = new TestNode(directory)) {
            for (int i = 0; i < 3000 && Files.exists(old); i++) {
                Thread.sleep(10);
            }
            assertThat(old).doesNotExist();
            assertThat(young).exists();
            assertThat(node.send(Op.PING, "a").status()).isZero();
        }
    }

    @Test
    void nodesThatStartAtOnceMakeOneStore() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            for (int round = 0; round < 10; round++) {
                Path fresh = Files.createDirectory(directory.resolve("store" + round));
                List<Callable<Integer>> starts = new ArrayList<>();
                for (int i = 0; i < 4; i++) {
                    starts.add(() -> {
                        FileStore.open("blockerb", fresh, 1, 16, false, () -> 0).close();
                        return 0;
                    });
                }
                for (Future<Integer> start : threads.invokeAll(starts)) {
                    assertThat(start.get()).isZero();
                }
            }
        } finally {
            threads.shutdownNow();
        }
    }
}
