package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.UNIT;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.create;
import static org.archipelago.peer.volume.Lab.ok;
import static org.archipelago.peer.volume.Lab.snapshot;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.Sha256;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The content-addressed form of snapshots, over real files. */
@Timeout(120)
class ImagesTest {
    private static final int BLOCKS = 6;
    private static final int PIECE = 256 << 10;

    @TempDir
    Path store;

    private static Reply step(Node node, int op, String name, JsonObject argument) {
        return node.caller.call(Call.of(Node.MAPPER, op, name).data(argument.toString().getBytes(StandardCharsets.UTF_8)));
    }

    /** All steps of a long operation; the last answer, with all that was damaged. */
    private static JsonObject longRun(Node node, int op, String name, JsonObject argument) {
        argument.addProperty("run", UUID.randomUUID().toString());
        JsonArray damaged = new JsonArray();
        while (true) {
            JsonObject answer = parse(step(node, op, name, argument));
            if (answer.has("damaged")) {
                damaged.addAll(answer.getAsJsonArray("damaged"));
            }
            if (answer.has("done") && answer.get("done").getAsBoolean()) {
                answer.add("damaged", damaged);
                return answer;
            }
        }
    }

    private static JsonObject parse(Reply reply) {
        ok(reply);
        return JsonParser.parseString(reply.message()).getAsJsonObject();
    }

    private static JsonObject hash(Node node, String snapshot) {
        return longRun(node, Op.HASH, snapshot, new JsonObject());
    }

    private List<String> objects(String folder, String prefix) throws IOException {
        try (Stream<Path> files = Files.walk(store.resolve(folder))) {
            return files.filter(Files::isRegularFile).map(file -> file.getFileName().toString()).filter(name -> name.startsWith(prefix))
                .sorted().collect(Collectors.toList());
        }
    }

    private Path file(String folder, String name) throws IOException {
        try (Stream<Path> files = Files.walk(store.resolve(folder))) {
            return files.filter(file -> file.getFileName().toString().equals(name)).findFirst().orElseThrow();
        }
    }

    /** Writes random blocks, some of them equal, some ragged; returns all of the volume. */
    private static byte[] fill(Node node, String volume, long seed) {
        byte[] contents = new byte[(int) (BLOCKS * BLOCK)];
        Random random = new Random(seed);
        byte[] twice = bytes(256 << 10, (int) seed);
        for (int block : new int[] {1, 4}) { // equal ones
            System.arraycopy(twice, 0, contents, (int) (block * BLOCK), twice.length);
            ok(node.write(volume, block * BLOCK, twice, 0));
        }
        for (int i = 0; i < 20; i++) {
            int length = 1 + random.nextInt(40_000);
            int offset = (int) (2 * BLOCK) + random.nextInt((int) (2 * BLOCK) - length); // blocks 2 and 3
            byte[] bytes = bytes(length, random.nextInt());
            System.arraycopy(bytes, 0, contents, offset, length);
            ok(node.write(volume, offset, bytes, 0));
        }
        return contents;
    }

    private static void assertContents(Node node, String volume, byte[] contents) {
        for (int at = 0; at < contents.length; at += 256 << 10) {
            Reply reply = node.read(volume, at, 256 << 10);
            ok(reply);
            assertThat(java.util.Arrays.equals(reply.data(), 0, 256 << 10, contents, at, at + (256 << 10)))
                .as("%s at %d", volume, at).isTrue();
        }
    }

    @Test
    void hashedSnapshot_hasTheSameContents_eachBlockOnce() throws Exception {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("ImagesTest: -Darchipelago.seed=" + seed);
        byte[] contents;
        byte[] second;
        String root;
        try (Node node = new Node("n1", store, 2)) {
            create(node, "v", BLOCKS * BLOCK);
            contents = fill(node, "v", seed);
            snapshot(node, "v", "s1");
            ok(node.json(Op.CREATE, "c", "{\"origin\": \"s1\"}"));
            second = contents.clone();
            byte[] more = bytes(10_000, 5);
            System.arraycopy(more, 0, second, (int) (3 * BLOCK + 777), more.length);
            ok(node.write("c", 3 * BLOCK + 777, more, 0));
            snapshot(node, "c", "s2");
            JsonObject first = hash(node, "s1");
            root = first.get("root").getAsString();
            assertThat(first.get("stored").getAsInt()).isEqualTo(3); // 1 and 4 are equal, 0 and 5 are zeros
            JsonObject other = hash(node, "s2");
            assertThat(other.get("stored").getAsInt()).isEqualTo(1);
            assertThat(other.get("root").getAsString()).isNotEqualTo(root);
            assertThat(hash(node, "s1").get("root").getAsString()).isEqualTo(root);
            assertContents(node, "s1", contents);
            assertContents(node, "s2", second);
            ok(node.json(Op.CREATE, "d", "{\"origin\": \"s1\"}"));
            ok(node.write("d", 100, bytes(UNIT, 9), 0));
            System.arraycopy(bytes(UNIT, 9), 0, contents, 100, UNIT);
            ok(node.write("d", BLOCK + 100, bytes(UNIT, 10), 0));
            System.arraycopy(bytes(UNIT, 10), 0, contents, (int) BLOCK + 100, UNIT);
        }
        assertThat(objects("blocks", "sha256-")).hasSize(4);
        assertThat(objects("maps", "img-")).hasSize(4).contains("img-" + root);
        assertThat(objects("maps", "hash-")).isEmpty();
        assertThat(objects("blocks", "part-")).isEmpty();
        try (Node node = new Node("n1", store, 2)) {
            assertContents(node, "d", contents);
            assertContents(node, "s2", second);
        }
    }

    @Test
    void volumeThatBecomesAnImage_givesItsObjectsAway() throws Exception {
        byte[] contents;
        try (Node node = new Node("n1", store, 2)) {
            create(node, "temporary", BLOCKS * BLOCK);
            contents = fill(node, "temporary", 7);
            ok(node.call(Op.CLOSE, "temporary"));
            JsonObject into = new JsonObject();
            into.addProperty("into", "image");
            longRun(node, Op.HASH, "temporary", into);
            ok(node.call(Op.DELETE, "temporary"));
            assertContents(node, "image", contents);
            assertThat(node.write("image", 0, bytes(UNIT, 1), 0).status()).isEqualTo(Errno.EROFS);
        }
        assertThat(objects("blocks", "")).filteredOn(name -> name.startsWith("sha256-")).hasSize(3);
        assertThat(objects("blocks", "")).filteredOn(name -> name.matches("[0-9a-f]{32}-.*")).isEmpty();
        try (Node node = new Node("n1", store, 2)) {
            assertContents(node, "image", contents);
        }
    }

    @Test
    void volumeThatIsStillWritten_isHashedBehindItsWriter() throws Exception {
        int blocks = 24;
        long size = blocks * BLOCK;
        byte[] contents = new byte[(int) size];
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("ImagesTest: -Darchipelago.seed=" + seed);
        Random random = new Random(seed);
        try (Node node = new Node("n1", store, 2)) {
            create(node, "temporary", size);
            JsonObject run = new JsonObject();
            run.addProperty("run", "f0");
            run.addProperty("into", "image");
            int hashed = 0;
            for (int block = 0; block < blocks; block++) {
                byte[] data = new byte[(int) BLOCK];
                int kind = random.nextInt(4); // zeros, an equal one, half a block, a whole one
                if (kind > 0) {
                    (kind == 1 ? new Random(1) : random).nextBytes(data);
                    int length = (int) (kind == 2 ? BLOCK / 2 : BLOCK);
                    Arrays.fill(data, length, data.length, (byte) 0);
                    for (int at = 0; at < length; at += PIECE) {
                        ok(node.write("temporary", block * BLOCK + at, Arrays.copyOfRange(data, at, at + PIECE), 0));
                    }
                }
                System.arraycopy(data, 0, contents, (int) (block * BLOCK), data.length);
                ok(node.call(Op.FLUSH, "temporary"));
                JsonObject answer = follow(node, run);
                assertThat(answer.has("done")).isFalse();
                assertThat(answer.get("stored").getAsInt()).isZero(); // the volume is whole
                assertThat(answer.get("blocks").getAsInt()).isBetween(hashed, block);
                hashed = answer.get("blocks").getAsInt();
            }
            assertThat(hashed).isGreaterThan(0);
            becomesImage(node, run, contents);
        }
        assertThat(objects("blocks", "")).filteredOn(name -> name.matches("[0-9a-f]{32}-.*|part-.*")).isEmpty();
        assertThat(objects("maps", "hash-")).isEmpty();
        try (Node node = new Node("n1", store, 2)) {
            assertContents(node, "image", contents);
        }
    }

    @Test
    void volumeThatIsWrittenInAnyOrder_isHashedAsItIsInTheEnd() throws Exception {
        int blocks = 40;
        byte[] contents = new byte[(int) (blocks * BLOCK)];
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("ImagesTest: -Darchipelago.seed=" + seed);
        Random random = new Random(seed);
        JsonObject run = new JsonObject();
        run.addProperty("run", "f0");
        run.addProperty("into", "image");
        AtomicBoolean written = new AtomicBoolean();
        AtomicInteger steps = new AtomicInteger();
        try (Node node = new Node("n1", store, 2)) {
            create(node, "temporary", contents.length);
            contents[contents.length - 1] = 1;
            ok(node.write("temporary", contents.length - 1, new byte[] {1}, 0)); // so that all blocks are followed
            CompletableFuture<JsonObject> follower = CompletableFuture.supplyAsync(() -> {
                JsonObject answer = follow(node, run);
                while (!written.get()) {
                    steps.incrementAndGet();
                    answer = follow(node, run);
                }
                return follow(node, run);
            });
            for (int i = 0; i < 600; i++) {
                int at = random.nextInt(contents.length - PIECE);
                int length = 1 + random.nextInt(PIECE);
                int kind = random.nextInt(20);
                if (kind == 0) {
                    ok(node.call(Op.CLOSE, "temporary")); // what was written before the next OPEN nobody remembers
                } else if (kind < 4) {
                    at &= (int) -BLOCK;
                    length = (int) BLOCK;
                    Arrays.fill(contents, at, at + length, (byte) 0);
                    ok(node.zero("temporary", at, length, kind == 1 ? Op.DISCARD : 0));
                } else {
                    byte[] bytes = bytes(length, random.nextInt());
                    System.arraycopy(bytes, 0, contents, at, length);
                    ok(node.write("temporary", at, bytes, 0));
                }
            }
            written.set(true);
            assertThat(follower.get().get("stored").getAsInt()).isZero();
            System.out.println("ImagesTest: " + steps + " steps while it was written");
            becomesImage(node, run, contents);
        }
    }

    /** A step while the volume may be written. */
    private static JsonObject follow(Node node, JsonObject run) {
        return parse(node.caller.call(Call.of(Node.COMPOSER, Op.HASH, "temporary").flags(Op.EXCLUSIVE)
            .data(run.toString().getBytes(StandardCharsets.UTF_8))));
    }

    /** All is written: the rest is hashed, and it is an image with these contents, by its blocks and by its root. */
    private static void becomesImage(Node node, JsonObject run, byte[] contents) {
        follow(node, run);
        ok(node.call(Op.CLOSE, "temporary"));
        JsonObject answer = parse(step(node, Op.HASH, "temporary", run));
        assertThat(answer.get("done").getAsBoolean()).isTrue();
        ok(node.call(Op.DELETE, "temporary"));
        assertContents(node, "image", contents);
        Sha256 sha256 = new Sha256();
        byte[] table = new byte[(int) (contents.length / BLOCK) * Sha256.BYTES];
        for (int block = 0; block < contents.length / BLOCK; block++) {
            ByteBuffer bytes = ByteBuffer.wrap(contents, (int) (block * BLOCK), (int) BLOCK).slice();
            int length = Sha256.withoutTrailingZeros(bytes, bytes.limit());
            if (length > 0) {
                System.arraycopy(sha256.of(bytes.limit(length)), 0, table, block * Sha256.BYTES, Sha256.BYTES);
            }
        }
        assertThat(answer.get("root").getAsString()).isEqualTo(ImageLayer.of(table).root());
    }

    @Test
    void reader_whoseMapIsOutOfDate_findsTheImage() throws Exception {
        try (Node node = new Node("n1", store, 2); Node other = new Node("n2", store, 1)) {
            create(node, "v", BLOCKS * BLOCK);
            byte[] contents = fill(node, "v", 11);
            snapshot(node, "v", "s");
            ok(node.call(Op.CLOSE, "v"));
            assertContents(other, "s", contents);
            hash(node, "s");
            ok(node.call(Op.DELETE, "v"));
            for (String object : objects("blocks", "")) { // as garbage collection does
                if (object.matches("[0-9a-f]{32}-.*")) {
                    node.caller.call(Call.of(Node.BLOCKERB, Op.DELETE, object));
                    other.caller.call(Call.of(Node.BLOCKERB, Op.READ, object).flags(Op.FRESH).range(0, 1));
                }
            }
            assertContents(other, "s", contents);
        }
    }

    @Test
    void verify_namesEachDamagedBlock() throws Exception {
        List<String> objects;
        try (Node node = new Node("n1", store, 2)) {
            create(node, "v", BLOCKS * BLOCK);
            fill(node, "v", 3);
            snapshot(node, "v", "s");
            hash(node, "s");
            assertThat(longRun(node, Op.VERIFY, "s", new JsonObject()).getAsJsonArray("damaged")).isEmpty();
            assertThat(longRun(node, Op.VERIFY, "v", new JsonObject()).getAsJsonArray("damaged")).isEmpty();
            objects = objects("blocks", "sha256-");
            try (RandomAccessFile file = new RandomAccessFile(file("blocks", objects.get(0)).toFile(), "rw")) {
                file.seek(file.length() / 2);
                int there = file.read();
                file.seek(file.length() / 2);
                file.write(there ^ 1);
            }
            Files.delete(file("blocks", objects.get(1)));
            assertNamed(node, objects); // also the one that is gone, and was open
        }
        try (Node node = new Node("n1", store, 2)) {
            assertNamed(node, objects);
        }
    }

    private void assertNamed(Node node, List<String> objects) throws Exception {
        JsonArray damaged = longRun(node, Op.VERIFY, "s", new JsonObject()).getAsJsonArray("damaged");
        assertThat(damaged.toString()).contains(objects.get(0), objects.get(1)).doesNotContain(objects.get(2));
        assertThat(damaged.toString()).contains("contents are not those that its name says", "cannot read object");
    }

    @Test
    void whatCannotBeHashed_isRefused() throws Exception {
        try (Node node = new Node("n1", store, 2)) {
            create(node, "v", BLOCKS * BLOCK);
            snapshot(node, "v", "s");
            JsonObject run = new JsonObject();
            run.addProperty("run", "1");
            Reply volume = step(node, Op.HASH, "v", run);
            assertThat(volume.status()).isEqualTo(Errno.EINVAL);
            assertThat(volume.message()).contains("vlmc snapshot v NAME");
            run.addProperty("into", "x");
            assertThat(step(node, Op.HASH, "s", run).status()).isEqualTo(Errno.EINVAL);
            run.addProperty("into", "s");
            assertThat(step(node, Op.HASH, "v", run).status()).isEqualTo(Errno.EEXIST);
            run.addProperty("into", "../x");
            assertThat(step(node, Op.HASH, "v", run).status()).isEqualTo(Errno.EINVAL);
            assertThat(step(node, Op.HASH, "absent", run).status()).isEqualTo(Errno.EINVAL);
            assertThat(step(node, Op.HASH, "s", new JsonObject()).message()).contains("needs the name of a run");
            run = new JsonObject();
            run.addProperty("run", "2");
            assertThat(step(node, Op.HASH, "absent", run).status()).isEqualTo(Errno.ENOENT);
        }
        assertThat(objects("maps", "hash-")).isEmpty();
    }
}
