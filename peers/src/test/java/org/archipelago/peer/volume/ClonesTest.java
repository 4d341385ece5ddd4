package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.MIB;
import static org.archipelago.peer.volume.Lab.UNIT;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.create;
import static org.archipelago.peer.volume.Lab.ok;
import static org.archipelago.peer.volume.Lab.snapshot;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonParser;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Client.Answer;
import org.archipelago.peer.volume.Weather.Fate;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Copy-on-write at its edges: what is zero, what is deep, what is written at once. */
@Timeout(60)
class ClonesTest {
    @Test
    void zeroOverASparseClone_leavesItsHolesReadable() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "base", 5 * BLOCK);
            ok(node.write("base", 0, bytes(UNIT, 1), 0));
            ok(node.write("base", 2 * BLOCK, bytes(UNIT, 2), 0));
            ok(node.write("base", 4 * BLOCK, bytes(UNIT, 3), 0));
            snapshot(node, "base", "s");
            Lab.clone(node, "s", "c");
            ok(node.zero("c", 0, 5 * BLOCK, Op.DISCARD));
            for (int block = 0; block < 5; block++) {
                Reply reply = node.read("c", block * BLOCK, UNIT);
                ok(reply);
                assertThat(reply.data()).as("block " + block).containsOnly(0);
            }
        }
    }

    @Test
    void lastBlock_staysShallow_thoughItIsCutOff() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", MIB);
            for (int round = 0; round < 40; round++) {
                ok(node.write("v", UNIT * (round % 8), bytes(100, round), 0));
                snapshot(node, "v", "s" + round);
            }
            // each round leaves one unit behind; what is too deep is made whole by the next write
            long looked = lab.objects("").stream().filter(name -> name.endsWith("-00000000")).count();
            assertThat(looked).isGreaterThan(30);
            java.util.Set<String> touched = new java.util.HashSet<>();
            lab.weather.rule(request -> {
                if (request.op() == Op.READ && request.target().endsWith("-00000000")) {
                    touched.add(request.target());
                }
                return Fate.FINE;
            });
            ok(node.read("v", 0, 200_000));
            assertThat(touched.size()).isLessThanOrEqualTo(8);
        }
    }

    @Test
    void fragmentedDeepBlock_isMadeWholeWithoutRecursion() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", BLOCK);
            byte[] model = bytes((int) BLOCK, 0);
            for (int at = 0; at < BLOCK; at += 1 << 18) {
                ok(node.write("v", at, java.util.Arrays.copyOfRange(model, at, at + (1 << 18)), 0));
            }
            for (int epoch = 0; epoch < 7; epoch++) {
                snapshot(node, "v", "s" + epoch);
                for (int unit = epoch % 3; unit < 1024; unit += 3) {
                    byte[] piece = bytes(UNIT, 10_000 * epoch + unit);
                    ok(node.write("v", (long) UNIT * unit, piece, 0));
                    System.arraycopy(piece, 0, model, UNIT * unit, UNIT);
                }
            }
            snapshot(node, "v", "last");
            byte[] piece = bytes(700, 1);
            ok(node.write("v", 1_000_001, piece, 0));
            System.arraycopy(piece, 0, model, 1_000_001, 700);
            for (int at = 0; at < BLOCK; at += 1 << 18) {
                assertThat(node.read("v", at, 1 << 18).data()).isEqualTo(java.util.Arrays.copyOfRange(model, at, at + (1 << 18)));
            }
        }
    }

    @Test
    void fill_goesOnAfterADurableZero() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "base", BLOCK);
            ok(node.write("base", 0, bytes(100_000, 1), 0));
            snapshot(node, "base", "s");
            Lab.clone(node, "s", "c");
            ok(node.write("c", 0, bytes(UNIT, 2), 0));
            Client client = new Client(node.host, "c", 8, UNIT);
            lab.weather.rule(request -> request.op() == Op.ZERO ? Fate.held() : Fate.FINE);
            CompletableFuture<Answer> zero = client.zero(0, UNIT, Op.FUA);
            Lab.await("the zero", () -> lab.weather.held() == 1);
            CompletableFuture<Answer> ragged = client.write(5 * UNIT + 7, bytes(100, 3), 0);
            Thread.sleep(20);
            assertThat(ragged).isNotDone();
            lab.weather.fair();
            lab.weather.release();
            assertThat(Client.status(zero)).isZero();
            assertThat(Client.status(ragged)).isZero();
        }
    }

    @Test
    void status_thatHasNoRoom_stopsThere() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 4 * BLOCK);
            ok(node.write("v", BLOCK, bytes(UNIT, 1), 0));
            ok(node.write("v", 3 * BLOCK, bytes(UNIT, 1), 0));
            Reply reply = node.caller.call(new Call(Node.COMPOSER, Op.STATUS, 0, "v", 0, 4 * BLOCK, new byte[0]));
            ok(reply);
            assertThat(pairs(reply)).containsExactly(BLOCK, 3, BLOCK, 0, BLOCK, 3, BLOCK, 0);
        }
    }

    private static Object[] pairs(Reply reply) {
        java.nio.ByteBuffer buffer = java.nio.ByteBuffer.wrap(reply.data()).order(java.nio.ByteOrder.LITTLE_ENDIAN);
        Object[] pairs = new Object[reply.data().length / 4];
        for (int i = 0; i < pairs.length; i++) {
            long value = Integer.toUnsignedLong(buffer.getInt());
            pairs[i] = i % 2 == 0 ? (Object) value : (Object) (int) value;
        }
        return pairs;
    }

    private static int count(Node node, String volume, String what) {
        return JsonParser.parseString(node.caller.call(Call.of(Node.MAPPER, Op.STATUS, volume)).message()).getAsJsonObject().get(what).getAsInt();
    }

    @Test
    void discardedBlocks_lieNowhere() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "base", 5 * BLOCK + MIB);
            for (int block = 0; block < 6; block++) {
                ok(node.write("base", block * BLOCK + UNIT, bytes(UNIT, block), 0));
            }
            snapshot(node, "base", "s");
            Lab.clone(node, "s", "c");
            ok(node.write("c", 2 * BLOCK, bytes(UNIT, 7), 0));
            ok(node.zero("c", BLOCK, 4 * BLOCK + MIB, Op.DISCARD)); // from the second to the last one, of which the volume has 1 MiB
            assertThat(count(node, "c", "zero")).isEqualTo(5);
            assertThat(node.read("c", UNIT, UNIT).data()).isEqualTo(bytes(UNIT, 0));
            ok(node.write("c", 2 * BLOCK + 3 * UNIT, bytes(UNIT, 8), 0)); // its object was there before
            assertThat(node.read("c", 2 * BLOCK, 4 * UNIT).data()).startsWith(new byte[3 * UNIT]).endsWith(bytes(UNIT, 8));
            ok(node.call(Op.FLUSH, "c"));
            lab.kill(node);
            lab.store.cut(new Random(1));
            Node next = lab.node("n1", "fedcba9876543210fedcba9876543210", 1);
            assertThat(next.read("c", 2 * BLOCK, 4 * UNIT).data()).startsWith(new byte[3 * UNIT]).endsWith(bytes(UNIT, 8));
            assertThat(next.read("c", 5 * BLOCK, UNIT).data()).containsOnly(0);
            assertThat(count(next, "c", "zero")).isEqualTo(4);
            assertThat(next.read("base", 5 * BLOCK + UNIT, UNIT).data()).isEqualTo(bytes(UNIT, 5));
        }
    }

    @Test
    void discard_waitsForWritesOfTheBlock_whichComeUpNeverAgain() throws Exception {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 4 * BLOCK);
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            Client client = new Client(node.host, "v", 8, UNIT);
            lab.weather.rule(request -> request.op() == Op.WRITE && request.target().endsWith("-00000000") ? Fate.held() : Fate.FINE);
            CompletableFuture<Answer> late = client.write(8 * UNIT, bytes(UNIT, 2), 0);
            Lab.await("the write", () -> lab.weather.held() == 1);
            CompletableFuture<Answer> discard = client.zero(0, BLOCK, Op.DISCARD);
            Thread.sleep(30);
            assertThat(discard).isNotDone();
            lab.weather.fair();
            lab.weather.release();
            assertThat(Client.status(late)).isZero();
            assertThat(Client.status(discard)).isZero();
            ok(node.write("v", 0, bytes(UNIT, 3), 0));
            assertThat(node.read("v", 8 * UNIT, UNIT).data()).containsOnly(0);
        }
    }

    @Test
    void discardThatFails_leavesNoBytesForLaterWritesToShow() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 4 * BLOCK);
            ok(node.write("v", 0, bytes(8 * UNIT, 1), 0));
            lab.weather.rule(request -> request.op() == Op.WRITE && request.target().startsWith("log-") ? Fate.failed(Errno.ENOSPC) : Fate.FINE);
            assertThat(node.zero("v", 0, BLOCK, Op.DISCARD).status()).isEqualTo(Errno.ENOSPC);
            lab.weather.fair();
            byte[] shown = node.read("v", 0, 8 * UNIT).data();
            ok(node.zero("v", 0, BLOCK, Op.DISCARD));
            ok(node.write("v", 100 * UNIT, bytes(UNIT, 2), 0));
            assertThat(node.read("v", 0, 8 * UNIT).data()).containsOnly(0);
            assertThat(shown.length).isEqualTo(8 * UNIT);
        }
    }

    @Test
    void zerosWrittenToZeros_takeNoSpace() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 4 * BLOCK);
            for (int i = 0; i < 8; i++) {
                ok(node.write("v", i * MIB + 100, new byte[(int) MIB / 8], i == 3 ? Op.FUA : 0));
            }
            assertThat(lab.objects("")).noneMatch(name -> name.matches("[0-9a-f]{32}-.*"));
            ok(node.write("v", MIB, bytes(UNIT, 1), 0));
            ok(node.write("v", MIB, new byte[UNIT], 0));
            assertThat(node.read("v", MIB, UNIT).data()).containsOnly(0);
        }
    }

    @Test
    void objectThatIsTooShortOrMissing_isAnError_notZeros() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "v", 4 * BLOCK);
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
            ok(node.write("v", BLOCK, bytes(UNIT, 1), 0));
            ok(node.call(Op.CLOSE, "v"));
            String object = lab.objects("").stream().filter(name -> name.endsWith("-00000000")).findFirst().orElseThrow();
            lab.store.put(object, bytes(UNIT, 1));
            lab.store.delete(object.substring(0, object.length() - 1) + "1", false);
            Node other = lab.node("n2");
            assertThat(other.read("v", 0, UNIT).status()).isZero();
            assertThat(other.read("v", 0, 2 * UNIT).status()).isEqualTo(Errno.EIO);
            assertThat(other.read("v", BLOCK, UNIT).status()).isEqualTo(Errno.EIO);
            assertThat(other.read("v", 2 * BLOCK, UNIT).data()).containsOnly(0);
        }
    }

    @Test
    void lostObject_isNotMadeAnewByTheNextWrite() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            create(node, "base", 4 * BLOCK);
            ok(node.write("base", 0, bytes(UNIT, 1), 0));
            snapshot(node, "base", "s");
            Lab.clone(node, "s", "c");
            ok(node.write("c", UNIT, bytes(UNIT, 2), 0)); // its block is own in part, and base's whole
            for (String volume : new String[] {"base", "c"}) {
                ok(node.call(Op.CLOSE, volume));
            }
            lab.objects("").stream().filter(name -> name.matches("[0-9a-f]{32}-.*")).forEach(name -> lab.store.delete(name, false));
            Node other = lab.node("n2");
            assertThat(other.write("c", UNIT, bytes(UNIT, 3), 0).status()).isEqualTo(Errno.EIO);
            assertThat(other.write("c", 5 * UNIT, bytes(UNIT, 3), 0).status()).isEqualTo(Errno.EIO);
            assertThat(other.read("c", UNIT, UNIT).status()).isEqualTo(Errno.EIO);
            ok(other.write("c", BLOCK, bytes(UNIT, 3), 0));
        }
    }
}
