package org.archipelago.peer.mapper;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Node;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several nodes that want one volume at the same time. */
class LeaseTest {
    private static final int NODES = 3;
    private static final int ROUNDS = 40;

    @TempDir
    Path store;

    private final AtomicInteger increments = new AtomicInteger();
    private final ConcurrentLinkedQueue<String> unexpected = new ConcurrentLinkedQueue<>();

    /** True when it went well, false when another was in the way; all else is noted. */
    private boolean tried(String what, Reply reply) {
        if (reply.status() != 0 && reply.status() != Errno.EBUSY && reply.status() != Errno.EAGAIN) {
            unexpected.add(what + ": " + Errno.text(reply.status()) + " " + reply.message());
        }
        return reply.status() == 0;
    }

    /** Adds one to a counter in the volume: lost if two nodes believe that they hold it. */
    private void increment(Node node) {
        Reply read = node.read("v", 5000, 8);
        if (tried("read", read) && tried("write", node.write("v", 5000,
                ByteBuffer.allocate(8).putLong(ByteBuffer.wrap(read.data()).getLong() + 1).array(), 0))) {
            increments.incrementAndGet();
        }
    }

    private void rounds(Node node, String name, long seed) {
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            if (!tried("open", node.call(Op.OPEN, Op.EXCLUSIVE, "v"))) {
                continue;
            }
            increment(node);
            tried("setinfo", node.json(Op.SETINFO, "v", "{\"" + name + "\": \"" + round + "\"}"));
            if (random.nextBoolean()) {
                tried("share", node.call(Op.OPEN, Op.SHARED, "v"));
                tried("setinfo", node.json(Op.SETINFO, "v", "{\"" + name + "\": \"shared\"}"));
            }
            tried("close", node.call(Op.CLOSE, "v"));
        }
    }

    @Test
    void oneHolderAtATime_whateverTheyDo() throws Exception {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("LeaseTest: -Darchipelago.seed=" + seed);
        List<Node> nodes = new ArrayList<>();
        try {
            for (int i = 0; i < NODES; i++) {
                nodes.add(new Node("n" + i, store, 1));
            }
            tried("create", nodes.get(0).json(Op.CREATE, "v", "{\"size\": 8388608}"));
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < NODES; i++) {
                int number = i;
                threads.add(new Thread(() -> rounds(nodes.get(number), "n" + number, seed + number)));
            }
            threads.forEach(Thread::start);
            for (Thread thread : threads) {
                thread.join(120_000);
                assertThat(thread.isAlive()).isFalse();
            }
            assertThat(unexpected).isEmpty();
            assertThat(increments.get()).isPositive();
            for (Node node : nodes) {
                assertThat(node.call(Op.OPEN, Op.EXCLUSIVE, "v").status()).isZero();
                assertThat(ByteBuffer.wrap(node.read("v", 5000, 8).data()).getLong()).isEqualTo(increments.get());
                assertThat(node.call(Op.CLOSE, "v").status()).isZero();
            }
            System.out.println("LeaseTest: " + increments + " times opened");
        } finally {
            nodes.forEach(Node::close);
        }
    }

    @Test
    void administratorsLock_staysOverClose_andNamesItsHolder() throws Exception {
        try (Node one = new Node("n1", store, 1); Node two = new Node("n2", store, 1)) {
            assertThat(one.json(Op.CREATE, "v", "{\"size\": 8388608}").status()).isZero();
            assertThat(one.call(Op.LOCK, "v").status()).isZero();
            assertThat(one.call(Op.LOCK, "v").status()).isZero();
            assertThat(one.call(Op.OPEN, Op.EXCLUSIVE, "v").status()).isZero();
            assertThat(one.call(Op.CLOSE, "v").status()).isZero();
            Reply refused = two.call(Op.OPEN, Op.EXCLUSIVE, "v");
            assertThat(refused.status()).isEqualTo(Errno.EBUSY);
            assertThat(refused.message()).contains("locked by the administrator").contains("n1.test");
            assertThat(two.call(Op.UNLOCK, "v").status()).isEqualTo(Errno.EBUSY);
            assertThat(two.call(Op.UNLOCK, Op.FORCE, "v").status()).isZero();
            assertThat(two.call(Op.OPEN, Op.EXCLUSIVE, "v").status()).isZero();
            assertThat(new String(one.call(Op.INFO, "v").data(), StandardCharsets.UTF_8)).contains("\"node\":\"n2.test\"");
        }
    }
}
