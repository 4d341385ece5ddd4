package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.MIB;
import static org.archipelago.peer.volume.Lab.UNIT;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.create;
import static org.archipelago.peer.volume.Lab.ok;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Weather.Effect;
import org.archipelago.peer.volume.Weather.Fate;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Orders of events that once lost a write, or brought one up that nobody was promised. */
@Timeout(60)
class RacesTest {
    /** A write over two zero blocks, one part fails, the other was made: its bytes come up later. */
    @Test
    void partOfAFailedWriteInTheNextBlock_staysAway() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            lab.weather.rule(r -> r.op() == Op.WRITE && r.target().endsWith("-00000000") ? new Fate(Errno.ENOSPC, Effect.NONE, 0, 5_000_000) : Fate.FINE);
            assertThat(node.write("v", BLOCK - UNIT, bytes(2 * UNIT, 1), 0).status()).isEqualTo(Errno.ENOSPC);
            lab.weather.fair();
            assertThat(node.read("v", BLOCK, UNIT).data()).containsOnly(0);
            ok(node.write("v", BLOCK + 8 * UNIT, bytes(UNIT, 2), 0)); // elsewhere in that block
            assertThat(node.read("v", BLOCK, UNIT).data()).containsOnly(0);
        }
    }

    /** An answered write through of the source is lost while the target takes the lease over. */
    @Test
    void writeAnsweredDuringATakeOver_isThere() throws Exception {
        try (Lab lab = new Lab()) {
            Weather calm = lab.weather;
            Node one = lab.node("n1");
            lab.weather = new Weather();
            Weather two = lab.weather;
            Node target = lab.node("n2");
            create(one, "v", 16 * MIB);
            ok(one.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            ok(one.write("v", 0, bytes(UNIT, 1), 0));
            ok(one.call(Op.OPEN, Op.SHARED, "v"));
            ok(one.write("v", 0, bytes(UNIT, 2), 0));
            two.rule(r -> r.op() == Op.PUT && r.target().startsWith("vol-") ? Fate.held() : Fate.FINE);
            CompletableFuture<Reply> open = CompletableFuture.supplyAsync(() -> target.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            Lab.await("header", () -> two.held() == 1);
            Reply late = one.write("v", 2 * BLOCK, bytes(UNIT, 3), 0);
            two.fair();
            two.release();
            ok(open.get());
            Reply later = one.write("v", 3 * BLOCK, bytes(UNIT, 4), 0);
            if (later.status() == 0) {
                assertThat(target.read("v", 3 * BLOCK, UNIT).data()).as("write answered after the take-over").isEqualTo(bytes(UNIT, 4));
            }
            if (late.status() == 0) {
                assertThat(target.read("v", 2 * BLOCK, UNIT).data()).as("write answered during the take-over").isEqualTo(bytes(UNIT, 3));
            }
        }
    }

    @Test
    void writeAfterATakeOver_isRefused() throws Exception {
        try (Lab lab = new Lab()) {
            Node one = lab.node("n1");
            lab.weather = new Weather();
            Weather two = lab.weather;
            Node target = lab.node("n2");
            create(one, "v", 16 * MIB);
            ok(one.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            ok(one.write("v", 0, bytes(UNIT, 1), 0));
            ok(one.call(Op.OPEN, Op.SHARED, "v"));
            two.rule(r -> r.op() == Op.CREATE && r.target().startsWith("log-") ? Fate.held() : Fate.FINE);
            CompletableFuture<Reply> open = CompletableFuture.supplyAsync(() -> target.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            Lab.await("log", () -> two.held() == 1);
            one.write("v", 2 * BLOCK, bytes(UNIT, 3), 0);
            two.fair();
            two.release();
            ok(open.get());
            int answered = 0;
            for (int i = 0; i < 2000; i++) {
                Reply later = one.write("v", 3 * BLOCK, bytes(UNIT, 4), 0);
                if (later.status() != 0) {
                    break;
                }
                answered++;
            }
            assertThat(answered).isZero();
        }
    }

    /** The lease goes between COMMIT and FLUSH of one write; the flush is answered with success. */
    @Test
    void flushAfterTheLeaseIsLost_fails() throws Exception {
        try (Lab lab = new Lab()) {
            Weather one = lab.weather;
            Node source = lab.node("n1");
            lab.weather = new Weather();
            Node target = lab.node("n2");
            create(source, "v", 16 * MIB);
            ok(source.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            ok(source.write("v", 0, bytes(UNIT, 1), 0));
            ok(source.call(Op.OPEN, Op.SHARED, "v"));
            // the flush of the write through: hold the sync of the log, that of the object came with the write
            one.rule(r -> r.op() == Op.SYNC && r.target().startsWith("log-") ? Fate.held() : Fate.FINE);
            CompletableFuture<Reply> write = CompletableFuture.supplyAsync(() -> source.write("v", 2 * BLOCK, bytes(UNIT, 3), 0));
            Lab.await("sync", () -> one.held() == 1);
            ok(target.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            one.fair();
            one.release();
            int status = write.get().status();
            if (status == 0) {
                assertThat(target.read("v", 2 * BLOCK, UNIT).data()).isEqualTo(bytes(UNIT, 3));
            }
        }
    }

    /** A commit that was refused comes up after close and open. */
    @Test
    void refusedCommit_staysAwayAfterClose() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            ok(node.call(Op.FLUSH, "v"));
            lab.weather.rule(r -> r.op() == Op.WRITE && r.target().startsWith("log-") ? new Fate(Errno.EIO, Effect.WHOLE, 0, 0) : Fate.FINE);
            assertThat(node.write("v", BLOCK, bytes(UNIT, 2), 0).status()).isEqualTo(Errno.EIO);
            lab.weather.fair();
            assertThat(node.read("v", BLOCK, UNIT).data()).containsOnly(0);
            ok(node.call(Op.CLOSE, "v"));
            assertThat(node.read("v", BLOCK, UNIT).data()).as("closed").containsOnly(0);
            ok(node.call(Op.OPEN, Op.EXCLUSIVE, "v"));
            assertThat(node.read("v", BLOCK, UNIT).data()).as("opened").containsOnly(0);
        }
    }

    /** Rename has made the new name, and has not yet touched the log: the new name is opened and written. */
    @Test
    void openOfTheNewName_duringRename() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1", Node.BOOT, 2);
            String a = "a";
            String b = "b";
            for (int i = 0; node.host.reactorOf(org.archipelago.xseg.Target.of(a).hashCode())
                    == node.host.reactorOf(org.archipelago.xseg.Target.of(b).hashCode()); i++) {
                b = "b" + i;
            }
            String to = b;
            create(node, a, 16 * MIB);
            ok(node.call(Op.OPEN, Op.EXCLUSIVE, a));
            ok(node.write(a, 0, bytes(UNIT, 1), 0));
            ok(node.call(Op.FLUSH, a));
            lab.weather.rule(r -> r.op() == Op.WRITE && r.target().startsWith("log-") ? Fate.held() : Fate.FINE);
            CompletableFuture<Reply> rename = CompletableFuture.supplyAsync(() -> node.json(Op.RENAME, a, "{\"to\": \"" + to + "\"}"));
            Lab.await("touch", () -> lab.weather.held() == 1);
            lab.weather.fair();
            Reply write = node.write(to, BLOCK, bytes(UNIT, 2), 0);
            lab.weather.release();
            ok(rename.get());
            if (write.status() == 0) {
                assertThat(node.read(to, BLOCK, UNIT).data()).isEqualTo(bytes(UNIT, 2));
                assertThat(lab.objects("lock-")).isNotEmpty();
                lab.kill(node);
                assertThat(lab.node("n1").read(to, BLOCK, UNIT).data()).isEqualTo(bytes(UNIT, 2));
            }
        }
    }

    /** The composer's process is restarted, those of the mapper and the blockers live on. */
    /** Mapper in a process of its own: the answer to SYNC comes later than that to a younger COMMIT. */
    @Test
    void commitAnsweredBeforeTheCount_isFlushed() throws Exception {
        for (int seed = 0; seed < 4; seed++) {
            Node.mapperWeather = new Weather();
            try (Lab lab = new Lab()) {
                Weather maps = Node.mapperWeather;
                Node node = lab.node("n1");
                create(node, "v", 16 * MIB);
                ok(node.write("v", 0, bytes(UNIT, 1), 0));
                maps.rule(r -> r.op() == Op.SYNC ? Fate.heldAfter() : Fate.FINE);
                CompletableFuture<Reply> flush = CompletableFuture.supplyAsync(() -> node.call(Op.FLUSH, "v"));
                Lab.await("count", () -> maps.held() == 1);
                ok(node.write("v", BLOCK, bytes(UNIT, 2), 0));
                maps.fair();
                maps.release();
                ok(flush.get());
                ok(node.call(Op.FLUSH, "v"));
                lab.kill(node);
                lab.store.cut(new java.util.Random(seed));
                Reply read = lab.node("n1", "fedcba9876543210fedcba9876543210", 1).read("v", BLOCK, UNIT);
                assertThat(read.data()).as("seed " + seed).isEqualTo(bytes(UNIT, 2));
            } finally {
                Node.mapperWeather = Node.NO;
            }
        }
    }

    /** Killed between the write of COMMIT and the sync of the log; the store of the maps is slow with its first sync. */
    @Test
    void flushOfTheNextLife_syncsTheLog() throws Exception {
        for (int seed = 0; seed < 8; seed++) {
            try (Lab lab = new Lab()) {
                Node node = lab.node("n1");
                create(node, "v", 16 * MIB);
                ok(node.call(Op.FLUSH, "v"));
                ok(node.write("v", BLOCK, bytes(UNIT, 2), 0));
                lab.weather.rule(r -> r.op() == Op.SYNC && r.target().startsWith("log-") ? Fate.held() : Fate.FINE);
                CompletableFuture<Reply> flush = CompletableFuture.supplyAsync(() -> node.call(Op.FLUSH, "v"));
                Lab.await("sync", () -> lab.weather.held() == 1);
                lab.kill(node);
                MemoryBlocker.syncsAtItsStart = false; // no sync at start:
                lab.weather.rule(r -> {
                    if (r.op() == Op.SYNC && r.target().equals("*")) {
                        lab.store.syncBlocks(); // that of the data's store has ended, of the maps' not
                        return new Fate(0, Effect.NONE, 0, 0);
                    }
                    return r.op() == Op.SYNC && r.target().startsWith("log-") ? Fate.held() : Fate.FINE;
                });
                Node next = lab.node("n1");
                CompletableFuture<Reply> again = CompletableFuture.supplyAsync(() -> next.call(Op.FLUSH, "v"));
                Thread.sleep(200);
                boolean answered = again.isDone();
                lab.kill(next);
                lab.store.cut(new java.util.Random(seed));
                if (answered) {
                    Reply read = lab.node("n1", "fedcba9876543210fedcba9876543210", 1).read("v", BLOCK, UNIT);
                    assertThat(read.data()).as("seed " + seed).isEqualTo(bytes(UNIT, 2));
                }
            } finally {
                MemoryBlocker.syncsAtItsStart = true;
            }
        }
    }

    /** A composer's process is killed with a write under way; the mapper's lives on and does not know. */
    /** A reader elsewhere has seen records of a log write that failed; what takes their place it never sees. */
    @Test
    void readerThatSawARefusedRecord_seesWhatCameInstead() throws Exception {
        try (Lab lab = new Lab()) {
            Weather one = lab.weather;
            Node writer = lab.node("n1");
            lab.weather = new Weather();
            Node reader = lab.node("n2");
            create(writer, "v", 16 * MIB);
            ok(writer.write("v", 0, bytes(UNIT, 1), 0));
            one.rule(r -> r.op() == Op.WRITE && r.target().startsWith("log-") ? new Fate(Errno.EIO, Effect.WHOLE, 0, 0) : Fate.FINE);
            assertThat(writer.write("v", BLOCK, bytes(UNIT, 2), 0).status()).isEqualTo(Errno.EIO);
            one.fair();
            ok(reader.read("v", 0, UNIT));
            ok(writer.write("v", 2 * BLOCK, bytes(UNIT, 3), 0));
            Thread.sleep(300);
            assertThat(reader.read("v", 2 * BLOCK, UNIT).data()).isEqualTo(bytes(UNIT, 3));
        }
    }

    /** A closed volume on a full store cannot be removed. */
    /** An open one: closing needs a record. */
    @Test
    void closeAndRemoveOnAFullStore() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            lab.weather.rule(r -> r.op() == Op.WRITE || r.op() == Op.PUT || r.op() == Op.CREATE ? Fate.failed(Errno.ENOSPC) : Fate.FINE);
            assertThat(node.call(Op.CLOSE, "v").status()).isEqualTo(Errno.ENOSPC); // its log takes no record
            ok(node.call(Op.DELETE, "v"));
        }
    }

    /** Rename took effect and says that it failed. */
    @Test
    void renameThatTookEffect_saysSo() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 16 * MIB);
            lab.weather.rule(r -> r.op() == Op.DELETE && r.target().startsWith("lock-") ? Fate.failed(Errno.EIO) : Fate.FINE);
            ok(node.json(Op.RENAME, "v", "{\"to\": \"w\"}"));
        }
    }

    /**
     * More volumes are closed at a time than the composer has operations: what one of them frees another begins a flush
     * with at once, and the first was told of the second's end, or nobody was.
     */
    @Test
    void closesOfMoreVolumesThanOperations_areAllAnsweredOnceDurable() throws Exception {
        int volumes = 3 * Node.OPERATIONS / 2;
        int atOnce = 8;
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            List<Caller> callers = new ArrayList<>();
            for (int i = 0; i < volumes / atOnce; i++) {
                callers.add(new Caller(node.host, "closer", 10_000));
            }
            for (int i = 0; i < volumes; i++) {
                create(node, "v" + i, 16 * MIB);
                ok(node.write("v" + i, 0, bytes(UNIT, 1), 0));
            }
            AtomicInteger synced = new AtomicInteger();
            AtomicInteger early = new AtomicInteger();
            lab.weather.rule(r -> {
                if (r.op() == Op.SYNC && r.target().endsWith("-00000000")) {
                    synced.incrementAndGet();
                    return Fate.late(200_000_000);
                }
                return Fate.FINE;
            });
            AtomicInteger closed = new AtomicInteger();
            List<CompletableFuture<Reply>> answers = new ArrayList<>();
            for (int i = 0; i < volumes; i++) {
                Caller caller = callers.get(i / atOnce);
                String volume = "v" + i;
                answers.add(CompletableFuture.supplyAsync(() -> {
                    Reply reply = caller.call(Call.of(Node.COMPOSER, Op.CLOSE, volume));
                    early.addAndGet(closed.incrementAndGet() > synced.get() ? 1 : 0);
                    return reply;
                }, task -> new Thread(task).start()));
            }
            for (CompletableFuture<Reply> answer : answers) {
                ok(answer.get(20, TimeUnit.SECONDS));
            }
            assertThat(early).as("closed before they were durable").hasValue(0);
            assertThat(synced).hasValue(volumes);
        }
    }

    /** A write of a composer that is dead lands in the living blocker after younger, answered ones of its successor. */
}
