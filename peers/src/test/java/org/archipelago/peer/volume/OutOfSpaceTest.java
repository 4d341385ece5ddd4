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
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Weather.Fate;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A store, or one of the two, that is full from some step of an operation on: the operation is done or fails as a whole, what
 * there is can be read, and when there is space again it goes on as if nothing had been, and nothing is left over.
 */
@Timeout(300)
class OutOfSpaceTest {
    private static final int STEPS_MOST = 100;
    private static final Predicate<Request> NEEDS_SPACE = request -> switch (request.op()) {
        case Op.CREATE, Op.PUT, Op.WRITE -> true;
        case Op.ZERO -> request.has(Op.CREATE_ABSENT);
        default -> false;
    };
    private static final Predicate<Request> OF_DATA = request -> request.target().matches("[0-9a-f]{32}-.*|sha256-.*|part-.*");

    /** What is done; returns the last answer. */
    private interface Operation {
        Reply on(Node node);
    }

    /** What there is before, beside what there always is. */
    private interface Preparation {
        void of(Lab lab, Node node);
    }

    /** One that does something to volume v (open), closed, snapshot s of v, clone c of s, or makes "new". */
    private static Node setUp(Lab lab) {
        Node node = lab.node("n1");
        create(node, "v", 4 * BLOCK);
        ok(node.write("v", 0, bytes(2 * UNIT, 1), 0));
        ok(node.write("v", BLOCK, bytes(UNIT, 2), 0));
        snapshot(node, "v", "s");
        Lab.clone(node, "s", "c");
        ok(node.write("c", UNIT, bytes(UNIT, 3), 0));
        ok(node.call(Op.CLOSE, "c"));
        create(node, "closed", 4 * BLOCK);
        ok(node.write("closed", 0, bytes(UNIT, 5), 0));
        ok(node.call(Op.CLOSE, "closed"));
        ok(node.write("v", 2 * BLOCK, bytes(UNIT, 4), 0));
        return node;
    }

    private static Map<String, byte[]> contents(Node node) {
        Map<String, byte[]> contents = new TreeMap<>();
        for (String name : names(node)) {
            if (name.equals("damaged")) {
                continue;
            }
            byte[] all = new byte[0];
            for (int block = 0; block < 3; block++) {
                Reply reply = node.read(name, block * BLOCK, 3 * UNIT);
                ok(reply);
                all = Arrays.copyOf(all, all.length + reply.data().length);
                System.arraycopy(reply.data(), 0, all, all.length - reply.data().length, reply.data().length);
            }
            contents.put(name, all);
        }
        return contents;
    }

    private static List<String> names(Node node) {
        Reply reply = node.json(Op.LIST, "*", "{}");
        ok(reply);
        List<String> names = new java.util.ArrayList<>();
        JsonParser.parseString(reply.message()).getAsJsonObject().getAsJsonArray("volumes")
            .forEach(volume -> names.add(volume.getAsJsonObject().get("name").getAsString()));
        return names;
    }

    private static Reply run(Node node, int op, String name, String argument) {
        JsonObject json = JsonParser.parseString(argument).getAsJsonObject();
        json.addProperty("run", UUID.randomUUID().toString());
        Reply reply;
        do {
            reply = node.caller.call(Call.of(Node.MAPPER, op, name).data(json.toString().getBytes(StandardCharsets.UTF_8)));
        } while (reply.status() == 0 && reply.message().contains("\"done\":false"));
        return reply;
    }

    /** Everything is sound, and after a collection each object belongs to a volume that there is. */
    private static void assertNothingIsLeft(Lab lab, Node node, String when) {
        gc(node);
        List<String> names = names(node);
        List<String> ids = names.stream().map(name -> node.info(name).get("id").getAsString()).collect(Collectors.toList());
        List<String> headers = lab.objects("vol-").stream().map(header -> new String(lab.contents(header), StandardCharsets.UTF_8))
            .collect(Collectors.toList());
        for (String object : lab.objects("")) {
            boolean shared = object.matches("vol-.*|old.*|hidden-old|names-.*|sha256-.*|img-.*|[0-9a-f]{32}-.*");
            boolean known = ids.stream().anyMatch(object::contains);
            String checkpoint = object.replaceAll("\\.2$", "");
            boolean named = headers.stream().anyMatch(header -> header.contains(checkpoint));
            assertThat(object.matches("(map|log)-.*") ? named : shared || known).as(when + ": " + object + " is left").isTrue();
        }
        assertThat(lab.objects("id-")).as(when).hasSize(ids.size()).allMatch(record ->
            new String(lab.contents(record), StandardCharsets.UTF_8).contains("state live"));
        for (String name : names) {
            Reply checked = run(node, Op.CHECK, name, "{}");
            ok(checked);
            assertThat(checked.message()).as(when + ": check of " + name).contains("\"findings\":[]");
        }
    }

    /**
     * @param which part of the store is full
     * @param operation can be repeated; what it answers then is success
     * @param frees whether it must be done on a full store
     */
    private static void atEachStep(String what, Predicate<Request> which, Preparation preparation, boolean frees,
            Operation operation) {
        int step = 0;
        AtomicInteger refused = new AtomicInteger(1);
        for (; refused.get() > 0; step++) {
            assertThat(step).as(what).isLessThan(STEPS_MOST);
            String when = what + ", full from step " + step + " on";
            try (Lab lab = new Lab()) {
                Node node = setUp(lab);
                preparation.of(lab, node);
                Map<String, byte[]> before = contents(node);
                AtomicInteger left = new AtomicInteger(step);
                refused.set(0);
                lab.weather.rule(request -> {
                    boolean full = NEEDS_SPACE.and(which).test(request) && left.getAndDecrement() <= 0;
                    refused.addAndGet(full ? 1 : 0);
                    return full ? Fate.failed(Errno.ENOSPC) : Fate.FINE;
                });
                Reply reply = operation.on(node);
                assertThat(reply.status()).as(when + ": " + reply.message())
                    .isIn(frees ? new Object[] {0} : new Object[] {0, Errno.ENOSPC});
                if (reply.status() != 0) {
                    assertThat(reply.message()).as(when).doesNotContain("defect");
                    contents(node).forEach((name, found) -> {
                        if (before.containsKey(name) && !what.contains("to " + name)) { // of what failed, any part may be done
                            assertThat(found).as(when + ": " + name).isEqualTo(before.get(name));
                        }
                    });
                    lab.weather.fair();
                    ok(operation.on(node));
                }
                lab.weather.fair();
                Map<String, byte[]> after = contents(node);
                assertNothingIsLeft(lab, node, when);
                Map<String, byte[]> collected = contents(node);
                assertThat(collected.keySet()).as(when).isEqualTo(after.keySet());
                after.forEach((name, found) -> assertThat(collected.get(name)).as(when + ": " + name).isEqualTo(found));
                lab.kill(node);
                Map<String, byte[]> next = contents(lab.node("n1"));
                after.forEach((name, found) -> assertThat(next.get(name)).as(when + ", after a kill: " + name).isEqualTo(found));
            }
        }
    }

    private static void atEachStep(String what, Preparation preparation, boolean frees, Operation operation) {
        atEachStep(what, request -> true, preparation, frees, operation);
        atEachStep(what + " (data)", OF_DATA, preparation, frees, operation);
        atEachStep(what + " (maps)", OF_DATA.negate(), preparation, frees, operation);
    }

    private static void atEachStep(String what, boolean frees, Operation operation) {
        atEachStep(what, (lab, node) -> { }, frees, operation);
    }

    @Test
    void writesAndFlushes() {
        atEachStep("write to v", false, node -> node.write("v", BLOCK + UNIT / 2, bytes(2 * UNIT, 7), 0));
        atEachStep("write to c, closed", false, node -> node.write("c", 100, bytes(2 * UNIT, 7), 0));
        atEachStep("write to v, and flush", false, node -> {
            Reply written = node.write("v", 3 * BLOCK, bytes(UNIT, 7), 0);
            return written.status() != 0 ? written : node.call(Op.FLUSH, "v");
        });
        atEachStep("zeros to c", false, node -> node.zero("c", 0, UNIT, 0));
        atEachStep("zeros to v", false, node -> node.zero("v", 0, BLOCK, 0));
    }

    @Test
    void making() {
        atEachStep("create", false, node -> node.json(Op.CREATE, "new", "{\"size\": 16777216, \"metadata\": {\"a\": \"b\"}}"));
        atEachStep("clone", false, node -> node.json(Op.CREATE, "new", "{\"origin\": \"s\"}"));
        atEachStep("snapshot", false, node -> node.json(Op.SNAPSHOT, "v", "{\"name\": \"new\"}"));
        atEachStep("snapshot of a closed volume", false, node -> node.json(Op.SNAPSHOT, "closed", "{\"name\": \"new\"}"));
    }

    @Test
    void changing() {
        atEachStep("close", false, node -> node.call(Op.CLOSE, "v")); // which flushes
        atEachStep("open", false, node -> node.call(Op.OPEN, "closed"));
        atEachStep("grow", false, node -> node.resize("v", 6 * BLOCK));
        atEachStep("grow of a closed volume", false, node -> node.resize("closed", 6 * BLOCK));
        atEachStep("setinfo", false, node -> node.json(Op.SETINFO, "v", "{\"a\": \"b\"}"));
        atEachStep("rename", false, node -> renamed(node, "v"));
        atEachStep("rename of a closed volume", false, node -> renamed(node, "closed"));
        atEachStep("rename of a snapshot", false, node -> renamed(node, "s"));
        atEachStep("lock", false, node -> node.call(Op.LOCK, "v"));
    }

    private static Reply renamed(Node node, String name) {
        return node.json(Op.RENAME, name, "{\"to\": \"new\"}");
    }

    @Test
    void images() {
        atEachStep("hash", false, node -> run(node, Op.HASH, "s", "{}"));
        atEachStep("hash to closed", false, node -> {
            if (!names(node).contains("closed")) {
                return node.call(Op.INFO, "v");
            }
            Reply hashed = run(node, Op.HASH, "closed", "{\"into\": \"new\"}");
            removed(node, "closed"); // as import does, however it comes out
            return hashed;
        });
    }

    @Test
    void whatOnlyReads() {
        atEachStep("verify", true, node -> run(node, Op.VERIFY, "s", "{}"));
        atEachStep("check", true, node -> run(node, Op.CHECK, "v", "{}"));
        atEachStep("usage", true, node -> run(node, Op.USAGE, "*", "{}"));
    }

    @Test
    void whatFreesSpace() {
        atEachStep("remove of an open volume", true, node -> removed(node, "v"));
        atEachStep("remove of a closed volume", true, node -> removed(node, "closed"));
        atEachStep("remove of a clone", true, node -> removed(node, "c"));
        atEachStep("remove of a snapshot", true, node -> removed(node, "s"));
        atEachStep("remove of what is damaged", (lab, node) -> {
            create(node, "damaged", 4 * BLOCK);
            ok(node.write("damaged", 0, bytes(UNIT, 6), 0));
            ok(node.call(Op.CLOSE, "damaged"));
            String id = node.info("damaged").get("id").getAsString();
            lab.objects("log-" + id).forEach(log -> lab.store.put(log, new byte[] {1}));
        }, true, node -> node.call(Op.DELETE, Op.FORCE, "damaged"));
        atEachStep("breaking a lease", (lab, node) -> ok(lab.node("n2").call(Op.OPEN, "closed")), true,
            node -> node.call(Op.UNLOCK, Op.FORCE, "closed"));
        atEachStep("taking over what is shared", (lab, node) -> {
            Node other = lab.node("n2");
            ok(other.call(Op.OPEN, "closed"));
            ok(other.write("closed", 0, bytes(UNIT, 8), 0));
            ok(other.call(Op.OPEN, Op.SHARED, "closed"));
        }, false, node -> node.call(Op.OPEN, "closed"));
    }

    /** It needs room for one small object, so that no record goes while it marks. */
    @Test
    void garbageCollection() {
        String garbage = "f".repeat(32) + "-00000001-00000000";
        Preparation preparation = (lab, node) -> {
            lab.store.put(garbage, new byte[] {1});
            lab.store.delete("id-" + node.info("s").get("id").getAsString(), false); // is given one
            ok(run(node, Op.HASH, "s", "{}"));
        };
        atEachStep("gc", preparation, false, node -> run(node, Op.COLLECT, "*", "{}"));
        try (Lab lab = new Lab()) {
            Node node = setUp(lab);
            preparation.of(lab, node);
            lab.weather.rule(request -> NEEDS_SPACE.test(request) && !request.target().equals("gc-mark") ? Fate.failed(Errno.ENOSPC)
                : Fate.FINE);
            Reply collected = run(node, Op.COLLECT, "*", "{}");
            ok(collected);
            assertThat(collected.message()).contains("content-addressed objects were left as they are: the store is too full");
            assertThat(lab.objects(garbage)).isEmpty();
        }
    }

    @Test
    void repairs() {
        atEachStep("check --repair", (lab, node) -> {
            lab.objects("").stream().filter(object -> object.matches("map-.*\\.2|id-.*"))
                .forEach(object -> ok(node.caller.call(Call.of(Node.BLOCKERM, Op.DELETE, object))));
        }, false, node -> {
            Reply last = run(node, Op.CHECK, "v", "{\"repair\": true}");
            for (String name : List.of("s", "c", "closed")) {
                last = last.status() == 0 ? run(node, Op.CHECK, name, "{\"repair\": true}") : last;
            }
            return last;
        });
    }

    /** Where the blocker answers with a number alone. */
    @Test
    void messages_nameTheStore_andWhatToDo() {
        try (Lab lab = new Lab()) {
            Node node = setUp(lab);
            lab.weather.rule(request -> NEEDS_SPACE.test(request) ? Fate.failed(Errno.ENOSPC) : Fate.FINE);
            for (Reply failed : List.of(node.json(Op.CREATE, "new", "{\"size\": 4096}"), node.resize("closed", 8 * BLOCK),
                    node.json(Op.SETINFO, "v", "{\"a\": \"b\"}"), renamed(node, "s"), run(node, Op.COLLECT, "*", "{}"))) {
                assertThat(failed.status()).isEqualTo(Errno.ENOSPC);
                assertThat(failed.message()).contains("the store of maps (the role at port " + Node.BLOCKERM + ")").contains("no space left")
                    .contains("free space");
            }
            lab.weather.rule(request -> OF_DATA.test(request) && request.op() == Op.READ ? Fate.failed(Errno.EIO) : Fate.FINE);
            Reply hashed = run(node, Op.HASH, "s", "{}");
            assertThat(hashed.status()).isEqualTo(Errno.EIO);
            assertThat(hashed.message()).contains("the store of data (the role at port " + Node.BLOCKERB + ")").contains("input/output error")
                .contains("log");
        }
    }

    @Test
    void upgrade() {
        Node.upgradesOriginal = true;
        try {
            atEachStep("upgrade", (lab, node) -> layOutOriginal(lab), false, node -> node.call(Op.OPEN, "old"));
            atEachStep("remove of what was upgraded", (lab, node) -> {
                layOutOriginal(lab);
                ok(node.call(Op.OPEN, "old"));
                ok(node.call(Op.CLOSE, "old"));
            }, true, node -> removed(node, "old"));
        } finally {
            Node.upgradesOriginal = false;
        }
    }

    /** A volume of 12 MiB, all zeros. */
    private static void layOutOriginal(Lab lab) {
        lab.store.put("old", OriginalStore.hex("414d462e 00000002 0000000000c00000 00400000 00000000 0000000000000002"));
        String zeros = OriginalVolumesTest.entry(4, OriginalVolumesTest.NOTHING);
        lab.store.put("old_0000000000000000", OriginalStore.hex(zeros, zeros, zeros));
    }

    @Test
    void longLogs() {
        long usual = Node.longLog;
        Node.longLog = 8;
        try {
            atEachStep("many writes to v", false, node -> {
                Reply last = node.call(Op.INFO, "v");
                for (int i = 0; i < 24 && last.status() == 0; i++) {
                    last = node.write("v", 3 * BLOCK + 2 * i * UNIT, bytes(UNIT, i), 0);
                    last = last.status() == 0 && i % 4 == 0 ? node.call(Op.FLUSH, "v") : last;
                }
                return last;
            });
        } finally {
            Node.longLog = usual;
        }
    }

    private static Reply removed(Node node, String name) {
        String id = node.info(name).get("id").getAsString();
        Reply reply = node.call(Op.DELETE, name);
        try {
            Lab.await("the reclaim", () -> node.caller.call(Call.of(Node.BLOCKERM, Op.INFO, "id-" + id)).status() != 0);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return reply;
    }
}
