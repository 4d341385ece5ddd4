package org.archipelago.peer.volume;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.xseg.Op;

/** Nodes over one store in memory, with weather between, and what tests of them say again and again. */
final class Lab implements AutoCloseable {
    static final long MIB = 1 << 20;
    static final long BLOCK = 4 * MIB;
    static final int UNIT = 4096;

    final MemoryStore store = new MemoryStore();
    /** Of the nodes that are started next. */
    Weather weather = new Weather();
    private final List<Node> nodes = new ArrayList<>();

    Node node(String daemon) {
        return node(daemon, Node.BOOT, 1);
    }

    Node node(String daemon, String boot, int reactors) {
        Node node = new Node(daemon, boot, store, weather, reactors);
        nodes.add(node);
        return node;
    }

    /** As SIGKILL does; the nodes that are started next have new weather. */
    void kill(Node node) {
        weather.end();
        pause(); // until its threads wait for the store for ever: they may not use the segment any more
        weather = new Weather();
        nodes.remove(node);
        node.kill();
    }

    private static void pause() {
        try {
            Thread.sleep(100);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        nodes.forEach(Node::close);
    }

    static void ok(Reply reply) {
        assertThat(reply.status()).as(reply.message()).isZero();
    }

    static byte[] bytes(int length, int seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    static String size(long bytes) {
        return "{\"size\": " + bytes + "}";
    }

    static void create(Node node, String volume, long bytes) {
        ok(node.json(Op.CREATE, volume, size(bytes)));
    }

    static void snapshot(Node node, String volume, String snapshot) {
        ok(node.json(Op.SNAPSHOT, volume, "{\"name\": \"" + snapshot + "\"}"));
    }

    static void clone(Node node, String snapshot, String volume) {
        ok(node.json(Op.CREATE, volume, "{\"origin\": \"" + snapshot + "\"}"));
    }

    /** Collects garbage to the end; what it came to. */
    static JsonObject gc(Node node) {
        return gc(node, false);
    }

    static JsonObject gc(Node node, boolean dryRun) {
        String run = UUID.randomUUID().toString();
        while (true) {
            JsonObject answer = gcStep(node, run, dryRun);
            if (answer.get("done").getAsBoolean()) {
                return answer;
            }
        }
    }

    /** One step of a run. */
    static JsonObject gcStep(Node node, String run, boolean dryRun) {
        Reply reply = node.caller.call(Call.of(Node.MAPPER, Op.COLLECT, "*")
            .data(("{\"run\": \"" + run + "\", \"dryRun\": " + dryRun + "}").getBytes(StandardCharsets.UTF_8)));
        ok(reply);
        return JsonParser.parseString(reply.message()).getAsJsonObject();
    }

    /** Waits for what other threads bring about. */
    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + 10_000_000_000L;
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("waited for: " + what).isLessThan(deadline);
            Thread.sleep(1);
        }
    }

    /** Names of all objects that begin so. */
    List<String> objects(String prefix) {
        return store.list(prefix);
    }

    /** What is in an object, which must be there. */
    byte[] contents(String object) {
        MemoryStore.Content content = store.find(object).orElseThrow();
        return store.read(content, 0, (int) store.size(content));
    }
}
