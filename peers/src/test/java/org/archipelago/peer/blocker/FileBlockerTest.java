package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Completion;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each operation, and each way in which it can be refused. */
final class FileBlockerTest {
    @TempDir
    Path directory;
    private TestNode node;

    @BeforeEach
    void start() {
        node = new TestNode(directory);
    }

    @AfterEach
    void stop() {
        node.close();
    }

    private static byte[] bytes(int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private static void assertFailure(Reply reply, int errno, String... parts) {
        assertThat(reply.status()).as(reply.message()).isEqualTo(errno);
        assertThat(reply.message()).contains(parts);
    }

    @Test
    void readsWhatWasWrittenAndZerosPastTheEnd() {
        assertThat(node.write("a", 10, bytes(100, 7)).serviced()).isEqualTo(100);
        for (int i = 0; i < 4; i++) { // a miss, then hits; on each reactor
            Reply reply = node.direct(i, TestNode.call(Op.READ, "a").range(5, 200));
            byte[] expected = new byte[200];
            Arrays.fill(expected, 5, 105, (byte) 7);
            assertThat(reply.status()).isZero();
            assertThat(reply.serviced()).isEqualTo(200);
            assertThat(reply.data()).isEqualTo(expected);
        }
        assertThat(node.read("a", 1L << 40, 10).data()).isEqualTo(new byte[10]);
        assertThat(node.read("a", 0, 0).status()).isZero();
    }

    @Test
    void whatIsAbsentIsToldSo() {
        assertThat(node.read("a", 0, 10).status()).isEqualTo(Errno.ENOENT);
        assertThat(node.send(TestNode.call(Op.WRITE, "a").data(bytes(1, 1)).range(0, 1)).status()).isEqualTo(Errno.ENOENT);
        assertThat(node.send(TestNode.call(Op.ZERO, "a").range(0, 1)).status()).isEqualTo(Errno.ENOENT);
        assertThat(node.send(Op.SYNC, "a").status()).isEqualTo(Errno.ENOENT);
        assertFailure(node.send(Op.INFO, "a"), Errno.ENOENT, "object a", directory.toString(), "does not exist");
        assertFailure(node.send(Op.DELETE, "a"), Errno.ENOENT, "cannot delete object a");
        assertFailure(node.sendJson(Op.RENAME, "a", "{\"to\":\"b\"}"), Errno.ENOENT, "cannot rename a to object b");
        assertThat(node.send(TestNode.call(Op.READ, "a").flags(Op.FRESH).range(0, 1)).status()).isEqualTo(Errno.ENOENT);
    }

    @Test
    void badRequestsAreRefused() {
        node.write("a", 0, bytes(1, 1));
        for (String name : List.of("../../etc/passwd", ".x", "a/b", "ä")) {
            for (int op : new int[] {Op.READ, Op.WRITE, Op.ZERO, Op.SYNC}) {
                assertThat(node.send(TestNode.call(op, name).flags(Op.CREATE_ABSENT)).status()).isEqualTo(Errno.EINVAL);
            }
            for (int op : new int[] {Op.INFO, Op.CREATE, Op.PUT, Op.DELETE, Op.RENAME, Op.LIST}) {
                assertFailure(node.send(op, name), Errno.EINVAL, "not a name of an object");
            }
            assertThat(node.send(TestNode.call(Op.READ, name).flags(Op.FRESH)).status()).isEqualTo(Errno.EINVAL);
        }
        long[][] ranges = {{-1, 1}, {0, -1}, {Long.MAX_VALUE, 1}, {0, Long.MAX_VALUE}, {0, TestNode.DATA + 1}};
        for (long[] range : ranges) {
            assertThat(node.direct(0, TestNode.call(Op.READ, "a").range(range[0], range[1])).status()).isEqualTo(Errno.EINVAL);
            assertThat(node.direct(0, TestNode.call(Op.WRITE, "a").range(range[0], range[1])).status()).isEqualTo(Errno.EINVAL);
        }
        assertFailure(node.direct(0, TestNode.call(Op.PUT, "a").range(0, TestNode.DATA + 1)), Errno.EINVAL, "its length is");
        assertFailure(node.send(TestNode.call(Op.RENAME, "a")), Errno.EINVAL, "\"to\"");
        assertFailure(node.sendJson(Op.RENAME, "a", "{\"to\":\"../b\"}"), Errno.EINVAL, "\"to\"");
        assertFailure(node.sendJson(Op.RENAME, "a", "nonsense"), Errno.EINVAL, "JSON");
        assertFailure(node.sendJson(Op.LIST, "a", "{\"after\":[]}"), Errno.EINVAL, "after");
        assertThat(node.send(Op.HASH, "a").status()).isEqualTo(Errno.EOPNOTSUPP);
        assertThat(node.send(999, "a").status()).isEqualTo(Errno.EOPNOTSUPP);
        assertThat(node.send(Op.PING, "a").status()).isZero();
        assertThat(node.read("a", 0, 1).data()).isEqualTo(bytes(1, 1));
    }

    @Test
    void dataOutsideTheSegmentIsRefused() throws Exception {
        CompletableFuture<Integer> status = new CompletableFuture<>();
        var reactor = node.host.reactors()[0];
        var pool = node.host.pool(reactor, "hostile", 1, 4096);
        reactor.execute(() -> node.host.submit(pool.take().op(Op.READ).target(Target.of("a"))
            .range(0, 4096).data(node.segment.base() + node.segment.size() - 4095, 4096)
            .onCompletion(done -> status.complete(done.status())), reactor, TestNode.PORT));
        assertThat(status.get()).isEqualTo(Errno.EINVAL);
        CompletableFuture<Integer> header = new CompletableFuture<>();
        var other = node.host.pool(reactor, "hostile2", 1, 4096);
        reactor.execute(() -> node.host.submit(other.take().op(Op.READ).target(Target.of("a"))
            .range(0, 4096).data(node.segment.base(), 4096)
            .onCompletion(done -> header.complete(done.status())), reactor, TestNode.PORT));
        assertThat(header.get()).isEqualTo(Errno.EINVAL);
    }

    @Test
    void zeroFreesAndKeepsTheSize() throws Exception {
        node.write("a", 0, bytes(100_000, 5));
        assertThat(node.send(TestNode.call(Op.ZERO, "a").flags(Op.DISCARD).range(4096, 1 << 30)).serviced()).isEqualTo(1 << 30);
        assertThat(node.read("a", 4000, 200).data()).isEqualTo(Arrays.copyOf(bytes(96, 5), 200));
        assertThat(node.send(Op.INFO, "a").message()).isEqualTo("{\"size\":100000}");
        assertThat(node.send(TestNode.call(Op.ZERO, "new").flags(Op.CREATE_ABSENT | Op.FUA).range(0, 8192)).status()).isZero();
        assertThat(node.send(Op.INFO, "new").message()).isEqualTo("{\"size\":0}");
        assertThat(node.send(TestNode.call(Op.ZERO, "a").range(0, 0)).status()).isZero();
    }

    @Test
    void zeroWhereHolesCannotBePunched() {
        node.store.io().neverPunch();
        node.write("a", 0, bytes(100_000, 5));
        assertThat(node.send(TestNode.call(Op.ZERO, "a").range(10, 1L << 40)).status()).isZero();
        assertThat(node.read("a", 0, 100_000).data()).isEqualTo(Arrays.copyOf(bytes(10, 5), 100_000));
        assertThat(node.send(Op.INFO, "a").message()).isEqualTo("{\"size\":100000}");
    }

    @Test
    void createPutDeleteRename() {
        assertThat(node.create("a", bytes(3, 1)).status()).isZero();
        assertFailure(node.create("a", bytes(3, 2)), Errno.EEXIST, "object a", "exists already");
        assertThat(node.read("a", 0, 3).data()).isEqualTo(bytes(3, 1));
        assertThat(node.put("a", bytes(2, 3)).status()).isZero();
        assertThat(node.read("a", 0, 3).data()).isEqualTo(new byte[] {3, 3, 0});
        assertThat(node.put("b", new byte[0]).status()).isZero();
        assertFailure(node.sendJson(Op.RENAME, "a", "{\"to\":\"b\"}"), Errno.EEXIST, "cannot rename a to object b");
        assertFailure(node.sendJson(Op.RENAME, "a", "{\"to\":\"a\"}"), Errno.EEXIST, "exists already");
        assertThat(node.sendJson(Op.RENAME, "a", "{\"to\":\"far-away-name\"}").status()).isZero();
        assertThat(node.read("a", 0, 3).status()).isEqualTo(Errno.ENOENT);
        assertThat(node.read("far-away-name", 0, 2).data()).isEqualTo(bytes(2, 3));
        assertThat(node.send(Op.DELETE, "far-away-name").status()).isZero();
        assertThat(node.read("far-away-name", 0, 2).status()).isEqualTo(Errno.ENOENT);
        assertThat(directory.resolve("tmp")).isEmptyDirectory();
    }

    @Test
    void everyReactorSeesWhatANameMeansNow() {
        for (int i = 0; i < 50; i++) {
            assertThat(node.direct(i, TestNode.call(Op.PUT, "a").data(bytes(10, i))).status()).isZero();
            for (int reactor = 0; reactor < 2; reactor++) {
                assertThat(node.direct(reactor, TestNode.call(Op.READ, "a").range(0, 10)).data()).isEqualTo(bytes(10, i));
            }
        }
        assertThat(node.direct(0, TestNode.call(Op.DELETE, "a")).status()).isZero();
        for (int reactor = 0; reactor < 2; reactor++) {
            assertThat(node.direct(reactor, TestNode.call(Op.READ, "a").range(0, 10)).status()).isEqualTo(Errno.ENOENT);
        }
    }

    @Test
    void listsByPrefixInByteOrder() {
        for (String name : List.of("b1", "a2", "a10", "a-", "A", "a1")) {
            node.create(name, new byte[0]);
        }
        assertThat(node.send(Op.LIST, "a").message()).isEqualTo("{\"names\":[\"a-\",\"a1\",\"a10\",\"a2\"],\"more\":false}");
        assertThat(node.sendJson(Op.LIST, "a", "{\"after\":\"a1\"}").message())
            .isEqualTo("{\"names\":[\"a10\",\"a2\"],\"more\":false}");
        assertThat(node.send(Op.LIST, "*").message())
            .isEqualTo("{\"names\":[\"A\",\"a-\",\"a1\",\"a10\",\"a2\",\"b1\"],\"more\":false}");
        assertThat(node.send(Op.LIST, "none").message()).isEqualTo("{\"names\":[],\"more\":false}");
    }

    @Test
    void listsFiveThousandNamesPageByPage() throws Exception {
        ObjectPath paths = new ObjectPath(directory);
        List<String> all = new ArrayList<>();
        for (int i = 0; i < 5000; i++) {
            String name = "%05d".formatted(i) + "x".repeat(i % 155);
            Files.createDirectories(Path.of(paths.object(name)).getParent());
            Files.createFile(Path.of(paths.object(name)));
            all.add(name);
        }
        List<String> told = new ArrayList<>();
        int pages = 0;
        boolean more = true;
        while (more) {
            String after = told.isEmpty() ? "" : told.get(told.size() - 1);
            Reply reply = node.sendJson(Op.LIST, "0", "{\"after\":\"" + after + "\"}");
            var answer = com.google.gson.JsonParser.parseString(reply.message()).getAsJsonObject();
            answer.getAsJsonArray("names").forEach(name -> told.add(name.getAsString()));
            more = answer.get("more").getAsBoolean();
            pages++;
        }
        assertThat(told).isEqualTo(all);
        assertThat(pages).isBetween(2, 4);
    }

    @Test
    void durableWritesAndSyncs() {
        assertThat(node.send(TestNode.call(Op.WRITE, "a").flags(Op.CREATE_ABSENT | Op.FUA).data(bytes(9, 1)).range(0, 9))
            .serviced()).isEqualTo(9);
        assertThat(node.send(TestNode.call(Op.WRITE, "a").flags(Op.FUA).data(bytes(9, 2)).range(9, 9)).serviced()).isEqualTo(9);
        List<CompletableFuture<Reply>> answers = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            answers.add(node.submit(i, TestNode.call(Op.SYNC, "a")));
        }
        answers.forEach(answer -> assertThat(TestNode.await(answer).status()).isZero());
        assertThat(node.send(Op.SYNC, "*").status()).isZero();
    }

    @Test
    void syncsWaitForTheStoresFirstSync(@TempDir Path other) throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        try (TestNode held = new TestNode(other, new TestNode.Settings().threads(2, 4).firstSync(() -> {
            try {
                release.await();
                return 0;
            } catch (InterruptedException e) {
                return Errno.EINTR;
            }
        }))) {
            List<CompletableFuture<Reply>> answers = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                assertThat(held.write("o" + i, 0, bytes(10, i)).status()).isZero();
                answers.add(held.submit(i, TestNode.call(Op.SYNC, "o" + i)));
            }
            answers.add(held.submit(0, TestNode.call(Op.SYNC, "*")));
            answers.add(held.submit(0, TestNode.call(Op.WRITE, "o1").flags(Op.FUA).data(bytes(10, 77)).range(0, 10)));
            Thread.sleep(50);
            assertThat(answers).noneMatch(CompletableFuture::isDone);
            assertThat(held.read("o3", 0, 10).data()).isEqualTo(bytes(10, 3)); // all else goes on
            release.countDown();
            answers.forEach(answer -> assertThat(TestNode.await(answer).status()).isZero());
            assertThat(held.read("o1", 0, 10).data()).isEqualTo(bytes(10, 77));
        }
    }

    @Test
    void aFirstSyncThatFailsFailsThemAll(@TempDir Path other) {
        try (TestNode failed = new TestNode(other, new TestNode.Settings().firstSync(() -> Errno.EIO))) {
            assertThat(failed.write("a", 0, bytes(10, 1)).status()).isZero();
            assertThat(failed.send(Op.SYNC, "a").status()).isEqualTo(Errno.EIO);
            assertThat(failed.send(Op.SYNC, "*").status()).isEqualTo(Errno.EIO);
            Reply fua = failed.send(TestNode.call(Op.WRITE, "a").flags(Op.FUA).data(bytes(10, 2)).range(0, 10));
            assertThat(fua.status()).isEqualTo(Errno.EIO);
            assertThat(fua.serviced()).isZero();
            assertThat(failed.read("a", 0, 10).data()).isEqualTo(bytes(10, 2));
        }
    }

    @Test
    void readsAndWritesOfOpenObjectsAllocateNothing() throws Exception {
        node.write("a", 0, bytes(200_000, 1));
        node.direct(0, TestNode.call(Op.READ, "a").range(0, 1));
        Reactor reactor = node.host.reactors()[0];
        RequestPool pool = node.host.pool(reactor, "allocation", 1, 8192);
        long allocated = -1;
        for (int i = 0; i < 100 && allocated < 0; i++) {
            CompletableFuture<Long> answer = new CompletableFuture<>();
            int requests = i == 0 ? 20_000 : 2000; // the first round is to warm up
            reactor.execute(() -> answer.complete(allocatedBy(reactor, pool, requests)));
            allocated = answer.get();
            if (allocated < 0) {
                Thread.sleep(50);
            }
        }
        assertThat(allocated).as("of 2000 requests, by the reactor").isBetween(0L, 1999L);
    }

    /** Bytes that hits allocate on the reactor, or -1 where one of them had to go to a worker. */
    private long allocatedBy(Reactor reactor, RequestPool pool, int requests) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        Target target = Target.of("a");
        Completion release = pool::release;
        long before = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
        for (int i = 0; i < requests; i++) {
            if (pool.isEmpty()) {
                return -1;
            }
            Request request = pool.take().onCompletion(release).op(i % 2 == 0 ? Op.READ : Op.WRITE).target(target)
                .range(100L * (i % 1000), i % 3 == 0 ? 8192 : 511);
            node.host.submit(request, reactor, TestNode.PORT);
        }
        long after = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
        return pool.isEmpty() || requests > 2000 ? -1 : after - before;
    }

    @Test
    void moreObjectsAtOnceThanDescriptors(@TempDir Path other) {
        try (TestNode small = new TestNode(other, new TestNode.Settings().threads(2, 4))) {
            for (int round = 0; round < 5; round++) {
                List<CompletableFuture<Reply>> answers = new ArrayList<>();
                for (int i = 0; i < 60; i++) {
                    answers.add(small.submit(i, TestNode.call(Op.WRITE, "o" + i).flags(Op.CREATE_ABSENT).data(bytes(10, i))
                        .range(0, 10)));
                }
                answers.forEach(answer -> assertThat(TestNode.await(answer).serviced()).isEqualTo(10));
                assertThat(TestNode.openFiles(other)).isLessThanOrEqualTo(4);
            }
            for (int i = 0; i < 60; i++) {
                assertThat(small.read("o" + i, 0, 10).data()).isEqualTo(bytes(10, i));
            }
        }
    }

    @Test
    void aStoreThatGoesAwayIsAnErrorAndNotAbsence() throws Exception {
        node.write("open", 0, bytes(10, 1));
        Path marker = directory.resolve("archipelago.store");
        byte[] contents = Files.readAllBytes(marker);
        Files.delete(marker);
        assertThat(node.read("absent", 0, 1).status()).isEqualTo(Errno.EIO);
        assertThat(node.write("absent", 0, bytes(1, 1)).status()).isEqualTo(Errno.EIO);
        assertThat(node.put("absent-too", bytes(1, 1)).status()).isEqualTo(Errno.EIO);
        assertFailure(node.send(Op.LIST, "*"), Errno.EIO, "has gone");
        Files.write(marker, new String(contents, StandardCharsets.UTF_8).replace("uuid\":\"", "uuid\":\"other-")
            .getBytes(StandardCharsets.UTF_8));
        assertThat(node.read("absent", 0, 1).status()).isEqualTo(Errno.EIO); // another store
        Files.write(marker, contents);
        assertThat(node.read("absent", 0, 1).status()).isEqualTo(Errno.ENOENT);
        Path away = directory.resolveSibling(directory.getFileName() + "-away");
        Files.move(directory, away);
        for (int op : new int[] {Op.READ, Op.WRITE, Op.ZERO, Op.SYNC, Op.INFO, Op.CREATE, Op.PUT, Op.DELETE, Op.LIST}) {
            assertThat(node.send(TestNode.call(op, "gone").flags(Op.CREATE_ABSENT)).status()).as(Op.name(op)).isEqualTo(Errno.EIO);
        }
        assertThat(node.sendJson(Op.RENAME, "gone", "{\"to\":\"b\"}").status()).isEqualTo(Errno.EIO);
        assertThat(directory).doesNotExist();
        Files.move(away, directory);
        assertThat(node.read("open", 0, 10).data()).isEqualTo(bytes(10, 1));
        assertThat(node.send(TestNode.call(Op.READ, "open").flags(Op.FRESH).range(0, 10)).data()).isEqualTo(bytes(10, 1));
    }
}
