package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.UNIT;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.create;
import static org.archipelago.peer.volume.Lab.gc;
import static org.archipelago.peer.volume.Lab.ok;
import static org.archipelago.peer.volume.Lab.snapshot;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.archipelago.map.IdRecord;
import org.archipelago.map.VolumeHeader;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Weather.Fate;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Nodes whose clocks have nothing to do with each other, and jump. */
@Timeout(60)
class ClocksTest {
    private static final String PATIENCE = "archipelago.gc.creates";
    private static final long LONG_AGO = 1;
    private static final long FAR_AHEAD = 1L << 40;

    @AfterEach
    void reset() {
        System.clearProperty(PATIENCE);
    }

    /** What another daemon has made of a volume so far, by whose clock it is so late. */
    private static List<String> halfMade(Lab lab, String id, long created) {
        VolumeHeader header = VolumeHeader.create(id, 4 * BLOCK, VolumeHeader.NONE, VolumeHeader.NONE, created);
        lab.store.put(IdRecord.objectOf(id), IdRecord.creating("new", new IdRecord.Maker("n2", "life"), header).encode());
        lab.store.put(header.log(), new byte[] {1});
        lab.store.put("info-" + id, new byte[] {1});
        return List.of(IdRecord.objectOf(id), header.log(), "info-" + id);
    }

    @Test
    void createOfAnotherNode_isNotJudgedByItsClock() {
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            List<String> old = halfMade(lab, "a".repeat(32), LONG_AGO);
            List<String> young = halfMade(lab, "b".repeat(32), FAR_AHEAD);
            for (int i = 0; i < 3; i++) {
                gc(node);
                assertThat(lab.objects("")).containsAll(old).containsAll(young);
            }
        }
    }

    @Test
    void createThatDoesNotChange_isGivenUp_byTheTimeOfWhoLooksOn() throws Exception {
        System.setProperty(PATIENCE, "300");
        try (Lab lab = new Lab()) {
            Node node = lab.node("n1");
            halfMade(lab, "a".repeat(32), FAR_AHEAD);
            gc(node);
            gc(node);
            assertThat(lab.objects("")).hasSize(3);
            Thread.sleep(400);
            gc(node); // says in its record that it goes, and takes nothing yet: its maker may just be going on
            assertThat(lab.objects("")).hasSize(3);
            gc(node);
            assertThat(lab.objects("")).isEmpty();
        }
    }

    /** Of a clone, held before its header is made. */
    @Test
    void createThatWasGivenUpThoughItsMakerLives_fails_andLeavesNothing() throws Exception {
        System.setProperty(PATIENCE, "0");
        for (int collections = 1; collections <= 4; collections++) {
            try (Lab lab = new Lab()) {
                Node one = lab.node("n1");
                create(one, "v", 4 * BLOCK);
                ok(one.write("v", 0, bytes(UNIT, 1), 0));
                snapshot(one, "v", "s");
                lab.weather = new Weather();
                Weather weather = lab.weather;
                Node two = lab.node("n2");
                weather.rule(request -> request.op() == Op.CREATE && request.target().equals("vol-c") ? Fate.held() : Fate.FINE);
                CompletableFuture<Reply> clone = CompletableFuture.supplyAsync(() -> two.json(Op.CREATE, "c", "{\"origin\": \"s\"}"));
                Lab.await("the header", () -> weather.held() > 0);
                for (int i = 0; i < collections; i++) {
                    gc(one);
                }
                weather.release();
                Reply reply = clone.get(20, TimeUnit.SECONDS);
                if (collections == 1) {
                    ok(reply); // was only seen
                    assertThat(two.read("c", 0, UNIT).data()).isEqualTo(bytes(UNIT, 1));
                    continue;
                }
                assertThat(reply.status()).as(reply.message()).isEqualTo(Errno.EAGAIN);
                assertThat(reply.message()).contains("took so long").contains("try again");
                weather.fair();
                gc(one);
                assertThat(lab.objects("vol-")).containsExactly("vol-s", "vol-v");
                assertThat(lab.objects("id-")).hasSize(2);
                assertThat(lab.objects("log-")).hasSize(1);
                ok(two.json(Op.CREATE, "c", "{\"origin\": \"s\"}"));
                assertThat(two.read("c", 0, UNIT).data()).isEqualTo(bytes(UNIT, 1));
            }
        }
    }
}
