package org.archipelago.peer.volume;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonParser;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Volumes through the whole stack: composer, mapper, file blockers, real files. */
class VolumeTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path store;

    private static void ok(Reply reply) {
        assertThat(reply.status()).as(reply.message()).isZero();
    }

    private static byte[] bytes(int length, int seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static String size(long bytes) {
        return "{\"size\": " + bytes + "}";
    }

    @Test
    void blankVolume_readsZeros_thenWhatWasWritten() throws Exception {
        try (Node node = new Node("n1", store, 2)) {
            ok(node.json(Op.CREATE, "vol-a", size(64 * MIB)));
            assertThat(node.read("vol-a", 5 * MIB + 12345, 200_000).data()).containsOnly(0);
            byte[] data = bytes(200_000, 1);
            ok(node.write("vol-a", 3 * MIB + 777, data, 0));
            assertThat(node.read("vol-a", 3 * MIB + 777, 200_000).data()).isEqualTo(data);
            byte[] across = bytes(200_000, 2);
            ok(node.write("vol-a", 4 * MIB - 100_000, across, Op.FUA));
            assertThat(node.read("vol-a", 4 * MIB - 100_000, 200_000).data()).isEqualTo(across);
            ok(node.call(Op.FLUSH, "vol-a"));
        }
        try (Node node = new Node("n1", store, 1)) {
            assertThat(node.read("vol-a", 4 * MIB - 100_000, 200_000).data()).isEqualTo(bytes(200_000, 2));
        }
    }

    @Test
    void outOfRange_isRefused() throws Exception {
        try (Node node = new Node("n1", store, 1)) {
            ok(node.json(Op.CREATE, "v", size(MIB)));
            assertThat(node.read("v", MIB - 10, 11).status()).isEqualTo(Errno.EINVAL);
            assertThat(node.read("v", -1, 11).status()).isEqualTo(Errno.EINVAL);
            assertThat(node.write("v", MIB - 10, new byte[11], 0).status()).isEqualTo(Errno.ENOSPC);
            assertThat(node.read("nothing", 0, 11).status()).isEqualTo(Errno.ENOENT);
            assertThat(node.zero("v", Long.MAX_VALUE - 5, 11, 0).status()).isEqualTo(Errno.EINVAL);
        }
    }

    @Test
    void clone_sharesAndThenDiffers() throws Exception {
        try (Node node = new Node("n1", store, 1)) {
            ok(node.json(Op.CREATE, "base", size(16 * MIB)));
            byte[] image = bytes(250_000, 3);
            ok(node.write("base", MIB, image, 0));
            ok(node.json(Op.SNAPSHOT, "base", "{\"name\": \"snap\"}"));
            ok(node.json(Op.CREATE, "clone", "{\"origin\": \"snap\", \"size\": " + 32 * MIB + "}"));
            assertThat(node.read("clone", MIB, 250_000).data()).isEqualTo(image);
            byte[] sector = bytes(512, 4);
            ok(node.write("clone", MIB + 512, sector, 0));
            byte[] expected = image.clone();
            System.arraycopy(sector, 0, expected, 512, 512);
            assertThat(node.read("clone", MIB, 250_000).data()).isEqualTo(expected);
            assertThat(node.read("base", MIB, 250_000).data()).isEqualTo(image);
            assertThat(node.read("snap", MIB, 250_000).data()).isEqualTo(image);
            byte[] later = bytes(100, 5);
            ok(node.write("base", MIB, later, 0));
            assertThat(node.read("snap", MIB, 250_000).data()).isEqualTo(image);
            assertThat(node.write("snap", 0, sector, 0).status()).isEqualTo(Errno.EROFS);
            assertThat(node.info("clone").get("origin").getAsString()).isEqualTo("snap");
        }
    }

    @Test
    void names_mayBeTakenOnce() throws Exception {
        try (Node node = new Node("n1", store, 1)) {
            ok(node.json(Op.CREATE, "v", size(MIB)));
            Reply again = node.json(Op.CREATE, "v", size(MIB));
            assertThat(again.status()).isEqualTo(Errno.EEXIST);
            assertThat(again.message()).contains("v exists already");
            assertThat(node.json(Op.CREATE, "w", "{\"origin\": \"v\"}").message()).contains("not a snapshot");
            assertThat(node.json(Op.CREATE, "w", "{\"origin\": \"none\"}").status()).isEqualTo(Errno.ENOENT);
            assertThat(node.json(Op.CREATE, "../w", size(MIB)).status()).isEqualTo(Errno.EINVAL);
            ok(node.json(Op.SNAPSHOT, "v", "{\"name\": \"s\"}"));
            assertThat(node.json(Op.SNAPSHOT, "v", "{\"name\": \"s\"}").status()).isEqualTo(Errno.EEXIST);
            ok(node.json(Op.RENAME, "v", "{\"to\": \"v2\"}"));
            assertThat(node.call(Op.INFO, "v").status()).isEqualTo(Errno.ENOENT);
            ok(node.write("v2", 0, bytes(5000, 1), 0));
            assertThat(node.json(Op.RENAME, "v2", "{\"to\": \"s\"}").status()).isEqualTo(Errno.EEXIST);
            ok(node.call(Op.DELETE, "v2"));
            assertThat(node.read("v2", 0, 10).status()).isEqualTo(Errno.ENOENT);
            ok(node.call(Op.DELETE, "s"));
            assertThat(JsonParser.parseString(node.json(Op.LIST, "*", "{}").message()).getAsJsonObject()
                .getAsJsonArray("volumes").size()).isZero();
        }
    }

    @Test
    void grow_addsZeros() throws Exception {
        try (Node node = new Node("n1", store, 1)) {
            ok(node.json(Op.CREATE, "v", size(MIB)));
            ok(node.write("v", MIB - 4096, bytes(4096, 1), 0));
            ok(node.resize("v", 10 * MIB));
            assertThat(node.read("v", MIB, 100_000).data()).containsOnly(0);
            ok(node.write("v", 9 * MIB, bytes(4096, 2), 0));
            assertThat(node.resize("v", MIB).message()).contains("cannot shrink");
            assertThat(node.info("v").get("size").getAsLong()).isEqualTo(10 * MIB);
        }
    }

    @Test
    void lease_keepsOthersOut_untilClosed() throws Exception {
        try (Node one = new Node("n1", store, 1); Node two = new Node("n2", store, 1)) {
            ok(one.json(Op.CREATE, "v", size(8 * MIB)));
            ok(one.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            ok(one.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            ok(one.write("v", 4096, bytes(9000, 1), 0));
            assertThat(two.read("v", 4096, 9000).data()).isEqualTo(bytes(9000, 1));
            assertThat(two.write("v", 0, bytes(10, 1), 0).status()).isEqualTo(Errno.EBUSY);
            Reply refused = two.call(Op.OPEN, Op.EXCLUSIVE, "v");
            assertThat(refused.status()).isEqualTo(Errno.EBUSY);
            assertThat(refused.message()).contains("n1.test");
            ok(one.write("v", 4096, bytes(9000, 2), 0));
            ok(one.write("v", 5 * MIB, bytes(9000, 3), 0));
            assertThat(two.read("v", 4096, 9000).data()).isEqualTo(bytes(9000, 2));
            assertThat(two.read("v", 5 * MIB, 9000).data()).isEqualTo(bytes(9000, 3));
            ok(one.call(Op.CLOSE, "v"));
            ok(two.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            ok(two.write("v", 6 * MIB, bytes(9000, 4), 0));
            assertThat(one.read("v", 6 * MIB, 9000).data()).isEqualTo(bytes(9000, 4));
            assertThat(one.read("v", 5 * MIB, 9000).data()).isEqualTo(bytes(9000, 3));
            ok(two.call(Op.CLOSE, "v"));
            ok(two.call(Op.CLOSE, "v"));
        }
    }

    @Test
    void migration_handsTheLeaseOver_atTheFirstWrite() throws Exception {
        try (Node source = new Node("n1", store, 1); Node target = new Node("n2", store, 1)) {
            ok(source.json(Op.CREATE, "v", size(8 * MIB)));
            ok(source.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            ok(source.write("v", 0, bytes(9000, 1), 0));
            ok(target.call(Op.CLOSE, "v"));
            ok(source.call(Op.OPEN, Op.SHARED, "v"));
            ok(target.call(Op.OPEN, Op.SHARED, "v"));
            ok(source.write("v", MIB, bytes(9000, 2), 0));
            assertThat(target.read("v", MIB, 9000).data()).isEqualTo(bytes(9000, 2));
            ok(target.write("v", 2 * MIB, bytes(9000, 3), 0));
            assertThat(source.write("v", 2 * MIB, bytes(9000, 9), 0).status()).isEqualTo(Errno.EBUSY);
            assertThat(source.read("v", 2 * MIB, 9000).data()).isEqualTo(bytes(9000, 3));
            ok(source.call(Op.CLOSE, "v"));
            ok(target.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            ok(target.write("v", 5 * MIB, bytes(9000, 4), 0));
            assertThat(target.read("v", 0, 9000).data()).isEqualTo(bytes(9000, 1));
        }
    }

    @Test
    void discard_readsZeros_andStatusTells() throws Exception {
        try (Node node = new Node("n1", store, 1)) {
            ok(node.json(Op.CREATE, "v", size(16 * MIB)));
            ok(node.write("v", 4 * MIB, bytes(100_000, 1), 0));
            ok(node.zero("v", 4 * MIB + 1000, 50_000, Op.DISCARD));
            byte[] expected = bytes(100_000, 1);
            Arrays.fill(expected, 1000, 51_000, (byte) 0);
            assertThat(node.read("v", 4 * MIB, 100_000).data()).isEqualTo(expected);
            assertThat(node.read("v", 0, 100).data()).containsOnly(0);
            Reply status = node.caller.call(org.archipelago.peer.host.Caller.Call
                .of(Node.COMPOSER, Op.STATUS, "v").range(0, 16 * MIB));
            ok(status);
            assertThat(status.serviced()).isEqualTo(24);
            assertThat(status.data()[4]).isEqualTo((byte) 3);
            assertThat(status.data()[12]).isEqualTo((byte) 0);
        }
    }

    @Test
    void manySnapshots_readThroughABoundedStack() throws Exception {
        try (Node node = new Node("n1", store, 1)) {
            ok(node.json(Op.CREATE, "v", size(8 * MIB)));
            byte[] model = new byte[200_000];
            for (int round = 0; round < 20; round++) {
                byte[] piece = bytes(5000, round);
                ok(node.write("v", 7000 * round, piece, 0));
                System.arraycopy(piece, 0, model, 7000 * round, 5000);
                ok(node.json(Op.SNAPSHOT, "v", "{\"name\": \"s" + round + "\"}"));
                assertThat(node.read("v", 0, 200_000).data()).as("round " + round).isEqualTo(model);
                assertThat(node.read("s" + round, 0, 200_000).data()).as("round " + round).isEqualTo(model);
            }
        }
    }
}
