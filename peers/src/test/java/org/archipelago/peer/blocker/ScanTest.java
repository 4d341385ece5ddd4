package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Walks through a store. */
final class ScanTest {
    @TempDir
    Path directory;

    /** All that a walk tells; a name that comes twice is an error. Sizes are zeros where they are not asked for. */
    static Map<String, Long> scan(Function<Call, Reply> send, String prefix, boolean sizes) {
        Map<String, Long> told = new TreeMap<>();
        String cursor = "";
        do {
            JsonObject argument = new JsonObject();
            argument.addProperty("cursor", cursor);
            argument.addProperty("sizes", sizes);
            Reply reply = send.apply(TestNode.call(Op.SCAN, prefix).data(argument.toString().getBytes(StandardCharsets.UTF_8)));
            assertThat(reply.status()).as(reply.message()).isZero();
            JsonObject answer = JsonParser.parseString(reply.message()).getAsJsonObject();
            JsonArray names = answer.getAsJsonArray("names");
            for (int i = 0; i < names.size(); i++) {
                long size = sizes ? answer.getAsJsonArray("sizes").get(i).getAsLong() : 0;
                assertThat(told.put(names.get(i).getAsString(), size)).isNull();
            }
            cursor = answer.get("cursor").getAsString();
        } while (!cursor.isEmpty());
        return told;
    }

    /** Names of like hashes, so that buckets are larger than pages. */
    private static String name(String prefix, int number) {
        return prefix + number / 100 + "x".repeat(number / 100 % 120) + "-" + "%02d".formatted(number % 100);
    }

    @Test
    void whatIsThereThroughoutIsToldOnceWhileOthersComeAndGo() throws Exception {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("ScanTest: seed " + seed);
        AtomicBoolean ends = new AtomicBoolean();
        ExecutorService threads = Executors.newFixedThreadPool(2);
        try (TestNode node = new TestNode(directory)) {
            Set<String> stay = new HashSet<>();
            for (int i = 0; i < 4000; i++) {
                assertThat(node.write(name("stays", i), 0, new byte[] {1}).status()).isZero();
                stay.add(name("stays", i));
            }
            Future<?> others = threads.submit(() -> {
                Random random = new Random(seed);
                while (!ends.get()) {
                    String name = name("stays", random.nextInt(4000)).substring(0, 7) + "+" + random.nextInt(500);
                    int op = random.nextInt(2) == 0 ? Op.DELETE : Op.PUT;
                    assertThat(node.send(TestNode.call(op, name).flags(op == Op.DELETE ? Op.LAZY : 0)).status()).isIn(0, Errno.ENOENT);
                }
            });
            for (int i = 0; i < 10; i++) {
                boolean sizes = i % 2 == 0;
                Map<String, Long> told = scan(node::send, i % 3 == 0 ? "*" : "stays", sizes);
                assertThat(told.keySet()).containsAll(stay);
                assertThat(scan(call -> node.direct(0, call), "stays", sizes).keySet()).containsAll(stay); // of smaller pages
            }
            ends.set(true);
            others.get();
        } finally {
            ends.set(true);
            threads.shutdownNow();
        }
    }

    @Test
    void tellsWhatObjectsTakeOfTheDisk() {
        try (TestNode node = new TestNode(directory)) {
            assertThat(node.send(TestNode.call(Op.WRITE, "sparse").flags(Op.CREATE_ABSENT | Op.sized(22) | Op.FUA)
                .data(new byte[] {1}).range(1 << 20, 1)).status()).isZero();
            assertThat(node.write("full", 0, new byte[100_000]).status()).isZero();
            assertThat(node.send(Op.SYNC, "full").status()).isZero();
            Map<String, Long> told = scan(node::send, "*", true);
            assertThat(told.get("sparse")).isBetween(1L, 128L << 10);
            assertThat(told.get("full")).isBetween(100_000L, 300_000L);
        }
    }

    @Test
    void objectsThatAreMadeByLargeWrites_takeTheirSpaceInOneGo() {
        try (TestNode node = new TestNode(directory)) {
            int flags = Op.CREATE_ABSENT | Op.sized(22) | Op.ALLOCATE;
            write(node, "whole", 0, flags);
            write(node, "part", 1 << 20, flags);
            write(node, "before", 1 << 20, flags ^ Op.ALLOCATE);
            write(node, "before", 0, flags);
            Map<String, Long> told = scan(node::send, "*", true);
            assertThat(told.get("whole")).isBetween(4L << 20, 5L << 20);
            assertThat(told.get("part")).isBetween(256L << 10, 512L << 10);
            assertThat(told.get("before")).isBetween(512L << 10, 768L << 10);
        }
    }

    private static void write(TestNode node, String object, long offset, int flags) {
        assertThat(node.send(TestNode.call(Op.WRITE, object).flags(flags | Op.FUA).data(new byte[256 << 10])
            .range(offset, 256 << 10)).status()).isZero();
    }

    @Test
    void tellsWhatIsInObjects() {
        try (TestNode node = new TestNode(directory)) {
            byte[] every = new byte[256];
            for (int i = 0; i < every.length; i++) {
                every[i] = (byte) i;
            }
            node.put("a-every", every);
            node.put("b-long", new byte[20_000]);
            node.put("b-empty", new byte[0]);
            node.put("c-other", every);
            Map<String, String> told = new TreeMap<>();
            String cursor = "";
            do {
                Reply reply = node.direct(0, TestNode.call(Op.SCAN, "a-,b-")
                    .data(("{\"texts\":true,\"cursor\":\"" + cursor + "\"}").getBytes(StandardCharsets.UTF_8)));
                assertThat(reply.status()).as(reply.message()).isZero();
                JsonObject answer = JsonParser.parseString(reply.message()).getAsJsonObject();
                for (int i = 0; i < answer.getAsJsonArray("names").size(); i++) {
                    told.put(answer.getAsJsonArray("names").get(i).getAsString(), answer.getAsJsonArray("texts").get(i).getAsString());
                }
                cursor = answer.get("cursor").getAsString();
            } while (!cursor.isEmpty());
            assertThat(told.keySet()).containsExactly("a-every", "b-empty", "b-long");
            assertThat(told.get("a-every").getBytes(StandardCharsets.ISO_8859_1)).isEqualTo(every);
            assertThat(told.get("b-empty")).isEmpty();
            assertThat(told.get("b-long")).hasSize(16 << 10);
            assertThat(node.sendJson(Op.SCAN, "a-,", "{}").status()).isEqualTo(Errno.EINVAL);
            assertThat(node.sendJson(Op.SCAN, "a-,../b", "{}").status()).isEqualTo(Errno.EINVAL);
        }
    }

    @Test
    void anEmptyStoreAndOddCursors() {
        try (TestNode node = new TestNode(directory)) {
            assertThat(scan(node::send, "*", true)).isEmpty();
            for (String cursor : new String[] {"x", "00", "00g/", "000", "000/../x", "0000/x"}) {
                Reply reply = node.sendJson(Op.SCAN, "*", "{\"cursor\":\"" + cursor + "\"}");
                assertThat(reply.status()).as(cursor).isEqualTo(Errno.EINVAL);
            }
            assertThat(node.sendJson(Op.SCAN, "*", "{\"cursor\":\"fff/z\"}").message()).endsWith("\"cursor\":\"\"}");
        }
    }

    @Test
    void aPageWithoutRoomForANameSaysSo() {
        try (TestNode node = new TestNode(directory)) {
            node.put("a-name", new byte[1]);
        }
        try (StoreNames store = new StoreNames(new ObjectPath(directory))) {
            for (int room = 0; room < 200; room++) { // from less than an answer without names takes
                StoreScan page;
                String answer = "\"cursor\":\"\"";
                do { // a page ends when its time is over, too
                    page = StoreScan.from(answer.replaceAll(".*\"cursor\":\"(.*)\".*", "$1"), List.of("a-"), StoreScan.Detail.NONE, room);
                    page.read(store);
                    answer = new String(page.answer(), StandardCharsets.UTF_8);
                } while (!page.isTooSmall() && !answer.contains("a-name") && !answer.contains("\"cursor\":\"\""));
                assertThat(page.isTooSmall()).as("room of %d", room).isNotEqualTo(answer.contains("a-name"));
                assertThat(page.isTooSmall() || answer.length() <= room).isTrue();
            }
        }
    }
}
