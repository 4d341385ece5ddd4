package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.MIB;
import static org.archipelago.peer.volume.Lab.UNIT;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.create;
import static org.archipelago.peer.volume.Lab.ok;
import static org.archipelago.peer.volume.Lab.snapshot;
import static org.archipelago.peer.volume.SealTest.NEXT_BOOT;
import static org.archipelago.peer.volume.SealTest.SEEDS;
import static org.archipelago.peer.volume.SealTest.fate;
import static org.archipelago.peer.volume.SealTest.snapshotBeside;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.SealTest.Step;
import org.archipelago.peer.volume.Weather.Fate;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Logs that have grown long, and are replaced by others while the volume goes on. */
@Timeout(120)
class LongLogTest {
    private final long seed = Long.getLong("archipelago.seed", System.nanoTime());

    private static Node withSnapshot(Lab lab) {
        Node node = lab.node("n1");
        create(node, "v", 64 * MIB);
        ok(node.write("v", 0, bytes(UNIT, 1), 0));
        snapshot(node, "v", "s");
        return node;
    }

    @Test
    void longLog_isReplacedWhileIoGoesOn() throws Exception {
        longLogsOf(20, () -> {
            try (Lab lab = new Lab()) {
                Node node = withSnapshot(lab);
                fate(lab, Step.CHECKPOINT, Fate.held());
                fill(node, 0, 30);
                Lab.await("the checkpoint", () -> { // once a flush comes after the SEAL
                    fill(node, 0, 1);
                    ok(node.call(Op.FLUSH, "v"));
                    return lab.weather.held() == 1;
                });
                fill(node, 30, 60); // though it waits
                ok(node.call(Op.FLUSH, "v"));
                lab.weather.fair();
                lab.weather.release();
                Lab.await("its logs", () -> lab.objects("log-").size() == 1);
                fill(node, 60, 90);
                filled(node, 90);
                ok(node.call(Op.FLUSH, "v"));
                Lab.await("its logs", () -> lab.objects("log-").size() == 1);
                lab.kill(node);
                lab.store.cut(new Random(seed));
                filled(lab.node("n1", NEXT_BOOT, 1), 90);
            }
        });
    }

    @Test
    void longLog_ofAClientThatNeverFlushes_isWholeAfterAKill() throws Exception {
        longLogsOf(20, () -> {
            try (Lab lab = new Lab()) {
                Node node = withSnapshot(lab);
                fill(node, 0, 90);
                lab.kill(node);
                Node next = lab.node("n1");
                filled(next, 90);
                ok(next.call(Op.FLUSH, "v"));
                lab.kill(next);
                lab.store.cut(new Random(seed));
                filled(lab.node("n1", NEXT_BOOT, 1), 90);
            }
        });
    }

    /** Random writes, flushes and snapshots over short logs, killed and cut at random moments. */
    @Test
    void shortLogs_snapshotsAndCrashes_loseNothing() throws Exception {
        System.out.println("LongLogTest: -Darchipelago.seed=" + seed);
        longLogsOf(12, () -> {
            for (int round = 0; round < 3 * SEEDS; round++) {
                crashes(new Random(seed + round), "seed " + seed + " round " + round);
            }
        });
    }

    private void crashes(Random random, String when) throws Exception {
        int units = 3 * 1024;
        int[] now = new int[units];
        int[] flushed = new int[units];
        boolean[] doubtful = new boolean[units];
        int lives = 4;
        String boot = Node.BOOT;
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 3 * BLOCK);
            int step = 1;
            for (int life = 0; life < lives; life++) {
                lab.weather.rule(r -> {
                    synchronized (random) {
                        return random.nextInt(3) == 0 ? Fate.late(random.nextInt(400_000)) : Fate.FINE;
                    }
                });
                CompletableFuture<Reply> snapshot = CompletableFuture.completedFuture(null);
                for (int steps = 40 + random.nextInt(80); steps > 0; steps--, step++) {
                    int what;
                    int unit;
                    synchronized (random) {
                        what = random.nextInt(100);
                        unit = random.nextInt(3) * 1024 + random.nextInt(20);
                    }
                    if (what < 80) {
                        ok(node.write("v", (long) unit * UNIT, bytes(UNIT, step), 0));
                        now[unit] = step;
                        doubtful[unit] = true;
                    } else if (what < 88) {
                        ok(node.call(Op.FLUSH, "v"));
                        flushed = now.clone();
                        doubtful = new boolean[units];
                    } else if (snapshot.isDone()) {
                        snapshot = snapshotBeside(node, "v", "s" + step);
                    }
                }
                lab.kill(node);
                boolean cut = random.nextBoolean();
                if (cut) {
                    lab.store.cut(random);
                }
                boot = cut ? "0123456789abcdef00000000000000%02x".formatted(life) : boot;
                node = lab.node("n1", boot, 1);
                for (int unit = 0; unit < units; unit++) {
                    if (now[unit] == 0) {
                        continue;
                    }
                    byte[] read = node.read("v", (long) unit * UNIT, UNIT).data();
                    String what = when + " life " + life + (cut ? " cut" : " killed") + " unit " + unit;
                    if (!cut || !doubtful[unit]) {
                        assertThat(read).as(what).isEqualTo(bytes(UNIT, now[unit]));
                    } else {
                        now[unit] = foundIn(read, step, what);
                        assertThat(now[unit]).as(what + " is older than what was flushed").isGreaterThanOrEqualTo(flushed[unit]);
                    }
                }
                flushed = now.clone();
                doubtful = cut ? new boolean[units] : doubtful;
            }
        }
    }

    /** Which step wrote it. */
    private static int foundIn(byte[] read, int before, String what) {
        for (int step = 0; step < before; step++) {
            if (Arrays.equals(read, step == 0 ? new byte[UNIT] : bytes(UNIT, step))) {
                return step;
            }
        }
        throw new AssertionError(what + ": nobody wrote that");
    }

    private interface Work {
        void run() throws Exception;
    }

    private static void longLogsOf(long records, Work work) throws Exception {
        long usual = Node.longLog;
        Node.longLog = records;
        try {
            work.run();
        } finally {
            Node.longLog = usual;
        }
    }

    private static void fill(Node node, int from, int to) {
        for (int unit = from; unit < to; unit++) {
            ok(node.write("v", (long) unit * UNIT, bytes(UNIT, 1000 + unit), 0));
        }
    }

    private static void filled(Node node, int to) {
        for (int unit = 0; unit < to; unit++) {
            assertThat(node.read("v", (long) unit * UNIT, UNIT).data()).as("unit " + unit).isEqualTo(bytes(UNIT, 1000 + unit));
        }
    }
}
