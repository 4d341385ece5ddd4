package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.MIB;
import static org.archipelago.peer.volume.Lab.UNIT;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.create;
import static org.archipelago.peer.volume.Lab.ok;
import static org.archipelago.peer.volume.Lab.snapshot;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Weather.Effect;
import org.archipelago.peer.volume.Weather.Fate;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What FLUSH and FUA promise, and that they go on working after something failed. */
@Timeout(60)
class DurabilityTest {
    /** More than it takes to know a client's habit. */
    private static final int ROUNDS = 12;
    private static final String NEXT_BOOT = "fedcba9876543210fedcba9876543210";

    @Test
    void fuaInPlace_coversTheRecordThatNamesItsBlock() {
        for (int seed = 0; seed < 8; seed++) {
            try (Lab lab = new Lab()) {
                Node node = lab.node("n1");
                create(node, "v", 8 * MIB);
                ok(node.call(Op.FLUSH, "v"));
                ok(node.write("v", 0, bytes(UNIT, 1), 0));
                ok(node.write("v", 0, bytes(UNIT, 2), Op.FUA));
                lab.kill(node);
                lab.store.cut(new Random(seed));
                assertThat(lab.node("n1", NEXT_BOOT, 1).read("v", 0, UNIT).data()).isEqualTo(bytes(UNIT, 2));
            }
        }
    }

    @Test
    void recreatedVolume_canBeFlushed() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            ok(node.write("v", 2 * BLOCK, bytes(UNIT, 1), 0));
            ok(node.call(Op.DELETE, "v"));
            create(node, "v", 16 * MIB);
            ok(node.write("v", 0, bytes(UNIT, 2), 0));
            ok(node.call(Op.FLUSH, "v"));
            ok(node.call(Op.CLOSE, "v"));
        }
    }

    @Test
    void volumeRecreatedElsewhere_canBeFlushed() {
        try (Lab lab = new Lab()) {
            Node one = lab.node("n1");
            Node two = lab.node("n2");
            create(one, "v", 16 * MIB);
            ok(one.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            ok(one.call(Op.OPEN, Op.SHARED, "v"));
            ok(one.write("v", 2 * BLOCK, bytes(UNIT, 1), 0));
            ok(two.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            ok(two.call(Op.DELETE, "v"));
            create(two, "v", 16 * MIB);
            ok(one.write("v", 0, bytes(UNIT, 2), 0));
            ok(one.call(Op.FLUSH, "v"));
            ok(one.call(Op.CLOSE, "v"));
        }
    }

    @Test
    void flushThatCouldNotBegin_leavesOtherVolumesBlocksOut() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "a", 16 * MIB);
            create(node, "b", 16 * MIB);
            for (int i = 0; i < Node.OPERATIONS; i++) {
                ok(node.write("a", 3 * BLOCK, bytes(UNIT, 1), 0));
                ok(node.call(Op.FLUSH, "a"));
            }
            lab.weather.rule(request -> request.op() == Op.READ ? Fate.failed(Errno.EIO) : Fate.FINE);
            for (int i = 0; i < Node.OPERATIONS; i++) {
                assertThat(node.call(Op.FLUSH, "b").status()).isEqualTo(Errno.EIO);
            }
            lab.weather.fair();
            ok(node.write("b", 0, bytes(UNIT, 2), 0));
            ok(node.call(Op.FLUSH, "b"));
        }
    }

    @Test
    void objectThatCouldNotBeMade_doesNotFailFlushes() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            lab.weather.rule(request -> request.op() == Op.WRITE ? Fate.failed(Errno.ENOSPC) : Fate.FINE);
            assertThat(node.write("v", BLOCK, bytes(UNIT, 1), 0).status()).isEqualTo(Errno.ENOSPC);
            lab.weather.fair();
            ok(node.call(Op.FLUSH, "v"));
            ok(node.call(Op.CLOSE, "v"));
        }
    }

    @Test
    void failedFlush_isMadeUpForByTheNext() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            ok(node.write("v", BLOCK, bytes(UNIT, 1), 0));
            AtomicBoolean failed = new AtomicBoolean();
            lab.weather.rule(request -> request.op() == Op.SYNC && request.target().endsWith("00000001") && failed.compareAndSet(false, true)
                ? Fate.failed(Errno.EIO) : Fate.FINE);
            assertThat(node.call(Op.FLUSH, "v").status()).isEqualTo(Errno.EIO);
            ok(node.call(Op.FLUSH, "v"));
            lab.kill(node);
            lab.store.cut(new Random(1));
            assertThat(lab.node("n1", NEXT_BOOT, 1).read("v", BLOCK, UNIT).data()).isEqualTo(bytes(UNIT, 1));
        }
    }

    @Test
    void flushWithNothingNew_leavesTheLogAlone() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            ok(node.call(Op.FLUSH, "v"));
            AtomicInteger logWrites = new AtomicInteger();
            lab.weather.rule(request -> {
                if (request.op() != Op.READ && request.target().startsWith("log-")) {
                    logWrites.incrementAndGet();
                }
                return Fate.FINE;
            });
            for (int i = 0; i < 10; i++) {
                ok(node.write("v", 0, bytes(UNIT, i), 0));
                ok(node.call(Op.FLUSH, "v"));
            }
            assertThat(logWrites.get()).isZero();
        }
    }

    @Test
    void flushes_shareOneRun_andAWriteAnsweredMeanwhileNeedsTheNext() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            Client client = new Client(node.host, "v", 32, UNIT);
            ok(node.call(Op.FLUSH, "v"));
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            AtomicInteger syncs = new AtomicInteger();
            lab.weather.rule(request -> {
                boolean object = request.op() == Op.SYNC && request.target().endsWith("00000000");
                return object && syncs.incrementAndGet() == 1 ? Fate.held() : Fate.FINE;
            });
            CompletableFuture<Client.Answer> first = client.flush();
            Lab.await("the sync", () -> lab.weather.held() == 1);
            ok(node.write("v", UNIT, bytes(UNIT, 2), 0));
            CompletableFuture<Client.Answer> second = client.flush();
            CompletableFuture<Client.Answer> third = client.flush();
            Thread.sleep(20);
            assertThat(second).isNotDone();
            lab.weather.release();
            assertThat(Client.status(first)).isZero();
            assertThat(Client.status(second)).isZero();
            assertThat(Client.status(third)).isZero();
            assertThat(syncs.get()).isEqualTo(2);
        }
    }

    @Test
    void failedLogWrite_leavesNothingThatALaterCrashBringsBack() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "base", 16 * MIB);
            for (int block = 0; block < 4; block++) {
                ok(node.write("base", block * BLOCK, bytes(UNIT, 10 + block), 0));
            }
            snapshot(node, "base", "s");
            lab.weather.rule(request -> request.op() == Op.WRITE && request.target().startsWith("log-")
                ? new Fate(Errno.EIO, Effect.WHOLE, 0, 0) : Fate.FINE);
            // three records in one write of the log, which was made although it is said to have failed
            assertThat(node.write("base", BLOCK, bytes(UNIT, 1), 0).status()).isEqualTo(Errno.EIO);
            assertThat(node.zero("base", 0, 4 * BLOCK, 0).status()).isEqualTo(Errno.EIO);
            lab.weather.fair();
            ok(node.write("base", 3 * BLOCK, bytes(UNIT, 2), 0));
            byte[] before = node.read("base", BLOCK, UNIT).data();
            lab.kill(node);
            assertThat(lab.node("n1").read("base", BLOCK, UNIT).data()).isEqualTo(before);
        }
    }

    /** Writes and flushes often enough for the next flush to be expected. */
    private static void inRhythm(Node node, String volume) {
        for (int i = 0; i < ROUNDS; i++) {
            ok(node.write(volume, 0, bytes(UNIT, i), 0));
            ok(node.call(Op.FLUSH, volume));
        }
    }

    private static AtomicInteger countSyncs(Lab lab, Fate firstFate) {
        AtomicInteger syncs = new AtomicInteger();
        lab.weather.rule(request -> request.op() == Op.SYNC && request.target().endsWith("00000000") && syncs.incrementAndGet() == 1
            ? firstFate : Fate.FINE);
        return syncs;
    }

    @Test
    void expectedFlush_beginsAtTheWrite_andIsTheClients() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            Client client = new Client(node.host, "v", 32, UNIT);
            inRhythm(node, "v");
            AtomicInteger syncs = countSyncs(lab, Fate.held());
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            Lab.await("a sync that nobody asked for", () -> lab.weather.held() == 1);
            CompletableFuture<Client.Answer> flush = client.flush();
            Thread.sleep(20);
            assertThat(flush).isNotDone();
            lab.weather.release();
            assertThat(Client.status(flush)).isZero();
            assertThat(syncs.get()).isEqualTo(1);
        }
    }

    @Test
    void expectedFlush_thatAWriteOvertakes_isNotTheClients() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            Client client = new Client(node.host, "v", 32, UNIT);
            inRhythm(node, "v");
            AtomicInteger syncs = countSyncs(lab, Fate.held());
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            Lab.await("a sync that nobody asked for", () -> lab.weather.held() == 1);
            ok(node.write("v", UNIT, bytes(UNIT, 2), 0));
            CompletableFuture<Client.Answer> flush = client.flush();
            lab.weather.release();
            assertThat(Client.status(flush)).isZero();
            assertThat(syncs.get()).isEqualTo(2);
        }
    }

    @Test
    void expectedFlush_thatFails_isTheClientsAllTheSame() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            Client client = new Client(node.host, "v", 32, UNIT);
            inRhythm(node, "v");
            countSyncs(lab, new Fate(Errno.EIO, Effect.NONE, -1, 0));
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            Lab.await("a sync that nobody asked for", () -> lab.weather.held() == 1);
            CompletableFuture<Client.Answer> flush = client.flush();
            lab.weather.release();
            assertThat(Client.status(flush)).isEqualTo(Errno.EIO);
        }
    }

    @Test
    void writesInAnotherRhythm_areNotFlushedUnasked() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            for (int i = 0; i < ROUNDS; i++) {
                for (int writes = 0; writes <= i % 2; writes++) {
                    ok(node.write("v", 0, bytes(UNIT, i), 0));
                }
                ok(node.call(Op.FLUSH, "v"));
            }
            AtomicInteger syncs = countSyncs(lab, Fate.FINE);
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            ok(node.write("v", 0, bytes(UNIT, 2), 0));
            ok(node.read("v", 0, UNIT));
            assertThat(syncs.get()).isZero();
        }
    }

    @Test
    void flushInRhythm_isDurable() {
        for (int seed = 0; seed < 8; seed++) {
            try (Lab lab = new Lab()) {
                Node node = lab.node("n1");
                create(node, "v", 16 * MIB);
                inRhythm(node, "v");
                for (int block = 0; block < 3; block++) { // the first in place, the others with records
                    ok(node.write("v", block * BLOCK, bytes(UNIT, 100 + block), 0));
                    ok(node.call(Op.FLUSH, "v"));
                }
                lab.kill(node);
                lab.store.cut(new Random(seed));
                Node next = lab.node("n1", NEXT_BOOT, 1);
                for (int block = 0; block < 3; block++) {
                    assertThat(next.read("v", block * BLOCK, UNIT).data()).as("seed " + seed).isEqualTo(bytes(UNIT, 100 + block));
                }
            }
        }
    }

    @Test
    void durableWrite_needsNoFurtherSync() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            ok(node.call(Op.FLUSH, "v"));
            AtomicInteger syncs = countSyncs(lab, Fate.FINE);
            ok(node.write("v", 0, bytes(UNIT, 2), Op.FUA));
            ok(node.call(Op.FLUSH, "v"));
            assertThat(syncs.get()).isZero();
            ok(node.write("v", 0, bytes(UNIT, 3), 0));
            ok(node.write("v", UNIT, bytes(UNIT, 4), Op.FUA));
            ok(node.call(Op.FLUSH, "v"));
            assertThat(syncs.get()).isEqualTo(1);
        }
    }

    /** As blockers are after a sync has failed: each one more fails, but one that gives up what is lost. */
    private static void lose(Lab lab, String object) {
        lab.weather.rule(request -> request.op() == Op.SYNC && request.target().matches(object) && !request.has(Op.FORCE)
            ? Fate.failed(Errno.EIO) : Fate.FINE);
    }

    @Test
    void lostData_failsFlushesUntilAVolumeIsClosedTwice() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            for (int block = 0; block < 3; block++) {
                ok(node.write("v", block * BLOCK, bytes(UNIT, block), 0));
            }
            lose(lab, ".*00000001");
            for (int i = 0; i < 3; i++) {
                assertThat(node.call(Op.FLUSH, "v").status()).isEqualTo(Errno.EIO);
            }
            assertThat(node.json(Op.SNAPSHOT, "v", "{\"name\": \"s\"}").status()).isEqualTo(Errno.EIO);
            Reply close = node.call(Op.CLOSE, "v");
            assertThat(close.status()).isEqualTo(Errno.EIO);
            assertThat(close.message()).contains("cannot be made durable", "closing it again");
            ok(node.call(Op.CLOSE, "v"));
            lab.weather.fair();
            ok(node.write("v", BLOCK, bytes(UNIT, 7), 0));
            ok(node.call(Op.FLUSH, "v"));
            lab.kill(node);
            lab.store.cut(new Random(1));
            Node next = lab.node("n1", NEXT_BOOT, 1);
            assertThat(next.read("v", 2 * BLOCK, UNIT).data()).as("what was not lost").isEqualTo(bytes(UNIT, 2));
            assertThat(next.read("v", BLOCK, UNIT).data()).isEqualTo(bytes(UNIT, 7));
        }
    }

    @Test
    void lostLog_isReplaced() throws Exception {
        for (int seed = 0; seed < 4; seed++) {
            try (Lab lab = new Lab()) {
                Node node = lab.node("n1");
                create(node, "v", 16 * MIB);
                ok(node.write("v", 0, bytes(UNIT, 1), 0));
                lose(lab, "log-.*-00000001");
                assertThat(node.call(Op.FLUSH, "v").status()).isEqualTo(Errno.EIO);
                Lab.await("another log", () -> lab.objects("log-").stream().noneMatch(name -> name.endsWith("-00000001")));
                ok(node.write("v", BLOCK, bytes(UNIT, 2), 0));
                ok(node.call(Op.FLUSH, "v"));
                lab.kill(node);
                lab.store.cut(new Random(seed));
                Node next = lab.node("n1", NEXT_BOOT, 1);
                assertThat(next.read("v", 0, UNIT).data()).isEqualTo(bytes(UNIT, 1));
                assertThat(next.read("v", BLOCK, UNIT).data()).isEqualTo(bytes(UNIT, 2));
                ok(next.call(Op.CLOSE, "v"));
            }
        }
    }
}
