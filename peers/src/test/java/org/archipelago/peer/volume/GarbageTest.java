package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.UNIT;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.create;
import static org.archipelago.peer.volume.Lab.gc;
import static org.archipelago.peer.volume.Lab.ok;
import static org.archipelago.peer.volume.Lab.snapshot;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Weather.Fate;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What garbage collection takes, and what it leaves. */
@Timeout(60)
class GarbageTest {
    private static final byte[] SOMETHING = {1};

    /** Objects of blocks. */
    private static List<String> data(Lab lab) {
        return lab.objects("").stream().filter(name -> name.matches("[0-9a-f]{32}-.*|sha256-.*|part-.*")).toList();
    }

    private static Set<String> all(Lab lab) {
        return new TreeSet<>(lab.objects(""));
    }

    private static void remove(Lab lab, Node node, String volume) throws InterruptedException {
        String id = node.info(volume).get("id").getAsString();
        ok(node.call(Op.DELETE, volume));
        Lab.await("reclaim", () -> lab.objects("id-" + id).isEmpty());
    }

    @Test
    void snapshotWithClones_isRemoved_andItsSpaceFreedWithTheLastOfThem() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 4 * BLOCK);
            for (int block = 0; block < 4; block++) {
                ok(node.write("v", block * BLOCK, bytes(UNIT, block), 0));
            }
            snapshot(node, "v", "s");
            Lab.clone(node, "s", "c");
            ok(node.write("c", 0, bytes(UNIT, 10), 0));
            remove(lab, node, "v");
            remove(lab, node, "s");
            assertThat(gc(node).get("removed").getAsLong()).isZero();
            for (int block = 0; block < 4; block++) {
                assertThat(node.read("c", block * BLOCK, UNIT).data()).isEqualTo(bytes(UNIT, block == 0 ? 10 : block));
            }
            ok(node.call(Op.CLOSE, "c"));
            remove(lab, node, "c");
            assertThat(data(lab)).hasSize(4);
            JsonObject dry = gc(node, true);
            assertThat(dry.get("removed").getAsLong()).isEqualTo(4);
            assertThat(data(lab)).hasSize(4);
            JsonObject done = gc(node);
            assertThat(done.get("removed").getAsLong()).isEqualTo(4);
            assertThat(done.get("bytes").getAsLong()).isGreaterThanOrEqualTo(dry.get("bytes").getAsLong()).isGreaterThanOrEqualTo(4 * UNIT);
            assertThat(all(lab)).isEmpty();
        }
    }

    @Test
    void whatVolumesStillWrite_andOtherApplicationsKeep_stays() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 8 * BLOCK);
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            snapshot(node, "v", "s1");
            ok(node.write("v", 0, bytes((int) BLOCK / 16, 2), 0));
            snapshot(node, "v", "s2");
            ok(node.write("v", BLOCK, bytes(UNIT, 3), 0));
            for (String foreign : List.of("archip_0123", "image.qcow2", "0123456789abcdef0123456789abcdef", "sha256-12", "map-x", "id-x",
                    "0123456789abcdef0123456789abcdef-00000001-0000000g", "log-0123456789abcdef0123456789abcdef-00000001.2", "f0e1_000")) {
                lab.store.put(foreign, SOMETHING);
            }
            Set<String> before = all(lab);
            JsonObject done = gc(node);
            assertThat(done.get("removed").getAsLong() + done.get("mapsRemoved").getAsLong()).isZero();
            assertThat(all(lab)).isEqualTo(before);
            assertThat(done.get("volumes").getAsLong()).isEqualTo(3);
            assertThat(done.getAsJsonArray("damage")).isEmpty();
            assertThat(done.getAsJsonArray("notes")).isEmpty();
        }
    }

    @Test
    void overwrittenSnapshot_losesWhatNobodyNames_whileItsVolumeIsWritten() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 4 * BLOCK);
            byte[] whole = bytes(1 << 18, 1);
            for (int round = 0; round < 3; round++) {
                for (int at = 0; at < BLOCK; at += whole.length) {
                    ok(node.write("v", at, whole, 0));
                }
                snapshot(node, "v", "s" + round);
            }
            assertThat(data(lab)).hasSize(3);
            remove(lab, node, "s0");
            remove(lab, node, "s1");
            ok(node.write("v", BLOCK, bytes(UNIT, 2), 0));
            assertThat(gc(node).get("removed").getAsLong()).isEqualTo(2);
            assertThat(node.read("v", 0, whole.length).data()).isEqualTo(whole);
            assertThat(node.read("v", BLOCK, UNIT).data()).isEqualTo(bytes(UNIT, 2));
            assertThat(node.read("s2", 0, whole.length).data()).isEqualTo(whole);
        }
    }

    /** Removes and creates, cut off after each step that the store is asked for; what is left is gone after a collection of the next life. */
    @Test
    void halfDoneOperations_areFinished() throws Exception {
        for (int steps = 0; steps < 40; steps++) {
            try (Lab lab = new Lab()) {
                Node node = lab.node("n1");
                create(node, "keep", 2 * BLOCK);
                ok(node.write("keep", 0, bytes(UNIT, 1), 0));
                snapshot(node, "keep", "s");
                Lab.clone(node, "s", "v");
                ok(node.write("v", 0, bytes(UNIT, 2), 0));
                ok(node.call(Op.CLOSE, "v"));
                AtomicInteger left = new AtomicInteger(steps);
                lab.weather.rule(request -> changes(request.op()) && left.getAndDecrement() <= 0 ? Fate.held() : Fate.FINE);
                Thread victim = new Thread(() -> {
                    node.call(Op.DELETE, "v");
                    node.json(Op.CREATE, "w", "{\"origin\": \"s\", \"metadata\": {\"a\": \"b\"}}");
                    node.json(Op.RENAME, "s", "{\"to\": \"t\"}");
                    node.json(Op.SNAPSHOT, "w", "{\"name\": \"u\"}");
                    node.call(Op.DELETE, "u");
                });
                victim.setDaemon(true);
                victim.start();
                Weather weather = lab.weather;
                for (int i = 0; weather.held() == 0 && victim.isAlive() && i < 5000; i++) {
                    Thread.sleep(1);
                }
                lab.kill(node);
                Node next = lab.node("n1");
                gc(next);
                assertNothingIsLeft(lab, next, "after " + steps + " steps");
                assertThat(next.read("keep", 0, UNIT).data()).isEqualTo(bytes(UNIT, 1));
                String snapshot = next.call(Op.INFO, "s").status() == 0 ? "s" : "t";
                assertThat(next.read(snapshot, 0, UNIT).data()).isEqualTo(bytes(UNIT, 1));
            }
        }
    }

    private static boolean changes(int op) {
        return switch (op) {
            case Op.WRITE, Op.PUT, Op.CREATE, Op.DELETE, Op.RENAME -> true;
            default -> false;
        };
    }

    /** Each object belongs to a volume that there is. */
    private static void assertNothingIsLeft(Lab lab, Node node, String when) {
        Set<String> ids = new TreeSet<>();
        Set<String> origins = new TreeSet<>();
        for (String header : lab.objects("vol-")) {
            JsonObject info = node.info(header.substring(4));
            ids.add(info.get("id").getAsString());
        }
        for (String object : all(lab)) {
            if (object.startsWith("vol-")) {
                continue;
            }
            boolean known = ids.stream().anyMatch(object::contains);
            boolean named = origins.contains(object) || lab.objects("vol-").stream().anyMatch(header ->
                new String(lab.contents(header), StandardCharsets.UTF_8).contains(object));
            boolean data = object.matches("[0-9a-f]{32}-.*");
            assertThat(known || named || data).as(when + ": " + object).isTrue();
        }
        for (String id : ids) {
            assertThat(lab.objects("id-" + id)).as(when).hasSize(1);
        }
        assertThat(lab.objects("id-")).as(when).hasSize(ids.size());
    }

    /** A closed volume, and a snapshot that shares its block. */
    private static Node withSnapshot(Lab lab) {
        Node node = lab.node("n1");
        create(node, "v", 4 * BLOCK);
        ok(node.write("v", 0, bytes(UNIT, 1), 0));
        snapshot(node, "v", "s");
        ok(node.call(Op.CLOSE, "v"));
        return node;
    }

    @Test
    void headersWithoutRecords_getThem_andRecordsWithoutHeadersKeepAllTheyName() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = withSnapshot(lab);
            lab.objects("id-").forEach(record -> lab.store.delete(record, false));
            assertThat(gc(node).get("removed").getAsLong()).isZero();
            assertThat(lab.objects("id-")).hasSize(2);
            byte[] header = lab.contents("vol-s");
            lab.store.delete("vol-s", false);
            ok(node.call(Op.DELETE, "v"));
            Lab.await("reclaim", () -> lab.objects("id-").size() == 1);
            JsonObject done = gc(node);
            assertThat(done.get("removed").getAsLong()).isZero();
            assertThat(done.getAsJsonArray("damage").toString()).contains("volume s has lost its header").contains("vlmc check --repair s");
            lab.store.put("vol-s", header);
            assertThat(node.read("s", 0, UNIT).data()).isEqualTo(bytes(UNIT, 1));
        }
    }

    @Test
    void unreadableCheckpoint_stopsIt_beforeAnythingIsRemoved() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = withSnapshot(lab);
            lab.store.put("f0000000000000000000000000000000-00000001-00000000", SOMETHING);
            lab.objects("map-").forEach(map -> lab.store.put(map, SOMETHING));
            Set<String> before = all(lab);
            Reply reply = collectOnce(node);
            assertThat(reply.status()).isEqualTo(Errno.EUCLEAN);
            assertThat(reply.message()).contains("vlmc check --repair").contains("vlmc remove -f");
            assertThat(all(lab)).isEqualTo(before);
            ok(node.call(Op.DELETE, Op.FORCE, "v"));
            ok(node.call(Op.DELETE, Op.FORCE, "s"));
            gc(node);
            assertThat(all(lab)).isEmpty();
        }
    }

    private static Reply collectOnce(Node node) {
        String run = UUID.randomUUID().toString();
        Reply reply;
        do {
            reply = node.caller.call(Call.of(Node.MAPPER, Op.COLLECT, "*").data(("{\"run\": \"" + run + "\"}").getBytes(StandardCharsets.UTF_8)));
        } while (reply.status() == 0 && reply.message().contains("\"done\":false"));
        return reply;
    }

    @Test
    void contentAddressedObjects_areLeft_whileSomebodyMakesAnImage() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            String garbage = "sha256-" + "ab".repeat(32);
            lab.store.put(garbage, SOMETHING);
            lab.store.put("img-" + "cd".repeat(32), SOMETHING);
            lab.store.put("part-17", SOMETHING);
            lab.store.put("part-18", SOMETHING);
            lab.store.put("hash-17", new String(lockOf("n2"), StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8));
            JsonObject first = gc(node);
            assertThat(first.getAsJsonArray("notes").toString()).contains("content-addressed").contains("n2.test");
            assertThat(all(lab)).containsExactlyInAnyOrder(garbage, "img-" + "cd".repeat(32), "part-17", "hash-17");
            lab.store.put("hash-17", lockOf("n1")); // as of a former life of n1
            gc(node);
            assertThat(all(lab)).isEmpty();
        }
    }

    private static byte[] lockOf(String daemon) {
        java.util.Map<String, String> fields = new java.util.LinkedHashMap<>();
        fields.put("kind", "lease");
        fields.put("daemon", daemon);
        fields.put("node", daemon + ".test");
        fields.put("since", "1763800000");
        return org.archipelago.map.TextObject.encode("lock", 1, fields);
    }

    @Test
    void locksAndTheLike_goWithTheirVolume() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", BLOCK);
            String id = node.info("v").get("id").getAsString();
            String gone = "f".repeat(32);
            for (String kind : List.of("lock-", "shared-", "admin-", "doubt-", "info-")) {
                lab.store.put(kind + gone, lockOf("n2"));
            }
            lab.store.put("taken-" + gone + "-12ab", lockOf("n2"));
            lab.store.put("taken-" + id + "-12ab", lockOf("n2"));
            lab.store.put("lock-" + id, lockOf("n2"));
            lab.store.put("log-" + gone + "-00000003", SOMETHING);
            lab.store.put("map-" + gone + "-00000003", SOMETHING);
            lab.store.put("map-" + gone + "-00000003.2", SOMETHING);
            JsonObject done = gc(node);
            assertThat(done.get("mapsRemoved").getAsLong()).isEqualTo(10);
            assertThat(done.getAsJsonObject("held").toString()).isEqualTo("{\"n2.test\":1}");
            assertThat(all(lab)).containsExactlyInAnyOrder("vol-v", "id-" + id, "lock-" + id, "log-" + id + "-00000001");
        }
    }

    @Test
    void killedRun_isGoneOnWith_andLeavesNothing() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", BLOCK);
            for (int i = 0; i < 1000; i++) {
                lab.store.put("f%031x-00000001-%08x".formatted(i % 7, i), SOMETHING);
            }
            AtomicInteger deletes = new AtomicInteger();
            lab.weather.rule(request -> request.op() == Op.DELETE && deletes.incrementAndGet() > 300 ? Fate.held() : Fate.FINE);
            Thread run = new Thread(() -> collectOnce(node));
            run.setDaemon(true);
            run.start();
            Weather weather = lab.weather;
            Lab.await("the sweep", () -> weather.held() > 0);
            lab.kill(node);
            assertThat(data(lab).size()).isBetween(500, 800);
            Node next = lab.node("n1");
            gc(next);
            assertThat(data(lab)).isEmpty();
            assertThat(lab.objects("gc-")).isEmpty();
        }
    }

    /** Each time that the marking asks for records: a clone of the snapshot, a snapshot of the clone, and both former ones go. */
    @Test
    void namesThatAreHandedOnDuringTheMarking_areNotMissed() throws Exception {
        for (int round = 0; round < 12; round++) {
            try (Lab lab = new Lab()) {
                Node one = lab.node("n1");
                lab.weather = new Weather();
                Weather weather = lab.weather;
                Node two = lab.node("n2");
                create(one, "v", BLOCK);
                ok(one.write("v", 0, bytes(UNIT, 1), 0));
                snapshot(one, "v", "s0");
                ok(one.call(Op.DELETE, "v"));
                for (int i = 0; i < 12; i++) {
                    create(one, "filler" + i, BLOCK);
                }
                weather.rule(request -> request.op() == Op.SCAN && request.target().equals("id-") ? Fate.held() : Fate.FINE);
                CompletableFuture<JsonObject> collection = CompletableFuture.supplyAsync(() -> gc(two));
                int handed = 0;
                while (!collection.isDone()) {
                    if (weather.held() > 0 && handed < 6) {
                        handed++;
                        Lab.clone(one, "s" + (handed - 1), "c" + handed);
                        ok(one.call(Op.DELETE, "s" + (handed - 1)));
                        snapshot(one, "c" + handed, "s" + handed);
                        ok(one.call(Op.DELETE, "c" + handed));
                    } else if (handed == 6) {
                        weather.fair();
                    }
                    weather.release();
                    Thread.sleep(1);
                }
                collection.get();
                assertThat(one.read("s" + handed, 0, UNIT).data()).as("round " + round).isEqualTo(bytes(UNIT, 1));
            }
        }
    }

    @Test
    void marksThatNeedTooMuchMemory_areMadeInParts() throws Exception {
        System.setProperty("archipelago.gc.marks", "1");
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            for (int i = 0; i < 60; i++) {
                create(node, "v" + i, 70 * BLOCK);
                ok(node.write("v" + i, 0, bytes(UNIT, i), 0));
                ok(node.write("v" + i, 69 * BLOCK, bytes(UNIT, i), 0));
                snapshot(node, "v" + i, "s" + i);
                ok(node.call(Op.DELETE, "v" + i));
            }
            for (int i = 0; i < 60; i += 2) {
                remove(lab, node, "s" + i);
            }
            JsonObject done = gc(node);
            assertThat(done.get("parts").getAsInt()).isGreaterThan(1);
            assertThat(done.get("removed").getAsLong()).isEqualTo(60);
            assertThat(data(lab)).hasSize(60);
            for (int i = 1; i < 60; i += 2) {
                assertThat(node.read("s" + i, 69 * BLOCK, UNIT).data()).isEqualTo(bytes(UNIT, i));
            }
        } finally {
            System.clearProperty("archipelago.gc.marks");
        }
    }
}
