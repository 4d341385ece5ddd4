package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.MIB;
import static org.archipelago.peer.volume.Lab.UNIT;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.create;
import static org.archipelago.peer.volume.Lab.ok;
import static org.archipelago.peer.volume.Lab.snapshot;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Weather.Effect;
import org.archipelago.peer.volume.Weather.Fate;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A snapshot of a volume that goes on, held up, failed and cut off at each of its steps. */
@Timeout(120)
class SealTest {
    static final String NEXT_BOOT = "fedcba9876543210fedcba9876543210";
    private static final long SLOW_NANOS = 300_000_000L;
    static final int SEEDS = Integer.getInteger("archipelago.cuts", 8);

    private final long seed = Long.getLong("archipelago.seed", System.nanoTime());

    /** A step of a snapshot, as the store sees it. */
    enum Step {
        PREPARE(r -> r.op() == Op.CREATE && isLog(r)),
        SEAL(r -> r.op() == Op.WRITE && isLog(r)),
        SYNC_OF_DATA(r -> r.op() == Op.SYNC && r.target().matches("[0-9a-f]{32}-.*")),
        SYNC_OF_LOG(r -> r.op() == Op.SYNC && isLog(r)),
        CHECKPOINT(r -> r.op() == Op.PUT && r.target().startsWith("map-")),
        HEADER(r -> r.op() == Op.PUT && r.target().startsWith("vol-")),
        FORMER_LOG(r -> r.op() == Op.DELETE && isLog(r)),
        NAME(r -> r.op() == Op.CREATE && r.target().startsWith("vol-"));

        final Predicate<Request> is;

        Step(Predicate<Request> is) {
            this.is = is;
        }

        private static boolean isLog(Request request) {
            return request.target().startsWith("log-");
        }
    }

    /** From the step on every request that matches it shares a fate. */
    static void fate(Lab lab, Step step, Fate fate) {
        lab.weather.rule(request -> step.is.test(request) ? fate : Fate.FINE);
    }

    static CompletableFuture<Reply> snapshotBeside(Node node, String volume, String snapshot) {
        return CompletableFuture.supplyAsync(() -> node.json(Op.SNAPSHOT, volume, "{\"name\": \"" + snapshot + "\"}"),
            task -> {
                Thread thread = new Thread(task);
                thread.setDaemon(true);
                thread.start();
            });
    }

    private static void reads(Node node, String volume, int block, int content) {
        byte[] expected = content == 0 ? new byte[UNIT] : bytes(UNIT, content);
        assertThat(node.read(volume, block * BLOCK, UNIT).data()).as(volume + " block " + block).isEqualTo(expected);
    }

    /** Blocks 0 to 3 hold 10 to 13, the first two durably. */
    private static Node written(Lab lab) {
        Node node = lab.node("n1");
        create(node, "v", 64 * MIB);
        for (int block = 0; block < 4; block++) {
            ok(node.write("v", block * BLOCK, bytes(UNIT, 10 + block), 0));
            if (block == 1) {
                ok(node.call(Op.FLUSH, "v"));
            }
        }
        return node;
    }

    // --- the pause

    /** The machine may have its own pauses, but hardly three times. */
    @Test
    void pause_isShort_whateverTheDiskTakes() throws Exception {
        long longest = longestPause();
        for (int again = 0; longest >= 100 && again < 2; again++) {
            longest = Math.min(longest, longestPause());
        }
        assertThat(longest).isLessThan(100);
    }

    /** Milliseconds that a client waited for a write or a read while a snapshot was made over a slow disk. */
    private static long longestPause() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = written(lab);
            for (int block = 4; block < 16; block++) {
                ok(node.write("v", block * BLOCK, bytes(UNIT, block), 0));
            }
            lab.weather.rule(request -> switch (request.op()) {
                case Op.SYNC, Op.PUT, Op.CREATE, Op.DELETE, Op.RENAME -> new Fate(0, Effect.WHOLE, SLOW_NANOS, 0);
                default -> request.has(Op.FUA) ? Fate.late(SLOW_NANOS) : Fate.FINE;
            });
            Client client = new Client(node.host, "v", 8, UNIT);
            AtomicBoolean stop = new AtomicBoolean();
            List<Long> pauses = new ArrayList<>();
            Thread writer = new Thread(() -> {
                for (int i = 0; !stop.get(); i++) {
                    long begin = System.nanoTime();
                    try {
                        assertThat(Client.status(client.write(i % 16 * BLOCK, bytes(UNIT, 1000 + i), 0))).isZero();
                        ok(node.read("v", i % 16 * BLOCK, UNIT));
                        pauses.add((System.nanoTime() - begin) / 1_000_000);
                        Thread.sleep(1); // the store in memory keeps a copy of each write
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                }
            });
            writer.start();
            CompletableFuture<Client.Answer> flush = client.flush(); // under way when the snapshot begins, and much longer
            CompletableFuture<Client.Answer> durable = client.write(63 * MIB, bytes(UNIT, 1), Op.FUA);
            long begin = System.nanoTime();
            snapshot(node, "v", "s");
            assertThat(System.nanoTime() - begin).as("it waits for the disk itself").isGreaterThan(3 * SLOW_NANOS);
            assertThat(Client.status(flush)).isZero();
            assertThat(Client.status(durable)).isZero();
            stop.set(true);
            writer.join();
            lab.weather.fair();
            long longest = pauses.stream().mapToLong(Long::longValue).max().orElseThrow();
            System.out.println("SealTest: longest request across a snapshot " + longest + " ms of " + pauses.size() + " requests");
            return longest;
        }
    }

    @Test
    void snapshot_isOfTheMomentOfItsSeal() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = written(lab);
            fate(lab, Step.SYNC_OF_DATA, Fate.held());
            CompletableFuture<Reply> snapshot = snapshotBeside(node, "v", "s");
            Lab.await("the flush", () -> lab.weather.held() > 0);
            ok(node.write("v", 0, bytes(UNIT, 20), 0));
            ok(node.write("v", 5 * BLOCK, bytes(UNIT, 25), 0));
            assertThat(snapshot).isNotDone();
            lab.weather.fair();
            lab.weather.release();
            ok(snapshot.get());
            for (int block = 0; block < 4; block++) {
                reads(node, "s", block, 10 + block);
            }
            reads(node, "s", 5, 0);
            reads(node, "v", 0, 20);
            reads(node, "v", 1, 11);
            reads(node, "v", 5, 25);
        }
    }

    @Test
    void snapshotsInARow_eachHaveTheirMoment() {
        try (Lab lab = new Lab()) {
            Node node = written(lab);
            for (int i = 0; i < 10; i++) {
                ok(node.write("v", (i % 3) * BLOCK, bytes(UNIT, 100 + i), 0));
                snapshot(node, "v", "s" + i);
            }
            for (int i = 0; i < 10; i++) {
                reads(node, "s" + i, i % 3, 100 + i);
            }
            assertThat(lab.objects("log-")).hasSize(1);
        }
    }

    @Test
    void nameThatIsThere_isRefusedBeforeAnythingIsSealed() {
        try (Lab lab = new Lab()) {
            Node node = written(lab);
            snapshot(node, "v", "s");
            List<String> before = lab.objects("");
            Reply again = node.json(Op.SNAPSHOT, "v", "{\"name\": \"s\"}");
            assertThat(again.status()).isEqualTo(Errno.EEXIST);
            assertThat(again.message()).contains("s exists already");
            assertThat(lab.objects("")).isEqualTo(before);
            reads(node, "s", 0, 10);
        }
    }

    // --- a crash at each step

    @Test
    void killedAtAnyStep_nothingAnsweredIsLost() throws Exception {
        eachStep(1, (lab, when, answered) -> {
            Node next = lab.node("n1");
            for (int block = 0; block < 4; block++) {
                reads(next, "v", block, block == 0 && answered ? 20 : 10 + block);
            }
            reads(next, "v", 5, answered ? 25 : 0);
            goesOn(lab, next, when);
        });
    }

    @Test
    void powerCutAtAnyStep_whatWasFlushedIsThere() throws Exception {
        eachStep(SEEDS, (lab, when, answered) -> {
            lab.store.cut(new Random(seed + when.hashCode()));
            Node next = lab.node("n1", NEXT_BOOT, 1);
            byte[] first = next.read("v", 0, UNIT).data();
            assertThat(Arrays.equals(first, bytes(UNIT, 10)) || answered && Arrays.equals(first, bytes(UNIT, 20)))
                .as(when + ": the first block").isTrue();
            reads(next, "v", 1, 11);
            for (int block : new int[] {2, 3, 5}) { // not flushed: there or not
                byte[] read = next.read("v", block * BLOCK, UNIT).data();
                byte[] wrote = bytes(UNIT, block == 5 ? 25 : 10 + block);
                assertThat(Arrays.equals(read, new byte[UNIT]) || Arrays.equals(read, wrote))
                    .as(when + ": block " + block).isTrue();
            }
            goesOn(lab, next, when);
        });
    }

    private interface Aftermath {
        void check(Lab lab, String when, boolean answered) throws Exception;
    }

    /** Holds a snapshot up before and after each step, writes on where that can be, and kills the daemon. */
    private void eachStep(int times, Aftermath aftermath) throws Exception {
        System.out.println("SealTest: -Darchipelago.seed=" + seed);
        for (Step step : Step.values()) {
            for (boolean after : new boolean[] {false, true}) {
                for (int i = 0; i < times; i++) {
                    String when = (after ? "after " : "before ") + step + " seed " + seed + " round " + i;
                    try (Lab lab = new Lab()) {
                        Node node = written(lab);
                        fate(lab, step, after ? Fate.heldAfter() : Fate.held());
                        snapshotBeside(node, "v", "s");
                        Lab.await(when, () -> lab.weather.held() > 0);
                        boolean goesOn = step != Step.SEAL && step != Step.PREPARE;
                        if (goesOn) {
                            ok(node.write("v", 0, bytes(UNIT, 20), 0));
                            ok(node.write("v", 5 * BLOCK, bytes(UNIT, 25), 0));
                        }
                        lab.kill(node);
                        aftermath.check(lab, when, goesOn);
                    }
                }
            }
        }
    }

    /** The volume can be written, flushed, made a snapshot of, and survives a further power cut. */
    private static void goesOn(Lab lab, Node node, String when) {
        boolean there = node.call(Op.INFO, "s").status() == 0;
        if (there) {
            reads(node, "s", 0, 10);
            reads(node, "s", 3, 13);
            reads(node, "s", 5, 0);
        }
        for (int block = 0; block < 8; block++) {
            ok(node.write("v", block * BLOCK + UNIT, bytes(UNIT, 40 + block), 0));
            assertThat(node.read("v", block * BLOCK + 2 * UNIT, UNIT).data()).as(when + ": beside").containsOnly(0);
        }
        byte[] first = node.read("v", 0, UNIT).data();
        ok(node.json(Op.SNAPSHOT, "v", "{\"name\": \"later\"}"));
        ok(node.write("v", 0, bytes(UNIT, 50), 0));
        assertThat(node.read("later", 0, UNIT).data()).as(when).isEqualTo(first);
        ok(node.call(Op.FLUSH, "v"));
        lab.kill(node);
        lab.store.cut(new Random(1));
        Node last = lab.node("n1", "00000000000000000000000000000001", 1);
        reads(last, "v", 0, 50);
        for (int block = 0; block < 8; block++) {
            assertThat(last.read("v", block * BLOCK + UNIT, UNIT).data()).as(when + ": at last").isEqualTo(bytes(UNIT, 40 + block));
        }
        assertThat(last.read("later", 0, UNIT).data()).as(when).isEqualTo(first);
        ok(last.call(Op.CLOSE, "v"));
    }

    // --- failures

    @Test
    void stepThatFails_failsTheSnapshotAlone() {
        for (Step step : Step.values()) {
            for (Effect effect : Effect.values()) {
                try (Lab lab = new Lab()) {
                    Node node = written(lab);
                    fate(lab, step, new Fate(Errno.EIO, effect, 0, 0));
                    int status = node.json(Op.SNAPSHOT, "v", "{\"name\": \"s\"}").status();
                    lab.weather.fair();
                    String when = step + " " + effect;
                    assertThat(status).as(when).isEqualTo(step == Step.FORMER_LOG ? 0 : Errno.EIO);
                    for (int block = 0; block < 4; block++) {
                        reads(node, "v", block, 10 + block);
                    }
                    ok(node.write("v", 0, bytes(UNIT, 10), 0));
                    goesOn(lab, node, when);
                }
            }
        }
    }

    @Test
    void failedFlushAfterTheSeal_isMadeUpForByTheNext() {
        for (int round = 0; round < SEEDS; round++) {
            try (Lab lab = new Lab()) {
                Node node = written(lab);
                AtomicInteger syncs = new AtomicInteger();
                lab.weather.rule(r -> Step.SYNC_OF_DATA.is.test(r) && syncs.incrementAndGet() == 1 ? Fate.failed(Errno.EIO) : Fate.FINE);
                assertThat(node.json(Op.SNAPSHOT, "v", "{\"name\": \"s\"}").status()).isEqualTo(Errno.EIO);
                ok(node.write("v", 0, bytes(UNIT, 20), 0)); // in the new epoch
                ok(node.call(Op.FLUSH, "v"));
                lab.kill(node);
                lab.store.cut(new Random(seed + round));
                Node next = lab.node("n1", NEXT_BOOT, 1);
                reads(next, "v", 0, 20);
                reads(next, "v", 2, 12); // of the former one
                reads(next, "v", 3, 13);
            }
        }
    }

    @Test
    void sealedLogThatIsLost_isReplaced() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = written(lab);
            lab.weather.rule(r -> r.op() == Op.SYNC && r.target().matches("log-.*-00000001") ? Fate.failed(Errno.EIO) : Fate.FINE);
            assertThat(node.json(Op.SNAPSHOT, "v", "{\"name\": \"s\"}").status()).isEqualTo(Errno.EIO);
            Lab.await("another log", () -> lab.objects("log-").stream().noneMatch(name -> name.endsWith("-00000001") || name.endsWith("-00000002")));
            ok(node.write("v", 5 * BLOCK, bytes(UNIT, 25), 0));
            ok(node.call(Op.FLUSH, "v"));
            lab.kill(node);
            lab.store.cut(new Random(seed));
            Node next = lab.node("n1", NEXT_BOOT, 1);
            reads(next, "v", 3, 13);
            reads(next, "v", 5, 25);
        }
    }

    // --- other operations on a volume whose sealed log has no checkpoint yet

    @Test
    void operationsOnASealedVolume_areAsOnAnyOther() {
        List<Consumer<Node>> operations = List.of(
            node -> ok(node.call(Op.CLOSE, "v")),
            node -> ok(node.resize("v", 128 * MIB)),
            node -> ok(node.call(Op.OPEN, Op.EXCLUSIVE, "v")),
            node -> {
                ok(node.json(Op.RENAME, "v", "{\"to\": \"w\"}"));
                ok(node.json(Op.RENAME, "w", "{\"to\": \"v\"}"));
            },
            node -> {
                ok(node.call(Op.OPEN, Op.EXCLUSIVE, "v"));
                ok(node.call(Op.OPEN, Op.SHARED, "v"));
                ok(node.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            });
        for (int i = 0; i < operations.size(); i++) {
            try (Lab lab = new Lab()) {
                Node node = sealed(lab);
                operations.get(i).accept(node);
                for (int block = 0; block < 4; block++) {
                    reads(node, "v", block, 10 + block);
                }
                reads(node, "v", 5, 25);
                ok(node.write("v", 0, bytes(UNIT, 10), 0));
                goesOn(lab, node, "operation " + i);
            }
        }
    }

    /** A volume that goes on in its second log, over a first one that is sealed and not in a checkpoint. */
    private static Node sealed(Lab lab) {
        Node node = written(lab);
        fate(lab, Step.CHECKPOINT, Fate.failed(Errno.ENOSPC));
        assertThat(node.json(Op.SNAPSHOT, "v", "{\"name\": \"s\"}").status()).isEqualTo(Errno.ENOSPC);
        lab.weather.fair();
        ok(node.write("v", 5 * BLOCK, bytes(UNIT, 25), 0));
        assertThat(lab.objects("log-")).hasSize(2);
        return node;
    }

    @Test
    void deleteOfASealedVolume_leavesNoLog() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = sealed(lab);
            ok(node.call(Op.DELETE, "v"));
            Lab.await("its logs to be gone", () -> lab.objects("log-").isEmpty() && lab.objects("lock-").isEmpty());
        }
    }

    @Test
    void readerElsewhere_followsASeal() throws Exception {
        try (Lab lab = new Lab()) {
            Weather writers = lab.weather;
            Node writer = written(lab);
            lab.weather = new Weather();
            Node reader = lab.node("n2");
            reads(reader, "v", 3, 13);
            writers.rule(r -> Step.SYNC_OF_DATA.is.test(r) ? Fate.held() : Fate.FINE);
            CompletableFuture<Reply> snapshot = snapshotBeside(writer, "v", "s");
            Lab.await("the flush", () -> writers.held() > 0);
            reads(reader, "v", 3, 13);
            ok(writer.write("v", 3 * BLOCK, bytes(UNIT, 33), 0));
            reads(reader, "v", 3, 33);
            writers.fair();
            writers.release();
            ok(snapshot.get());
            ok(writer.write("v", 3 * BLOCK + UNIT, bytes(UNIT, 34), 0));
            assertThat(reader.read("v", 3 * BLOCK + UNIT, UNIT).data()).isEqualTo(bytes(UNIT, 34));
            reads(reader, "s", 3, 13);
        }
    }

    /** A reader elsewhere has seen a SEAL that failed; what took its place it never sees. */
    @Test
    void readerThatSawARefusedSeal_seesWhatCameInstead() throws Exception {
        try (Lab lab = new Lab()) {
            Weather writers = lab.weather;
            Node writer = written(lab);
            lab.weather = new Weather();
            Node reader = lab.node("n2");
            writers.rule(r -> Step.SEAL.is.test(r) ? new Fate(Errno.EIO, Effect.WHOLE, 0, 0) : Fate.FINE);
            assertThat(writer.json(Op.SNAPSHOT, "v", "{\"name\": \"s\"}").status()).isEqualTo(Errno.EIO);
            writers.fair();
            reads(reader, "v", 3, 13);
            ok(writer.write("v", 5 * BLOCK, bytes(UNIT, 25), 0));
            reads(reader, "v", 5, 25);
        }
    }

    /** Another node takes over what its holder sealed and shared. */
    @Test
    void takeOver_followsTheChain() {
        try (Lab lab = new Lab()) {
            Node one = sealed(lab);
            Node two = lab.node("n2", NEXT_BOOT, 1);
            ok(one.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            ok(one.call(Op.OPEN, Op.SHARED, "v"));
            ok(one.write("v", 6 * BLOCK, bytes(UNIT, 26), 0));
            ok(two.write("v", 7 * BLOCK, bytes(UNIT, 27), 0));
            for (Node node : List.of(one, two)) {
                reads(node, "v", 3, 13);
                reads(node, "v", 5, 25);
                reads(node, "v", 6, 26);
                reads(node, "v", 7, 27);
            }
            assertThat(lab.objects("log-")).hasSize(1);
        }
    }

    @Test
    void snapshotsThatFailAgainAndAgain_doNotPileUpLogs() {
        try (Lab lab = new Lab()) {
            Node node = written(lab);
            fate(lab, Step.CHECKPOINT, Fate.failed(Errno.ENOSPC));
            for (int i = 0; i < 100; i++) {
                assertThat(node.json(Op.SNAPSHOT, "v", "{\"name\": \"s\"}").status()).isEqualTo(Errno.ENOSPC);
                ok(node.write("v", 0, bytes(UNIT, i), 0));
            }
            lab.kill(node);
            Node next = lab.node("n1");
            reads(next, "v", 0, 99);
            snapshot(next, "v", "s");
            reads(next, "s", 1, 11);
            assertThat(lab.objects("log-").size()).isLessThan(4);
        }
    }
}
