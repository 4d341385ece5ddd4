package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Objects that have a size from the beginning, and reads that miss what was cut off. */
final class ExactReadTest {
    private static final int SIZE = 1 << 16;

    @TempDir
    Path directory;

    private Path file(String name) {
        return Path.of(new ObjectPath(directory).object(name));
    }

    private static Reply make(TestNode node, String name) {
        return node.send(TestNode.call(Op.WRITE, name).flags(Op.CREATE_ABSENT | Op.sized(16)).data(new byte[] {1}).range(9, 1));
    }

    private static Reply read(TestNode node, String name, int offset, int length) {
        return node.direct(0, TestNode.call(Op.READ, name).flags(Op.EXACT).range(offset, length));
    }

    private void cut(String name, long size) throws IOException {
        try (FileChannel channel = FileChannel.open(file(name), StandardOpenOption.WRITE)) {
            channel.truncate(size);
            channel.force(true);
        }
    }

    /** So that the next read waits for the disk. */
    private void forgetPages(String name) {
        int fd = FileCalls.open(file(name).toString(), Posix.O_RDONLY, 0);
        assertThat(FileCalls.posix_fadvise(fd, 0, 0, FileCalls.POSIX_FADV_DONTNEED)).isZero();
        FileCalls.close(fd);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cached", "uncached", "workers", "direct"})
    void aShortObjectIsAnErrorWhereverItIsReadFrom(String kind) throws IOException {
        try (TestNode node = new TestNode(directory, new TestNode.Settings().direct(kind.equals("direct")))) {
            if (kind.equals("workers")) {
                node.store.readsAlwaysWait();
            }
            for (int end : new int[] {SIZE - 1, SIZE - 4096, 5000, 4096, 1, 0}) {
                String name = "o" + end;
                assertThat(make(node, name).status()).isZero();
                assertThat(read(node, name, 0, SIZE).status()).isZero();
                cut(name, end);
                for (int offset : new int[] {0, 4096, 5, SIZE - 4096, SIZE - 1}) {
                    for (int length : new int[] {1, 4096, 8192, SIZE}) {
                        if (kind.equals("uncached")) {
                            forgetPages(name);
                        }
                        boolean isShort = offset + length > end;
                        assertThat(read(node, name, offset, length).status()).as("%s of %s: %s+%s", kind, end, offset, length)
                            .isEqualTo(isShort ? Errno.EIO : 0);
                        assertThat(node.direct(0, TestNode.call(Op.READ, name).range(offset, length)).status()).isZero();
                    }
                }
                assertThat(read(node, name, SIZE, 0).status()).isZero(); // nothing is missing of nothing
            }
        }
    }

    @Test
    void aShortObjectIsToldOnceInTheLog() throws IOException {
        List<String> lines = new ArrayList<>();
        Handler handler = new Handler() {
            @Override
            public void publish(LogRecord line) {
                synchronized (lines) {
                    lines.add(line.getMessage());
                }
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        Logger logger = Logger.getLogger(FileBlocker.class.getName());
        logger.addHandler(handler);
        try (TestNode node = new TestNode(directory)) {
            for (String name : new String[] {"short1", "short2"}) {
                make(node, name);
                cut(name, 10);
                for (int i = 0; i < 5; i++) {
                    assertThat(read(node, name, 0, 11).status()).isEqualTo(Errno.EIO);
                }
            }
        } finally {
            logger.removeHandler(handler);
        }
        synchronized (lines) {
            assertThat(lines).filteredOn(line -> line.contains("short1")).hasSize(1);
            assertThat(lines).filteredOn(line -> line.contains("short2")).hasSize(1);
        }
    }

    @Test
    void anObjectOfWhichAPowerCutLeftTheNameAlone_isMadeByTheNextWrite() throws IOException {
        try (TestNode node = new TestNode(directory)) {
            assertThat(make(node, "o").status()).isZero();
        }
        cut("o", 0);
        try (TestNode node = new TestNode(directory)) {
            assertThat(make(node, "o").status()).isZero();
            assertThat(read(node, "o", 0, SIZE).status()).isZero();
            assertThat(Files.size(file("o"))).isEqualTo(SIZE);
        }
        cut("o", 100); // that is damage
        try (TestNode node = new TestNode(directory)) {
            assertThat(make(node, "o").status()).isZero();
            assertThat(read(node, "o", 0, SIZE).status()).isEqualTo(Errno.EIO);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anObjectHasItsSizeBeforeAnybodyCanFindIt(boolean direct) throws IOException {
        TestNode.Settings settings = new TestNode.Settings().direct(direct);
        try (TestNode node = new TestNode(directory, settings); TestNode other = new TestNode(directory, settings)) {
            for (int i = 0; i < 200; i++) {
                String name = "o" + i;
                CompletableFuture<Reply> made = node.submit(0, TestNode.call(Op.WRITE, name)
                    .flags(Op.CREATE_ABSENT | Op.sized(16)).data(new byte[] {1}).range(9, 1));
                CompletableFuture<Reply> madeToo = other.submit(1, TestNode.call(Op.ZERO, name)
                    .flags(Op.CREATE_ABSENT | Op.sized(16)).range(100, 1));
                while (!made.isDone()) {
                    assertThat(read(other, name, 0, SIZE).status()).isIn(0, Errno.ENOENT);
                }
                assertThat(TestNode.await(made).status()).isZero();
                assertThat(TestNode.await(madeToo).status()).isZero();
                assertThat(read(node, name, 0, SIZE).data()[9]).isEqualTo((byte) 1); // both have the same file
                assertThat(read(other, name, 0, SIZE).data()[9]).isEqualTo((byte) 1);
                assertThat(Files.size(file(name))).isEqualTo(SIZE);
            }
        }
        assertThat(directory.resolve("tmp")).isEmptyDirectory();
    }

    @Test
    void oneThatExistsKeepsItsLength() throws IOException {
        try (TestNode node = new TestNode(directory)) {
            assertThat(node.write("there", 0, new byte[3]).status()).isZero();
            assertThat(make(node, "there").status()).isZero();
            assertThat(Files.size(file("there"))).isEqualTo(10);
        }
    }
}
