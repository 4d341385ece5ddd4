package org.archipelago.peer.mapper;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.Semaphore;
import java.util.function.Function;
import java.util.function.IntToLongFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.archipelago.map.ForeignLayer;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.Layer;
import org.archipelago.map.VolumeLayer;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Node;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What volumes take of a store of real files, against what is found in its folders. */
@Timeout(120)
class UsageTest {
    private static final int BLOCK = 4 << 20;
    private static final int BLOCKS = 8;
    private static final int VOLUMES = 2500;

    @TempDir
    Path store;

    private static Random random() {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("UsageTest: -Darchipelago.seed=" + seed);
        return new Random(seed);
    }

    // --- the model

    /** Bytes that each object takes, as find tells them. */
    private Map<String, Long> sizes() throws IOException, InterruptedException {
        Process find = new ProcessBuilder("find", store.resolve("blocks").toString(), "-mindepth", "2", "-type", "f",
            "-printf", "%b %f\n").start();
        String out = new String(find.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(find.waitFor()).isZero();
        return out.lines().map(line -> line.split(" "))
            .collect(Collectors.toMap(words -> words[1], words -> 512 * Long.parseLong(words[0])));
    }

    private List<String> volumes() throws IOException {
        try (Stream<Path> files = Files.walk(store.resolve("maps"))) {
            return files.map(file -> file.getFileName().toString()).filter(name -> name.startsWith("vol-"))
                .map(name -> name.substring(4)).sorted().collect(Collectors.toList());
        }
    }

    private static Set<String> named(VolumeStore volumes, String name) {
        VolumeState state = volumes.load(name);
        Set<String> objects = new HashSet<>();
        state.map.forEachNamed((layer, block) -> objects.add(state.map.layerAt(layer).object(block).toString()));
        return objects;
    }

    private static long sum(Set<String> objects, Map<String, Long> sizes) {
        return objects.stream().mapToLong(object -> sizes.getOrDefault(object, 0L)).sum();
    }

    private void assertUsage(JsonObject answer, VolumeStore volumes) throws IOException, InterruptedException {
        Map<String, Long> sizes = sizes();
        Map<String, Set<String>> named = new TreeMap<>();
        for (String name : volumes()) {
            named.put(name, named(volumes, name));
        }
        JsonArray rows = answer.getAsJsonArray("usage");
        List<String> order = new ArrayList<>();
        for (JsonElement element : rows) {
            JsonObject row = element.getAsJsonObject();
            String name = row.get("name").getAsString();
            order.add(name);
            Set<String> alone = new HashSet<>(named.get(name));
            named.forEach((other, objects) -> {
                if (!other.equals(name)) {
                    alone.removeAll(objects);
                }
            });
            assertThat(row.get("used").getAsLong()).as("used by " + name).isEqualTo(sum(named.get(name), sizes));
            assertThat(row.get("exclusive").getAsLong()).as("exclusive to " + name).isEqualTo(sum(alone, sizes));
            assertThat(row.get("size").getAsLong()).as("size of " + name).isEqualTo(volumes.headers().header(name).size());
        }
        assertThat(order).isEqualTo(new ArrayList<>(named.keySet()));
        Set<String> all = named.values().stream().flatMap(Set::stream).collect(Collectors.toSet());
        Set<String> garbage = sizes.keySet().stream().filter(name -> !all.contains(name))
            .filter(name -> name.matches("[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}|sha256-[0-9a-f]{64}")).collect(Collectors.toSet());
        JsonObject total = answer.getAsJsonObject("store");
        assertThat(total.get("objects").getAsLong()).isEqualTo(sizes.size());
        assertThat(total.get("bytes").getAsLong()).isEqualTo(sum(sizes.keySet(), sizes));
        assertThat(total.get("named").getAsLong()).isEqualTo(sum(all, sizes));
        assertThat(total.get("garbageObjects").getAsLong()).isEqualTo(garbage.size());
        assertThat(total.get("garbage").getAsLong()).isEqualTo(sum(garbage, sizes));
    }

    // --- what is tested

    private static void ok(Reply reply) {
        assertThat(reply.status()).as(reply.message()).isZero();
    }

    private static JsonObject json(Reply reply) {
        ok(reply);
        return JsonParser.parseString(reply.message()).getAsJsonObject();
    }

    private static Reply step(Node node, int op, String name, JsonObject argument) {
        return node.caller.call(Call.of(Node.MAPPER, op, name).data(argument.toString().getBytes(StandardCharsets.UTF_8)));
    }

    private static JsonObject run() {
        JsonObject argument = new JsonObject();
        argument.addProperty("run", UUID.randomUUID().toString());
        return argument;
    }

    /** The last answer, with all rows. */
    private static JsonObject toTheEnd(Function<JsonObject, JsonObject> step) {
        JsonObject argument = run();
        JsonArray rows = new JsonArray();
        while (true) {
            JsonObject answer = step.apply(argument);
            if (answer.has("usage")) {
                rows.addAll(answer.getAsJsonArray("usage"));
            }
            if (answer.get("done").getAsBoolean()) {
                answer.add("usage", rows);
                return answer;
            }
        }
    }

    private static JsonObject usage(Node node) {
        return toTheEnd(argument -> json(step(node, Op.USAGE, "*", argument)));
    }

    /** With a table of so many places at most. */
    private static JsonObject usage(Node node, int places) {
        try (Usage usage = new Usage(volumeStore(node), new ObjectStore(node.caller, Node.BLOCKERM, "maps"),
                new ObjectStore(node.caller, Node.BLOCKERB, "data"), places, new Semaphore(1))) {
            return toTheEnd(usage::step);
        }
    }

    private static VolumeStore volumeStore(Node node) {
        ObjectStore maps = new ObjectStore(node.caller, Node.BLOCKERM, "maps");
        NodeIdentity me = new NodeIdentity("model", "model.test", Node.BOOT);
        return new VolumeStore(maps, new ObjectStore(node.caller, Node.BLOCKERB, "data"), new Leases(maps, me), new Hashers(maps, me),
            me, false);
    }

    private static void write(Node node, String volume, Random random) {
        byte[] bytes = new byte[random.nextInt(8) == 0 ? 200_000 : 1 + random.nextInt(9000)];
        new Random(random.nextInt(3)).nextBytes(bytes); // of few kinds, so that images have equal blocks
        int block = random.nextInt(BLOCKS);
        int at = random.nextBoolean() ? 0 : random.nextInt(BLOCK - bytes.length);
        ok(node.write(volume, (long) block * BLOCK + at, bytes, 0));
    }

    private static <T> T any(List<T> list, Random random) {
        return list.get(random.nextInt(list.size()));
    }

    private static void change(Node node, List<String> volumes, List<String> snapshots, int step, Random random) {
        String name = "v" + step;
        String volume = any(volumes, random);
        switch (random.nextInt(7)) {
            case 0 -> {
                ok(node.json(Op.SNAPSHOT, volume, "{\"name\": \"" + name + "\"}"));
                snapshots.add(name);
            }
            case 1 -> {
                if (!snapshots.isEmpty()) {
                    ok(node.json(Op.CREATE, name, "{\"origin\": \"" + any(snapshots, random) + "\"}"));
                    volumes.add(name);
                }
            }
            case 2 -> {
                if (!snapshots.isEmpty()) {
                    String snapshot = any(snapshots, random);
                    toTheEnd(argument -> {
                        JsonObject answer = json(step(node, Op.HASH, snapshot, argument));
                        answer.addProperty("done", answer.has("done"));
                        return answer;
                    });
                }
            }
            case 3 -> {
                List<String> of = random.nextBoolean() && !snapshots.isEmpty() ? snapshots : volumes;
                if (of != volumes || volumes.size() > 1) {
                    String gone = any(of, random);
                    ok(node.call(Op.CLOSE, gone));
                    ok(node.call(Op.DELETE, gone));
                    of.remove(gone);
                }
            }
            case 4 -> ok(node.zero(volume, (long) random.nextInt(BLOCKS) * BLOCK, BLOCK, Op.DISCARD));
            default -> {
                for (int i = 0; i < 5; i++) {
                    write(node, any(volumes, random), random);
                }
            }
        }
    }

    @Test
    void figures_areThoseOfTheStoresFolders_inOnePassOrMany() throws Exception {
        Random random = random();
        try (Node node = new Node("n1", store, 2)) {
            ok(node.json(Op.CREATE, "v", "{\"size\": " + (long) BLOCKS * BLOCK + "}"));
            List<String> volumes = new ArrayList<>(List.of("v"));
            List<String> snapshots = new ArrayList<>();
            for (int step = 0; step < 80; step++) {
                change(node, volumes, snapshots, step, random);
            }
            ok(node.caller.call(Call.of(Node.BLOCKERB, Op.WRITE, "somebody_elses").flags(Op.CREATE_ABSENT)
                .data(new byte[10_000]).range(0, 10_000)));
            volumes.forEach(volume -> ok(node.call(Op.FLUSH, volume)));
            awaitReclaimed(node);
            assertUsage(usage(node), volumeStore(node));
            for (int places : new int[] {4, 16, 64, 1 << 20}) {
                assertUsage(usage(node, places), volumeStore(node));
            }
        }
    }

    /** Removed volumes' objects go a moment later. */
    private void awaitReclaimed(Node node) throws Exception {
        long deadline = System.nanoTime() + 10_000_000_000L;
        int before = -1;
        for (int now = sizes().size(); now != before && System.nanoTime() < deadline; now = sizes().size()) {
            before = now;
            Thread.sleep(200);
        }
    }

    @Test
    void exclusive_isWhatOnlyOneNames() throws Exception {
        try (Node node = new Node("n1", store, 2)) {
            ok(node.json(Op.CREATE, "v", "{\"size\": " + (long) BLOCKS * BLOCK + "}"));
            byte[] bytes = new byte[64 << 10];
            new Random(1).nextBytes(bytes);
            ok(node.write("v", 0, bytes, 0));
            ok(node.write("v", BLOCK, bytes, 0));
            ok(node.call(Op.FLUSH, "v"));
            assertThat(shown(node)).isEqualTo("v volume 128 128");
            ok(node.json(Op.SNAPSHOT, "v", "{\"name\": \"s\"}"));
            assertThat(shown(node)).isEqualTo("s snapshot 128 0, v volume 128 0");
            ok(node.json(Op.CREATE, "c", "{\"origin\": \"s\"}"));
            ok(node.write("c", 0, new byte[] {1}, 0));
            ok(node.call(Op.FLUSH, "c"));
            assertThat(shown(node)).isEqualTo("c volume 132 4, s snapshot 128 0, v volume 128 0");
            ok(node.call(Op.DELETE, "s"));
            ok(node.call(Op.DELETE, "v"));
            assertThat(shown(node)).isEqualTo("c volume 132 132");
            ok(node.json(Op.SNAPSHOT, "c", "{\"name\": \"i\"}"));
            toTheEnd(argument -> {
                JsonObject answer = json(step(node, Op.HASH, "i", argument));
                answer.addProperty("done", answer.has("done"));
                return answer;
            });
            assertThat(shown(node)).isEqualTo("c volume 132 132, i image 128 128");
        }
    }

    /** NAME KIND USED EXCLUSIVE, in KiB. */
    private static String shown(Node node) {
        List<String> rows = new ArrayList<>();
        usage(node).getAsJsonArray("usage").forEach(element -> {
            JsonObject row = element.getAsJsonObject();
            rows.add(row.get("name").getAsString() + " " + row.get("kind").getAsString() + " "
                + row.get("used").getAsLong() / 1024 + " " + row.get("exclusive").getAsLong() / 1024);
        });
        return String.join(", ", rows);
    }

    @Test
    void damagedVolume_isListedWithItsProblem_theOthersWithTheirFigures() throws Exception {
        try (Node node = new Node("n1", store, 2)) {
            for (String name : List.of("a", "b", "c")) {
                ok(node.json(Op.CREATE, name, "{\"size\": " + BLOCK + "}"));
                ok(node.write(name, 0, new byte[] {1}, 0));
                ok(node.call(Op.CLOSE, name));
            }
            try (Stream<Path> files = Files.walk(store.resolve("maps"))) {
                Files.write(files.filter(file -> file.endsWith("vol-b")).findFirst().orElseThrow(), new byte[] {1, 2, 3});
            }
            JsonObject answer = usage(node);
            JsonArray rows = answer.getAsJsonArray("usage");
            assertThat(rows.size()).isEqualTo(3);
            assertThat(rows.get(1).toString()).contains("\"kind\":\"damaged\"", "its header is not right");
            assertThat(rows.get(0).getAsJsonObject().get("used").getAsLong()).isEqualTo(4096);
            assertThat(rows.get(2).getAsJsonObject().get("exclusive").getAsLong()).isEqualTo(4096);
            assertThat(answer.getAsJsonObject("store").get("garbageObjects").getAsLong()).isEqualTo(1);
        }
    }

    @Test
    void second_waitsUntilTheFirstIsGivenUp() throws Exception {
        try (Node node = new Node("n1", store, 2)) {
            ok(node.json(Op.CREATE, "v", "{\"size\": " + BLOCK + "}"));
            byte[] header = new ObjectStore(node.caller, Node.BLOCKERM, "maps").readText("vol-v").orElseThrow();
            for (int i = 1; i < VOLUMES; i++) { // so many that the answer has several pages
                ok(node.caller.call(Call.of(Node.BLOCKERM, Op.WRITE, "vol-volume-with-a-name-that-takes-much-room-" + i)
                    .flags(Op.CREATE_ABSENT).data(header).range(0, header.length)));
            }
            JsonObject first = run();
            JsonObject answer = json(step(node, Op.USAGE, "*", first));
            while (!answer.has("usage")) {
                answer = json(step(node, Op.USAGE, "*", first));
            }
            assertThat(answer.get("done").getAsBoolean()).isFalse();
            JsonObject second = run();
            answer = json(step(node, Op.USAGE, "*", second));
            assertThat(answer.has("usage")).isFalse();
            first.addProperty("end", true);
            json(step(node, Op.USAGE, "*", first));
            while (!answer.has("usage")) {
                answer = json(step(node, Op.USAGE, "*", second));
            }
            second.addProperty("end", true);
            json(step(node, Op.USAGE, "*", second));
            assertThat(usage(node).getAsJsonArray("usage").size()).isEqualTo(VOLUMES);
        }
    }

    // --- keys and table

    @Test
    void keys_areTheSameFromNamesAndFromLayers() {
        Random random = random();
        byte[] table = new byte[32 * 40];
        random.nextBytes(table);
        byte[][] names = {"archip:image_00ff".getBytes(StandardCharsets.US_ASCII), "x".getBytes(StandardCharsets.US_ASCII),
            ("sha256-" + "0a".repeat(32)).getBytes(StandardCharsets.US_ASCII)};
        String id = UUID.randomUUID().toString().replace("-", "");
        Set<Long> seen = new HashSet<>();
        for (Layer layer : List.of(new VolumeLayer(id, 1), new VolumeLayer(id, 2), new VolumeLayer("f" + id.substring(1), Integer.MAX_VALUE),
                ImageLayer.of(table), new ForeignLayer(id, names))) {
            IntToLongFunction keys = ObjectKey.of(layer);
            for (int block : new int[] {0, 1, 2, 39, 16_777_215}) {
                if (layer.has(block)) {
                    String name = layer.object(block).toString();
                    assertThat(keys.applyAsLong(block)).as(name).isEqualTo(ObjectKey.of(name));
                    assertThat(ObjectKey.isOurs(DataName.parse(name))).as(name).isEqualTo(!(layer instanceof ForeignLayer) || block == 2);
                    assertThat(seen.add(keys.applyAsLong(block))).isTrue();
                }
            }
        }
    }

    @Test
    void table_tellsTheSame_howeverManyPassesItTakes() {
        Random random = random();
        Map<Long, Long> sizes = new HashMap<>();
        for (int i = 0; i < 20_000; i++) {
            sizes.put(random.nextLong(), (long) random.nextInt(8193) << 9);
        }
        List<Long> keys = new ArrayList<>(sizes.keySet());
        List<List<Long>> named = new ArrayList<>();
        for (int volume = 0; volume < 10; volume++) {
            named.add(Stream.generate(() -> keys.get(random.nextInt(keys.size()))).limit(3000).collect(Collectors.toList()));
        }
        String one = passes(1 << 20, sizes, named, 1);
        assertThat(passes(1 << 12, sizes, named, 8)).isEqualTo(one);
        assertThat(passes(1 << 6, sizes, named, 512)).isEqualTo(one);
    }

    private static String passes(int places, Map<Long, Long> sizes, List<List<Long>> named, int least) {
        ObjectTable table = new ObjectTable(places);
        long[] used = new long[named.size()];
        long[] exclusive = new long[named.size()];
        ObjectTable.Totals totals = ObjectTable.Totals.NONE;
        int passes = 0;
        do {
            sizes.forEach((key, size) -> table.add(key, size, true));
            for (int volume = 0; volume < named.size(); volume++) {
                int number = volume;
                named.get(volume).forEach(key -> table.name(key, number, used, exclusive));
            }
            totals = totals.plus(table.totals());
            passes++;
        } while (table.next());
        assertThat(passes).isBetween(least, 2 * least);
        assertThat(totals.objects()).isEqualTo(sizes.size());
        return totals + java.util.Arrays.toString(used) + java.util.Arrays.toString(exclusive);
    }
}
