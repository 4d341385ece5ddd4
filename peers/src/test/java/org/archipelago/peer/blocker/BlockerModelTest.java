package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random operations of several threads, each on objects of its own, against a map in memory. */
final class BlockerModelTest {
    private static final int THREADS = 4;
    private static final int OBJECTS = 12;
    private static final int OPERATIONS = 400;
    private static final int MOST = 40_000;

    @TempDir
    Path directory;

    /** One thread's objects, as they must be. */
    private static final class Model {
        final TestNode node;
        final Random random;
        final String prefix;
        final TreeMap<String, byte[]> objects = new TreeMap<>();

        Model(TestNode node, int thread, long seed) {
            this.node = node;
            this.random = new Random(seed + thread);
            this.prefix = "v" + thread + "_";
        }

        String name() {
            return prefix + random.nextInt(OBJECTS) + "-" + random.nextInt(2) + "00";
        }

        byte[] bytes(int most) {
            byte[] bytes = new byte[random.nextInt(most)];
            random.nextBytes(bytes);
            return bytes;
        }

        /** Offsets and lengths that are aligned, or nearly. */
        int place() {
            return Math.max(0, random.nextInt(12) * 4096 + (random.nextBoolean() ? 0 : random.nextInt(1000) - 500));
        }

        Reply send(Call call) {
            return random.nextInt(3) == 0 ? node.send(call) : node.direct(random.nextInt(2), call);
        }

        void step() {
            String name = name();
            byte[] old = objects.get(name);
            int absent = old == null ? Errno.ENOENT : 0;
            switch (random.nextInt(15)) {
                case 0, 1, 2 -> {
                    int offset = place();
                    int length = place();
                    int flags = (random.nextInt(5) == 0 ? Op.FRESH : 0) | (random.nextBoolean() ? Op.EXACT : 0);
                    Reply reply = send(TestNode.call(Op.READ, name).flags(flags).range(offset, length));
                    boolean isShort = old != null && length > 0 && offset + length > old.length && (flags & Op.EXACT) != 0;
                    assertThat(reply.status()).isEqualTo(isShort ? Errno.EIO : absent);
                    if (old != null && !isShort) {
                        assertThat(reply.data()).isEqualTo(range(old, offset, length));
                    }
                }
                case 3, 4, 5, 6 -> {
                    byte[] data = random.nextBoolean() ? bytes(MOST) : new byte[4096 * random.nextInt(5)];
                    int offset = place();
                    int log2 = isEmpty(old) ? 0 : madeSize();
                    int flags = (random.nextInt(3) > 0 ? Op.CREATE_ABSENT : 0) | (random.nextInt(8) == 0 ? Op.FUA : 0) | Op.sized(log2);
                    Reply reply = send(TestNode.call(Op.WRITE, name).flags(flags).data(data).range(offset, data.length));
                    if (old == null && (flags & Op.CREATE_ABSENT) == 0) {
                        assertThat(reply.status()).isEqualTo(Errno.ENOENT);
                    } else {
                        assertThat(reply.status()).isZero();
                        assertThat(reply.serviced()).isEqualTo(data.length);
                        byte[] before = old == null ? made(log2) : old;
                        byte[] after = data.length == 0 ? before : Arrays.copyOf(before, Math.max(before.length, offset + data.length));
                        System.arraycopy(data, 0, after, data.length == 0 ? 0 : offset, data.length);
                        objects.put(name, after);
                    }
                }
                case 7 -> {
                    int offset = place();
                    int length = place();
                    int log2 = isEmpty(old) ? 0 : madeSize();
                    boolean makes = random.nextInt(4) == 0;
                    int flags = (makes ? Op.CREATE_ABSENT : 0) | Op.sized(log2);
                    Reply reply = send(TestNode.call(Op.ZERO, name).flags(flags).range(offset, length));
                    assertThat(reply.status()).isEqualTo(makes ? 0 : absent);
                    if (old == null && makes) {
                        objects.put(name, made(log2));
                    } else if (old != null && offset < old.length) {
                        Arrays.fill(old, offset, Math.min(old.length, offset + length), (byte) 0);
                    }
                }
                case 8 -> assertThat(send(TestNode.call(Op.SYNC, name)).status()).isEqualTo(absent);
                case 9 -> {
                    Reply reply = send(TestNode.call(Op.INFO, name));
                    assertThat(reply.status()).isEqualTo(absent);
                    if (old != null) {
                        assertThat(reply.message()).isEqualTo("{\"size\":" + old.length + "}");
                    }
                }
                case 10 -> {
                    byte[] data = bytes(MOST);
                    boolean put = random.nextBoolean();
                    Reply reply = send(TestNode.call(put ? Op.PUT : Op.CREATE, name).data(data));
                    assertThat(reply.status()).isEqualTo(put || old == null ? 0 : Errno.EEXIST);
                    if (reply.status() == 0) {
                        objects.put(name, data);
                    }
                }
                case 11 -> {
                    int flags = random.nextBoolean() ? Op.LAZY : 0;
                    assertThat(send(TestNode.call(Op.DELETE, name).flags(flags)).status()).isEqualTo(absent);
                    objects.remove(name);
                }
                case 12 -> {
                    String to = name();
                    Reply reply = send(TestNode.call(Op.RENAME, name)
                        .data(("{\"to\":\"" + to + "\"}").getBytes(StandardCharsets.UTF_8)));
                    if (old == null) {
                        assertThat(reply.status()).isEqualTo(Errno.ENOENT);
                    } else if (objects.containsKey(to)) {
                        assertThat(reply.status()).isEqualTo(Errno.EEXIST);
                    } else {
                        assertThat(reply.status()).isZero();
                        objects.put(to, objects.remove(name));
                    }
                }
                case 13 -> {
                    boolean sizes = random.nextBoolean();
                    assertThat(ScanTest.scan(this::send, prefix, sizes).keySet()).isEqualTo(objects.keySet());
                }
                default -> {
                    JsonObject answer = JsonParser.parseString(send(TestNode.call(Op.LIST, prefix)).message()).getAsJsonObject();
                    List<String> names = new ArrayList<>();
                    answer.getAsJsonArray("names").forEach(element -> names.add(element.getAsString()));
                    assertThat(names).isEqualTo(new ArrayList<>(objects.keySet()));
                }
            }
        }

        /** One without contents may be what a power cut left of one with a size, and then gets that when it is opened: ExactReadTest. */
        private boolean isEmpty(byte[] object) {
            return object != null && object.length == 0;
        }

        /** As a power of two; 0: none. */
        int madeSize() {
            return random.nextBoolean() ? 0 : 12 + random.nextInt(5);
        }

        static byte[] made(int log2) {
            return new byte[log2 == 0 ? 0 : 1 << log2];
        }

        static byte[] range(byte[] object, int offset, int length) {
            byte[] wanted = new byte[length];
            if (offset < object.length) {
                System.arraycopy(object, offset, wanted, 0, Math.min(length, object.length - offset));
            }
            return wanted;
        }

        void checkAll(TestNode with) {
            objects.forEach((name, contents) ->
                assertThat(with.read(name, 0, contents.length + 10).data()).isEqualTo(Arrays.copyOf(contents, contents.length + 10)));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"buffered", "workers", "throttled", "direct", "no holes"})
    void behavesAsTheMap(String kind) throws Exception {
        long seed = System.nanoTime();
        System.out.println("BlockerModelTest: " + kind + ", seed " + seed);
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        List<Model> models = new ArrayList<>();
        TestNode.Settings settings = new TestNode.Settings().direct(kind.equals("direct"));
        try (TestNode node = new TestNode(directory, settings)) {
            if (kind.equals("workers")) {
                node.store.readsAlwaysWait();
            } else if (kind.equals("no holes")) {
                node.store.io().neverPunch();
            }
            List<Callable<Integer>> work = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                Model model = new Model(node, i, seed);
                models.add(model);
                work.add(() -> {
                    for (int j = 0; j < OPERATIONS; j++) {
                        if (kind.equals("throttled") && j % 50 == 0) {
                            node.store.dirtyPages().pretend(j % 100 == 0);
                        }
                        model.step();
                    }
                    return 0;
                });
            }
            for (Future<Integer> done : threads.invokeAll(work)) {
                assertThat(done.get()).isZero();
            }
            models.forEach(model -> model.checkAll(node));
        } finally {
            threads.shutdownNow();
        }
        assertThat(TestNode.openFiles(directory)).isZero();
        assertThat(directory.resolve("tmp")).isEmptyDirectory();
        try (TestNode again = new TestNode(directory)) {
            models.forEach(model -> model.checkAll(again));
        }
    }

    /** Many requests in flight on the same objects, each on a block of its own. */
    @ParameterizedTest
    @ValueSource(strings = {"buffered", "direct"})
    void requestsInFlightDoNotDisturbEachOther(String kind) {
        long seed = System.nanoTime();
        System.out.println("BlockerModelTest: in flight, " + kind + ", seed " + seed);
        Random random = new Random(seed);
        int block = 1000; // so that direct I/O shares its blocks
        int blocks = 20;
        byte[][][] contents = new byte[8][blocks][];
        try (TestNode node = new TestNode(directory, new TestNode.Settings().threads(4, 8).direct(kind.equals("direct")))) {
            for (int round = 0; round < 20; round++) {
                List<CompletableFuture<Reply>> answers = new ArrayList<>();
                boolean[][] taken = new boolean[8][blocks];
                for (int i = 0; i < 60; i++) {
                    int object = random.nextInt(8);
                    int at = random.nextInt(blocks);
                    if (!taken[object][at]) {
                        taken[object][at] = true;
                        byte[] bytes = new byte[block];
                        random.nextBytes(bytes);
                        contents[object][at] = bytes;
                        int flags = Op.CREATE_ABSENT | (random.nextInt(10) == 0 ? Op.FUA : 0);
                        answers.add(node.submit(random.nextInt(2), TestNode.call(Op.WRITE, "object" + object).flags(flags)
                            .data(bytes).range((long) at * block, block)));
                    }
                    if (random.nextInt(10) == 0) {
                        answers.add(node.submit(random.nextInt(2), TestNode.call(Op.SYNC, "object0")));
                    }
                }
                answers.forEach(answer -> assertThat(TestNode.await(answer).status()).isIn(0, Errno.ENOENT));
                for (int object = 0; object < 8; object++) {
                    for (int at = 0; at < blocks; at++) {
                        if (contents[object][at] != null) {
                            assertThat(node.direct(at, TestNode.call(Op.READ, "object" + object).range((long) at * block, block))
                                .data()).isEqualTo(contents[object][at]);
                        }
                    }
                }
            }
        }
    }
}
