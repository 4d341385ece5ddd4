package org.archipelago.peer.volume;

import static org.assertj.core.api.Assertions.assertThat;
import java.util.Random;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Weather.*;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;

/** A volume that two nodes read, and write in turn, as Ganeti has them do; every read against a model. */
class TwoNodesTest {
    static final int UNIT = 4096;
    static final int UNITS = 3 * 1024;

    @Test
    void twoNodes() throws Exception {
        long seed = Long.getLong("seed", System.nanoTime());
        for (int i = 0; i < Integer.getInteger("rounds", 2); i++) {
            System.out.println("TwoNodesTest seed=" + (seed + i));
            run(seed + i);
        }
    }

    static void ok(Reply r, String what) { assertThat(r.status()).as(what + ": " + r.message()).isZero(); }

    void run(long seed) throws Exception {
        Random random = new Random(seed);
        try (Lab lab = new Lab()) {
            lab.weather.rule(r -> { synchronized (random) { return random.nextInt(4) == 0 ? new Fate(0, Effect.WHOLE, random.nextInt(300_000), random.nextInt(300_000)) : Fate.FINE; } });
            Weather w = lab.weather;
            Node[] nodes = {lab.node("n1"), lab.node("n2")};
            String volume = "v0";
            long size = (long) UNITS * UNIT;
            ok(nodes[0].json(Op.CREATE, volume, "{\"size\": " + size + "}"), "create");
            int[] model = new int[UNITS];
            int holder = 0;
            boolean shared = false;
            int names = 0;
            int snaps = 0;
            for (int step = 1; step < 1200; step++) {
                int what = random.nextInt(100);
                int unit = (random.nextInt(3) * 1024 + random.nextInt(24) - 12 + UNITS) % UNITS;
                if (what < 45) {
                    ok(nodes[holder].write(volume, (long) unit * UNIT, Lab.bytes(UNIT, step), 0), "write " + step);
                    model[unit] = step;
                } else if (what < 50) {
                    int count = Math.min(1 + random.nextInt(20), UNITS - unit);
                    ok(nodes[holder].zero(volume, (long) unit * UNIT, (long) count * UNIT, 0), "zero");
                    for (int i = 0; i < count; i++) model[unit + i] = 0;
                } else if (what < 80) {
                    int from = random.nextInt(2);
                    Reply r = nodes[from].read(volume, (long) unit * UNIT, UNIT);
                    ok(r, "read " + step + " by " + from + " holder " + holder);
                    assertThat(r.data()).as("seed " + seed + " step " + step + " read by " + from + " holder " + holder + " shared " + shared + " unit " + unit).isEqualTo(model[unit] == 0 ? new byte[UNIT] : Lab.bytes(UNIT, model[unit]));
                } else if (what < 85) {
                    if (!shared) { Reply rr = nodes[holder].json(Op.SNAPSHOT, volume, "{\"name\": \"s" + snaps++ + "\"}");
                    if (rr.status() == 16) rr = nodes[holder].json(Op.SNAPSHOT, volume, "{\"name\": \"s" + snaps++ + "\"}");
                    ok(rr, "snapshot"); }
                } else if (what < 88) {
                    ok(nodes[holder].call(Op.CLOSE, volume), "close");
                    shared = false;
                    if (random.nextBoolean()) holder = 1 - holder;
                } else if (what < 92) {
                    ok(nodes[holder].call(Op.OPEN, Op.EXCLUSIVE, volume), "open");
                    shared = false;
                } else if (what < 95) {
                    ok(nodes[holder].call(Op.OPEN, Op.EXCLUSIVE, volume), "open");
                    ok(nodes[holder].call(Op.OPEN, Op.SHARED, volume), "share");
                    shared = true;
                } else if (what < 98 && shared) {
                    holder = 1 - holder;
                    shared = false;
                    ok(nodes[holder].write(volume, (long) unit * UNIT, Lab.bytes(UNIT, step), 0), "take over");
                    model[unit] = step;
                    if (random.nextBoolean()) ok(nodes[1 - holder].call(Op.CLOSE, volume), "former closes");
                } else if (what < 99) {
                    ok(nodes[holder].call(Op.FLUSH, volume), "flush");
                } else {
                    String to = "r" + names++;
                    Reply rr = nodes[holder].json(Op.RENAME, volume, "{\"to\": \"" + to + "\"}");
                    if (rr.status() == 16) rr = nodes[holder].json(Op.RENAME, volume, "{\"to\": \"" + to + "\"}");
                    ok(rr, "rename");
                    volume = to;
                    shared = false;
                }
            }
            w.end();
        }
    }
}
