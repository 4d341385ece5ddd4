package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.create;
import static org.archipelago.peer.volume.Lab.ok;
import static org.archipelago.peer.volume.Lab.snapshot;
import static org.archipelago.peer.volume.OriginalStore.ascii;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Segment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Volumes that the original left, laid out by hand as it did, over the real file blocker. */
final class OriginalVolumesTest {
    /** Contents of blocks: short objects, as the original makes them, named by their hashes. */
    private static final byte[] A = "A".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] BB = "BB".getBytes(StandardCharsets.US_ASCII);
    private static final String HASH_A = "559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd";
    private static final String HASH_BB = "fc686c314491e1f68bf1899fc54b2327353c44dd1ab4ed56538ef623edd1e866";
    static final String NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    /** The image of A, zeros, BB. */
    private static final String IMAGE = "2c9b74955be2d601b6e65dd00abbb174044cbf85260e7672ffe0acd2640f9e02";
    private static final String OWN_1 = "77e2bf983a4f11743101891ad5d55b941d893c1d09e40ae777146a4f7d01b1d2";

    private static final Set<Integer> CHANGES = Set.of(Op.CREATE, Op.PUT, Op.WRITE, Op.SYNC, Op.DELETE, Op.RENAME, Op.ZERO);

    @TempDir
    Path directory;
    private OriginalStore blocks;
    private OriginalStore maps;

    @AfterEach
    void reset() {
        Node.upgradesOriginal = false;
    }

    private void layOut(OriginalStore.Layout layout) {
        blocks = new OriginalStore(directory.resolve("blocks"), layout).put(HASH_A, A).put(HASH_BB, BB);
        maps = new OriginalStore(directory.resolve("maps"), layout);
        // format 0: 12 MiB, A, zeros, BB
        maps.put(IMAGE, HASH_A + NOTHING + HASH_BB);
        // format 1: 9 MiB, zeros, an own object, BB
        maps.put("archip_volume1", "01000000", "0000900000000000", "00" + NOTHING, "01" + OWN_1, "00" + HASH_BB);
        blocks.put("archip_" + OWN_1, bytes(8192, 1));
        // format 2: 10 MiB, an own object, zeros, A; its snapshot; one that was removed
        maps.put("volume2", "414d462e 00000002 0000000000a00000 00400000 00000000 0000000000000002");
        maps.put("volume2_0000000000000000", entry(3, "volume2_0000000000000002_0000000000000000"), entry(4, NOTHING), entry(0, HASH_A));
        blocks.put("volume2_0000000000000002_0000000000000000", bytes(12288, 2));
        maps.put("snapshot2", "414d462e 00000002 0000000000a00000 00400000 00000001 0000000000000000");
        maps.put("snapshot2_0000000000000000", entry(2, "volume2_0000000000000001_0000000000000000"), entry(4, NOTHING), entry(0, HASH_A));
        blocks.put("volume2_0000000000000001_0000000000000000", bytes(12288, 3));
        maps.put("removed2", "414d462e 00000002 0000000000000000 00400000 00000002 0000000000000005");
    }

    static String entry(int flags, String name) {
        return "%02x %02x000000".formatted(flags, name.length()) + ascii(name) + "00".repeat(123 - name.length());
    }

    private Node node() throws java.io.IOException {
        return new Node("node1", directory, 2);
    }

    private static void assertBytes(Node node, String volume, long at, byte[] expected) {
        Reply reply = node.read(volume, at, expected.length);
        ok(reply);
        assertThat(reply.data()).isEqualTo(expected);
    }

    private static byte[] padded(byte[] bytes, int length) {
        return Arrays.copyOf(bytes, length);
    }

    private static List<String> listed(Node node, String prefix) {
        List<String> names = new ArrayList<>();
        Reply reply = node.json(Op.LIST, prefix, "{}");
        ok(reply);
        for (JsonElement volume : JsonParser.parseString(reply.message()).getAsJsonObject().getAsJsonArray("volumes")) {
            JsonObject json = volume.getAsJsonObject();
            names.add(json.get("name").getAsString() + " " + json.get("kind").getAsString());
        }
        return names;
    }

    private static void assertRefused(Reply reply, int errno, String... says) {
        assertThat(reply.status()).as(reply.message()).isEqualTo(errno);
        assertThat(reply.message()).contains(says);
    }

    // --- as they are

    @ParameterizedTest
    @EnumSource
    void allFormatsAreReadInAllLayouts(OriginalStore.Layout layout) throws Exception {
        layOut(layout);
        Map<String, String> before = maps.files();
        try (Node node = node()) {
            assertBytes(node, IMAGE, 0, padded(A, 4096));
            assertBytes(node, IMAGE, BLOCK, new byte[4096]);
            assertBytes(node, IMAGE, 2 * BLOCK, padded(BB, 4096));
            assertBytes(node, IMAGE, 3 * BLOCK - 4096, new byte[4096]);
            assertBytes(node, "volume1", 0, new byte[4096]);
            assertBytes(node, "volume1", BLOCK, padded(bytes(8192, 1), 16384));
            assertBytes(node, "volume1", 2 * BLOCK, padded(BB, 128 << 10));
            assertBytes(node, "volume2", 0, padded(bytes(12288, 2), 128 << 10));
            assertBytes(node, "volume2", 2 * BLOCK, padded(A, 256 << 10));
            assertBytes(node, "snapshot2", 0, padded(bytes(12288, 3), 128 << 10));
            assertThat(node.read("volume2", (10 << 20) - 4096, 8192).status()).isEqualTo(Errno.EINVAL);
            assertThat(node.info(IMAGE).get("size").getAsLong()).isEqualTo(12 << 20);
            assertThat(node.info(IMAGE).get("format").getAsString()).isEqualTo("original v0");
            assertThat(node.info("volume1").get("size").getAsLong()).isEqualTo(9 << 20);
            assertThat(node.info("volume2").get("format").getAsString()).isEqualTo("original v2");
            JsonObject map = JsonParser.parseString(node.caller.call(Call.of(Node.MAPPER, Op.STATUS,
                "volume1")).message()).getAsJsonObject();
            assertThat(map.get("whole").getAsInt()).isEqualTo(2);
            assertThat(map.get("zero").getAsInt()).isEqualTo(1);
        }
        assertThat(maps.files()).isEqualTo(before);
    }

    @Test
    void theyAreListedAmongOurs() throws Exception {
        layOut(OriginalStore.Layout.HASHED);
        maps.put("volume2_lock", "node1_1002".getBytes(StandardCharsets.US_ASCII));
        try (Node node = node()) {
            create(node, "native", BLOCK);
            create(node, "volume11", BLOCK);
            assertThat(listed(node, "*")).containsExactly("native volume", "snapshot2 snapshot", "volume1 snapshot", "volume11 volume",
                "volume2 snapshot");
            assertThat(listed(node, "volume1")).containsExactly("volume1 snapshot", "volume11 volume");
            maps.put("volume3", "414d462e 00000003");
            assertThat(listed(node, "volume3")).containsExactly("volume3 damaged");
            assertThat(node.call(Op.INFO, "removed2").status()).isEqualTo(Errno.ENOENT);
            create(node, "removed2", BLOCK);
            assertThat(listed(node, "rem")).containsExactly("removed2 volume");
        }
    }

    @ParameterizedTest
    @EnumSource
    void clonesGoOnOverTheirObjects(OriginalStore.Layout layout) throws Exception {
        layOut(layout);
        Map<String, String> before = blocks.files();
        try (Node node = node()) {
            Lab.clone(node, IMAGE, "clone0");
            Lab.clone(node, "volume1", "clone1");
            Lab.clone(node, "snapshot2", "clone2");
            Lab.clone(node, "snapshot2", "another2");
            ok(node.write("clone0", 4096, bytes(4096, 9), 0));
            ok(node.write("clone1", BLOCK, bytes(4096, 8), 0));
            ok(node.call(Op.FLUSH, "clone1"));
            snapshot(node, "clone1", "clone1-snap");
            Lab.clone(node, "clone1-snap", "clone11");
            assertRefused(node.json(Op.CREATE, "small", "{\"origin\": \"" + IMAGE + "\", \"size\": 4194304}"), Errno.EINVAL, "cannot hold");
            String small = "{\"origin\": \"" + IMAGE + "\", \"size\": 9437184, \"originSize\": ";
            for (long bad : new long[] {-1, 0, 2 * BLOCK, 3 * BLOCK + 1, Long.MAX_VALUE}) {
                assertRefused(node.json(Op.CREATE, "small", small + bad + "}"), Errno.EINVAL, "has 3 blocks");
            }
            assertRefused(node.json(Op.CREATE, "small", small + "9437185}"), Errno.EINVAL, "cannot hold");
            ok(node.json(Op.CREATE, "small", small + "8388609}"));
            assertBytes(node, "small", 2 * BLOCK, padded(BB, 4096));
            assertThat(node.info("small").get("size").getAsLong()).isEqualTo(9437184);
            ok(node.resize("small", 4 * BLOCK));
            assertBytes(node, "small", 3 * BLOCK - 4096, new byte[8192]);
            ok(node.call(Op.DELETE, "small"));
        }
        try (Node node = node()) {
            assertBytes(node, "clone0", 0, padded(A, 4096));
            assertBytes(node, "clone0", 4096, bytes(4096, 9));
            assertBytes(node, "clone0", 2 * BLOCK, padded(BB, 4096));
            assertBytes(node, "clone11", BLOCK, bytes(4096, 8));
            assertBytes(node, "clone11", BLOCK + 4096, Arrays.copyOfRange(bytes(8192, 1), 4096, 8192));
            assertBytes(node, "clone11", 2 * BLOCK, padded(BB, 4096));
            assertBytes(node, "clone2", 0, bytes(12288, 3));
            assertThat(node.info("clone2").get("origin").getAsString()).isEqualTo("snapshot2");
            assertThat(node.info("clone2").get("format").getAsString()).isEqualTo("native");
        }
        assertThat(blocks.files()).isEqualTo(before);
    }

    @Test
    void nothingOfThemIsChanged() throws Exception {
        layOut(OriginalStore.Layout.HASHED);
        Map<String, String> mapsBefore = maps.files();
        Map<String, String> blocksBefore = blocks.files();
        try (Node node = node()) {
            for (String volume : List.of("volume1", "volume2")) {
                assertThat(node.write(volume, 0, new byte[4096], 0).status()).isEqualTo(Errno.EROFS);
                assertRefused(node.call(Op.OPEN, Op.EXCLUSIVE, volume), Errno.EROFS, volume, "upgrade_original = True", "--snap " + volume);
                assertRefused(node.resize(volume, 20 << 20), Errno.EROFS, volume, "upgrade_original");
            }
            for (String volume : List.of("volume1", "volume2", "snapshot2", IMAGE)) {
                assertRefused(node.call(Op.DELETE, volume), Errno.EROFS, volume, "of the original");
                assertRefused(node.call(Op.DELETE, Op.FORCE, volume), Errno.EROFS, volume, "of the original");
                assertRefused(node.json(Op.RENAME, volume, "{\"to\": \"other\"}"), Errno.EROFS, volume, "of the original");
                assertRefused(node.json(Op.SNAPSHOT, volume, "{\"name\": \"other\"}"), Errno.EROFS, volume, "of the original");
                assertRefused(node.json(Op.SETINFO, volume, "{\"a\": \"b\"}"), Errno.EROFS, volume, "of the original");
                assertRefused(node.call(Op.LOCK, volume), Errno.EROFS, volume, "of the original");
                assertRefused(node.json(Op.CREATE, volume, "{\"size\": 4096}"), Errno.EEXIST, volume);
                assertThat(node.zero(volume, 0, 4096, 0).status()).isEqualTo(Errno.EROFS);
            }
            create(node, "native", BLOCK);
            assertRefused(node.json(Op.RENAME, "native", "{\"to\": \"volume2\"}"), Errno.EEXIST, "volume2");
            assertRefused(node.json(Op.SNAPSHOT, "native", "{\"name\": \"snapshot2\"}"), Errno.EEXIST, "snapshot2");
            ok(node.call(Op.CLOSE, "volume2"));
        }
        assertThat(maps.files()).isEqualTo(mapsBefore);
        assertThat(blocks.files()).isEqualTo(blocksBefore);
    }

    @Test
    void aMissingOrDamagedPartIsNamed() throws Exception {
        layOut(OriginalStore.Layout.HASHED);
        maps.delete("volume2_0000000000000000");
        blocks.delete("archip_" + OWN_1);
        try (Node node = node()) {
            assertRefused(node.json(Op.CREATE, "clone2", "{\"origin\": \"volume2\"}"), Errno.EUCLEAN, "volume2",
                "volume2_0000000000000000", "missing");
            assertThat(node.read("volume2", 0, 4096).status()).isEqualTo(Errno.EUCLEAN);
            assertThat(node.read("volume1", BLOCK, 4096).status()).isEqualTo(Errno.EIO); // never zeros
            assertBytes(node, "volume1", 2 * BLOCK, padded(BB, 4096));
            assertThat(listed(node, "clone")).isEmpty();
        }
    }

    // --- upgraded

    @ParameterizedTest
    @EnumSource
    void aVolumeIsUpgradedWhenItIsFirstOpenedForWriting(OriginalStore.Layout layout) throws Exception {
        layOut(layout);
        Map<String, String> mapsBefore = maps.files();
        Map<String, String> blocksBefore = blocks.files();
        Node.upgradesOriginal = true;
        try (Node node = node()) {
            assertBytes(node, "volume2", 0, bytes(12288, 2));
            assertThat(node.info("volume2").get("format").getAsString()).isEqualTo("original v2");
            ok(node.write("volume2", 4096, bytes(4096, 7), 0)); // which opens it
            ok(node.call(Op.FLUSH, "volume2"));
            assertThat(node.info("volume2").get("format").getAsString()).isEqualTo("native");
            assertThat(node.info("volume2").get("size").getAsLong()).isEqualTo(10 << 20);
            ok(node.call(Op.OPEN, Op.EXCLUSIVE, "volume1"));
            ok(node.write("volume1", 0, bytes(4096, 6), 0));
            snapshot(node, "volume1", "volume1-snap");
            assertRefused(node.call(Op.OPEN, Op.EXCLUSIVE, "snapshot2"), Errno.EROFS, "snapshot2");
            assertRefused(node.call(Op.DELETE, IMAGE), Errno.EROFS, IMAGE);
            ok(node.call(Op.CLOSE, "volume1"));
            ok(node.call(Op.CLOSE, "volume2"));
        }
        Node.upgradesOriginal = false; // it matters no more
        try (Node node = node()) {
            byte[] expected = bytes(12288, 2);
            System.arraycopy(bytes(4096, 7), 0, expected, 4096, 4096);
            assertBytes(node, "volume2", 0, expected);
            assertBytes(node, "volume2", 2 * BLOCK, padded(A, 4096));
            assertBytes(node, "volume1-snap", 0, bytes(4096, 6));
            assertBytes(node, "volume1-snap", BLOCK, bytes(8192, 1));
            ok(node.write("volume1", BLOCK, bytes(4096, 5), 0));
            assertThat(listed(node, "*")).containsExactly("snapshot2 snapshot", "volume1 volume", "volume1-snap snapshot", "volume2 volume");
        }
        assertThat(maps.files()).isEqualTo(mapsBefore);
        assertThat(blocks.files()).isEqualTo(blocksBefore);
    }

    @Test
    void whatWentOnAsOursDoesNotComeBackAsItWas() throws Exception {
        layOut(OriginalStore.Layout.HASHED);
        Node.upgradesOriginal = true;
        try (Node node = node()) {
            ok(node.call(Op.DELETE, "volume2"));
            ok(node.call(Op.OPEN, Op.EXCLUSIVE, "volume1"));
            ok(node.json(Op.RENAME, "volume1", "{\"to\": \"other1\"}"));
            assertThat(listed(node, "*")).containsExactly("other1 volume", "snapshot2 snapshot");
            assertThat(node.call(Op.INFO, "volume2").status()).isEqualTo(Errno.ENOENT);
            assertBytes(node, "other1", BLOCK, bytes(8192, 1));
            create(node, "volume2", BLOCK);
            assertBytes(node, "volume2", 0, new byte[8192]);
        }
    }

    @Test
    void garbageOfThemIsCollected_andNothingOfTheirs() throws Exception {
        layOut(OriginalStore.Layout.HASHED);
        Node.upgradesOriginal = true;
        try (Node node = node()) {
            Lab.clone(node, "snapshot2", "clone2");
            Lab.clone(node, IMAGE, "clone0");
            Set<String> tables = ours("names-");
            assertThat(tables).hasSize(4);
            ok(node.call(Op.OPEN, Op.EXCLUSIVE, "volume2"));
            ok(node.call(Op.DELETE, "volume2"));
            ok(node.call(Op.DELETE, "clone2"));
            Lab.await("reclaim", () -> ours("id-").size() == 1);
            assertThat(ours("names-")).hasSize(6);
            Lab.gc(node, true);
            assertThat(ours("names-")).hasSize(6);
            Map<String, String> before = blocks.files();
            Lab.gc(node);
            assertThat(ours("names-")).hasSize(2).isSubsetOf(tables);
            assertThat(ours("hidden-")).containsExactly("hidden-volume2");
            assertThat(blocks.files()).isEqualTo(before);
            assertBytes(node, "clone0", 2 * BLOCK, padded(BB, 4096));
            assertBytes(node, "snapshot2", 0, bytes(12288, 3));
            maps.delete("volume2");
            Lab.gc(node);
            assertThat(ours("hidden-")).isEmpty();
            ok(node.call(Op.DELETE, "clone0"));
            Lab.await("reclaim", () -> ours("id-").isEmpty());
            Lab.gc(node);
            assertThat(ours("names-")).isEmpty();
            Lab.clone(node, IMAGE, "clone0"); // its table is in memory still
            assertThat(ours("names-")).hasSize(2);
        }
    }

    private Set<String> ours(String prefix) {
        try (Stream<Path> files = Files.walk(directory.resolve("maps"))) {
            return files.map(file -> file.getFileName().toString()).filter(name -> name.startsWith(prefix))
                .collect(Collectors.toSet());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aDamagedOneCanBeForgotten() throws Exception {
        layOut(OriginalStore.Layout.HASHED);
        maps.delete("volume2_0000000000000000");
        Map<String, String> before = maps.files();
        try (Node node = node()) {
            ok(node.call(Op.DELETE, Op.FORCE, "volume2"));
            assertThat(listed(node, "volume2")).isEmpty();
        }
        assertThat(maps.files()).isEqualTo(before);
    }

    @Test
    void whatTheOriginalHasOpenIsLeftToIt() throws Exception {
        layOut(OriginalStore.Layout.HASHED);
        maps.put("volume2_lock", "gnt1.example.com_1002".getBytes(StandardCharsets.US_ASCII));
        maps.put("archip_volume1_lock", "gnt2.example.com_1002".getBytes(StandardCharsets.US_ASCII));
        maps.put("snapshot2_lock", "gnt1.example.com_1002".getBytes(StandardCharsets.US_ASCII)); // a write that it refused leaves one
        Node.upgradesOriginal = true;
        try (Node node = node()) {
            assertRefused(node.call(Op.OPEN, Op.EXCLUSIVE, "volume2"), Errno.EBUSY, "volume2", "gnt1.example.com_1002", "volume2_lock");
            assertRefused(node.call(Op.OPEN, Op.EXCLUSIVE, "volume1"), Errno.EBUSY, "volume1", "gnt2.example.com_1002");
            assertRefused(node.json(Op.CREATE, "clone2", "{\"origin\": \"snapshot2\", \"size\": 1}"), Errno.EINVAL, "cannot hold");
            Lab.clone(node, "snapshot2", "clone2");
            assertBytes(node, "volume2", 0, bytes(12288, 2));
            maps.delete("volume2_lock");
            ok(node.call(Op.OPEN, Op.EXCLUSIVE, "volume2"));
        }
        Node.upgradesOriginal = false;
        try (Node node = node()) {
            assertRefused(node.json(Op.CREATE, "clone1", "{\"origin\": \"volume1\"}"), Errno.EBUSY, "volume1", "gnt2.example.com_1002");
        }
    }

    /** Wherever the daemon stops, there is the original's volume or ours, and both hold the same. */
    @Test
    void anUpgradeThatStopsAnywhereLeavesTheOneOrTheOther() throws Exception {
        int steps = 0;
        for (boolean done = false; !done; steps++) {
            Path store = directory.resolve("steps" + steps);
            layOutLarge(store);
            Map<String, String> before = maps.files();
            done = upgradeThatStops(store, steps);
            Node.upgradesOriginal = steps % 2 == 0;
            try (Node node = new Node("node1", store, 1)) {
                boolean ours = node.info("volume4").get("format").getAsString().equals("native");
                assertThat(ours || !done).isTrue();
                assertThat(listed(node, "*")).containsExactly("volume4 " + (ours || Node.upgradesOriginal ? "volume" : "snapshot"));
                assertBytes(node, "volume4", 8191 * BLOCK, done ? bytes(4096, 7) : bytes(4096, 4));
                assertBytes(node, "volume4", 8191 * BLOCK + 4096, Arrays.copyOfRange(bytes(8192, 4), 4096, 8192));
                int status = node.write("volume4", 0, bytes(4096, 8), 0).status();
                assertThat(status).isEqualTo(ours || Node.upgradesOriginal ? 0 : Errno.EROFS);
                assertBytes(node, "volume4", 0, status == 0 ? bytes(4096, 8) : new byte[4096]);
            }
            assertThat(maps.files()).isEqualTo(before);
        }
        System.out.println("OriginalVolumesTest: stopped an upgrade in " + steps + " places");
        assertThat(steps).isGreaterThan(8);
    }

    /** A map of 32 GiB, so that the table of its names takes several requests. */
    private void layOutLarge(Path store) {
        StringBuilder entries = new StringBuilder(entry(4, NOTHING));
        for (int block = 1; block < 8192; block++) {
            entries.append(entry(3, "volume4_0000000000000001_%016x".formatted(block)));
        }
        maps = new OriginalStore(store.resolve("maps"), OriginalStore.Layout.HASHED)
            .put("volume4", "414d462e 00000002 0000000800000000 00400000 00000000 0000000000000001")
            .put("volume4_0000000000000000", entries.toString());
        blocks = new OriginalStore(store.resolve("blocks"), OriginalStore.Layout.HASHED)
            .put("volume4_0000000000000001_0000000000001fff", bytes(8192, 4));
    }

    /** Writes to a volume; the daemon is killed before its store sees one more change than some. Whether it came to the end before. */
    private static boolean upgradeThatStops(Path store, int changes) throws Exception {
        Node.upgradesOriginal = true;
        Weather weather = new Weather();
        AtomicInteger left = new AtomicInteger(changes);
        weather.rule(request -> {
            if (CHANGES.contains(request.op()) && left.getAndDecrement() <= 0) {
                weather.end();
            }
            return Weather.Fate.FINE;
        });
        Node.Blockers files = Node.inFiles(store, 1);
        Node node = new Node("node1", Node.BOOT, 1, Segment.anonymous(Node.PARAMETERS), Node.behind(weather, files));
        CompletableFuture<Client.Answer> write = new Client(node.host, "volume4", 1, 4096).write(8191 * BLOCK, bytes(4096, 7), 0);
        Lab.await("the end", () -> write.isDone() || left.get() < 0);
        boolean done = write.isDone() && Client.status(write) == 0;
        weather.end();
        node.kill();
        files.close();
        return done;
    }

    @Test
    void aReaderOnAnotherNodeGoesOnWithTheUpgradedVolume() throws Exception {
        layOut(OriginalStore.Layout.HASHED);
        Node.upgradesOriginal = true;
        try (Node writer = node(); Node reader = new Node("node2", directory, 1)) {
            assertBytes(reader, "volume2", 0, bytes(12288, 2));
            ok(writer.write("volume2", 0, bytes(4096, 7), 0));
            ok(writer.call(Op.FLUSH, "volume2"));
            Lab.await("the reader", () -> Arrays.equals(reader.read("volume2", 0, 4096).data(), bytes(4096, 7)));
            assertThat(reader.write("volume2", 0, new byte[4096], 0).status()).isEqualTo(Errno.EBUSY);
        }
    }

    @Test
    void aReaderThatSleptWhileItWasUpgradedAndRemovedFindsNothing() throws Exception {
        layOut(OriginalStore.Layout.HASHED);
        Node.upgradesOriginal = true;
        try (Node writer = node(); Node reader = new Node("node2", directory, 1)) {
            assertBytes(reader, "volume2", 0, bytes(12288, 2));
            ok(writer.write("volume2", 0, bytes(4096, 7), 0));
            ok(writer.call(Op.DELETE, "volume2"));
            Lab.await("the reader", () -> reader.read("volume2", 0, 4096).status() == Errno.ENOENT);
        }
    }

    @Test
    void theContentsOfACloneCanBeHashed() throws Exception {
        layOut(OriginalStore.Layout.NAMED);
        try (Node node = node()) {
            String run = "{\"run\": \"00000000-0000-4000-8000-000000000001\"}";
            Call hash = Call.of(Node.MAPPER, Op.HASH, "snapshot2").data(run.getBytes(StandardCharsets.US_ASCII));
            assertRefused(node.caller.call(hash), Errno.EROFS, "snapshot2", "--snap snapshot2");
            Lab.clone(node, IMAGE, "clone0");
            snapshot(node, "clone0", "snapshot0");
            Reply hashed = node.caller.call(Call.of(Node.MAPPER, Op.HASH, "snapshot0").data(run.getBytes(StandardCharsets.US_ASCII)));
            ok(hashed);
            assertThat(JsonParser.parseString(hashed.message()).getAsJsonObject().get("done").getAsBoolean()).isTrue();
            assertBytes(node, "snapshot0", 2 * BLOCK, padded(BB, 4096));
        }
    }

    @Test
    void aLostHeaderOfAnUpgradedVolumeDoesNotShowTheOldContents() throws Exception {
        layOut(OriginalStore.Layout.HASHED);
        Node.upgradesOriginal = true;
        try (Node node = node()) {
            ok(node.write("volume2", 0, bytes(4096, 7), 0));
            ok(node.call(Op.CLOSE, "volume2"));
        }
        try (Stream<Path> files = Files.walk(directory)) {
            Files.delete(files.filter(file -> file.getFileName().toString().equals("vol-volume2")).findFirst().orElseThrow());
        }
        try (Node node = node()) {
            assertThat(node.read("volume2", 0, 4096).status()).isEqualTo(Errno.ENOENT);
            String repair = "{\"run\": \"00000000-0000-4000-8000-000000000002\", \"repair\": true}";
            ok(node.caller.call(Call.of(Node.MAPPER, Op.CHECK, "volume2").data(repair.getBytes(StandardCharsets.US_ASCII))));
            assertBytes(node, "volume2", 0, bytes(4096, 7));
            String look = repair.replace("0002", "0003").replace("true", "false");
            Reply checked = node.caller.call(Call.of(Node.MAPPER, Op.CHECK, "snapshot2").data(look.getBytes(StandardCharsets.US_ASCII)));
            ok(checked);
            assertThat(JsonParser.parseString(checked.message()).getAsJsonObject().getAsJsonArray("findings")).isEmpty();
        }
    }
}
