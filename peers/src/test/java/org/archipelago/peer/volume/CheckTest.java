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
import java.util.List;
import java.util.UUID;
import java.util.stream.Collectors;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Checkpoint;
import org.archipelago.map.VolumeLayer;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is damaged is named, and mended from what proves it. */
@Timeout(60)
class CheckTest {
    /** A volume with a snapshot and a few records after it, closed. */
    private static Node volume(Lab lab) {
        Node node = lab.node("n1");
        create(node, "v", 4 * BLOCK);
        ok(node.write("v", BLOCK, bytes(UNIT, 1), 0));
        snapshot(node, "v", "s");
        ok(node.write("v", BLOCK + UNIT, bytes(UNIT, 2), 0));
        ok(node.call(Op.CLOSE, "v"));
        return node;
    }

    private static void isWhole(Node node) {
        assertThat(node.read("v", BLOCK, 2 * UNIT).data()).startsWith(bytes(UNIT, 1)).endsWith(bytes(UNIT, 2));
        assertThat(node.read("s", BLOCK, 2 * UNIT).data()).startsWith(bytes(UNIT, 1)).endsWith(new byte[UNIT]);
    }

    private static Reply check(Node node, String name, boolean repair) {
        JsonObject argument = new JsonObject();
        argument.addProperty("run", UUID.randomUUID().toString());
        argument.addProperty("repair", repair);
        return node.caller.call(Call.of(Node.MAPPER, Op.CHECK, name).data(argument.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8)));
    }

    /** What is found, as "state object". */
    private static List<String> found(Node node, String name, boolean repair) {
        Reply reply = check(node, name, repair);
        ok(reply);
        JsonArray findings = JsonParser.parseString(reply.message()).getAsJsonObject().getAsJsonArray("findings");
        java.util.ArrayList<String> found = new java.util.ArrayList<>();
        findings.forEach(f -> found.add(f.getAsJsonObject().get("state").getAsString() + " " + f.getAsJsonObject().get("object").getAsString()));
        return found;
    }

    private static String only(Lab lab, String prefix, String suffix) {
        List<String> names = lab.objects(prefix).stream().filter(name -> name.endsWith(suffix)).collect(Collectors.toList());
        return names.get(names.size() - 1);
    }

    @Test
    void soundVolumes_haveNoFindings() {
        try (Lab lab = new Lab()) {
            Node node = volume(lab);
            assertThat(found(node, "v", true)).isEmpty();
            assertThat(found(node, "s", true)).isEmpty();
            assertThat(check(node, "absent", true).status()).isEqualTo(Errno.ENOENT);
        }
    }

    @Test
    void damagedHeader_comesBackFromItsRecord() {
        for (String name : new String[] {"v", "s"}) {
            for (int damage = 0; damage < 3; damage++) {
                try (Lab lab = new Lab()) {
                    Node node = volume(lab);
                    byte[] header = lab.contents("vol-" + name);
                    if (damage == 0) {
                        lab.store.delete("vol-" + name, false);
                    } else {
                        lab.store.put("vol-" + name, damage == 1 ? new byte[0] : java.util.Arrays.copyOf(header, 40));
                    }
                    lab.kill(node);
                    Node next = lab.node("n1");
                    assertThat(next.read(name, 0, UNIT).status()).isNotZero();
                    assertThat(found(next, name, false)).containsExactly("mendable vol-" + name);
                    assertThat(found(next, name, true)).containsExactly("mended vol-" + name);
                    assertThat(found(next, name, true)).isEmpty();
                    isWhole(next);
                }
            }
        }
    }

    @Test
    void removedVolume_isNotBroughtBack() {
        try (Lab lab = new Lab()) {
            Node node = volume(lab);
            ok(node.call(Op.DELETE, "s"));
            ok(node.call(Op.DELETE, "v"));
            assertThat(check(node, "v", true).status()).isEqualTo(Errno.ENOENT);
            assertThat(check(node, "s", true).status()).isEqualTo(Errno.ENOENT);
            assertThat(lab.objects("vol-")).isEmpty();
        }
    }

    @Test
    void recordThatIsMissingOrDamaged_comesBackFromTheHeader() {
        for (boolean missing : new boolean[] {true, false}) {
            try (Lab lab = new Lab()) {
                Node node = volume(lab);
                for (String record : lab.objects("id-")) {
                    if (missing) {
                        lab.store.delete(record, false);
                    } else {
                        lab.store.put(record, new byte[] {1, 2, 3});
                    }
                }
                assertThat(found(node, "v", true)).hasSize(1).allMatch(finding -> finding.startsWith("mended id-"));
                assertThat(found(node, "s", true)).hasSize(1);
                assertThat(found(node, "v", true)).isEmpty();
                isWhole(node);
            }
        }
    }

    @Test
    void damagedCheckpoint_comesBackFromTheOtherCopy() {
        try (Lab lab = new Lab()) {
            Node node = volume(lab);
            String checkpoint = only(lab, "map-", "");
            byte[] good = lab.contents(checkpoint);
            byte[] bad = good.clone();
            bad[60] ^= 1;
            lab.store.put(checkpoint, bad);
            assertThat(found(node, "s", false)).containsExactly("mendable " + checkpoint);
            assertThat(found(node, "s", true)).containsExactly("mended " + checkpoint);
            assertThat(lab.contents(checkpoint)).isEqualTo(good);
            lab.kill(node);
            isWhole(lab.node("n1"));
        }
    }

    @Test
    void damagedLog_isNamed_andNotGuessedAt() {
        try (Lab lab = new Lab()) {
            Node node = volume(lab);
            lab.kill(node);
            for (String log : lab.objects("log-")) {
                byte[] bytes = lab.contents(log);
                bytes[20] ^= 1;
                lab.store.put(log, bytes);
            }
            Node next = lab.node("n1");
            assertThat(found(next, "v", true)).hasSize(1).allMatch(finding -> finding.startsWith("lost log-"));
            assertThat(next.read("v", BLOCK, UNIT).status()).isEqualTo(Errno.EUCLEAN);
            assertThat(found(next, "s", true)).isEmpty();
        }
    }

    @Test
    void missingAndShortObjects_areNamed() {
        try (Lab lab = new Lab()) {
            Node node = volume(lab);
            List<String> objects = lab.objects("").stream().filter(name -> name.endsWith("-00000001") && !name.startsWith("map-")
                && !name.startsWith("log-")).collect(Collectors.toList());
            lab.store.delete(objects.get(0), false);
            lab.store.put(objects.get(1), bytes(UNIT, 3));
            assertThat(found(node, "v", true)).containsExactlyInAnyOrder("lost " + objects.get(0), "lost " + objects.get(1));
        }
    }

    /** As a checkpoint that was copied by hand and made fit does; what a clone names is written by nobody. */
    @Test
    void objectsOfAnotherVolumesPresentEpoch_areNamed_withBothVolumes() {
        try (Lab lab = new Lab()) {
            Node node = volume(lab);
            create(node, "other", 4 * BLOCK);
            ok(node.write("other", 0, bytes(UNIT, 3), 0));
            snapshot(node, "other", "otherSnap");
            Lab.clone(node, "s", "clone");
            lab.kill(node);
            Node next = lab.node("n1");
            String v = next.info("v").get("id").getAsString();
            String other = next.info("other").get("id").getAsString();
            BlockMap claimed = new BlockMap(4);
            claimed.own(new VolumeLayer(v, 2));
            claimed.commit(1, 0, 1024);
            byte[] checkpoint = Checkpoint.encode(claimed, other, 2);
            lab.store.put(Checkpoint.name(other, 2), checkpoint);
            lab.store.put(Checkpoint.secondName(Checkpoint.name(other, 2)), checkpoint);
            for (String name : List.of("other", "otherSnap")) {
                Reply reply = check(next, name, true);
                ok(reply);
                assertThat(reply.message()).contains(v + "-00000002-00000001").contains("volume v ").contains(name);
            }
            assertThat(found(next, "clone", false)).isEmpty();
            assertThat(found(next, "v", false)).isEmpty();
        }
    }

    @Test
    void headerThatWasCopiedByHand_isRefused_andNamed() {
        try (Lab lab = new Lab()) {
            Node node = volume(lab);
            lab.store.put("vol-copy", lab.contents("vol-v"));
            assertThat(node.write("copy", 0, bytes(UNIT, 1), 0).status()).isEqualTo(Errno.EUCLEAN);
            assertThat(found(node, "copy", true)).contains("lost vol-copy");
            ok(node.write("v", 0, bytes(UNIT, 1), 0));
        }
    }
}
