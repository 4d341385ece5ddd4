package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.UNIT;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.create;
import static org.archipelago.peer.volume.Lab.ok;
import static org.archipelago.peer.volume.Lab.snapshot;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Every checkpoint is there twice: damage to one harms nobody, and is never served. */
@Timeout(60)
class CheckpointCopiesTest {
    private static List<String> checkpoints(Lab lab) {
        return lab.objects("map-").stream().filter(name -> !name.endsWith(".2")).collect(Collectors.toList());
    }

    private static void withSnapshot(Lab lab) {
        Node node = lab.node("n1");
        create(node, "v", 4 * BLOCK);
        ok(node.write("v", BLOCK, bytes(UNIT, 1), 0));
        snapshot(node, "v", "s");
        lab.kill(node);
    }

    private static byte[] withRightChecksum(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, bytes.length - 4);
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(bytes.length - 4, (int) crc.getValue());
        return bytes;
    }

    @Test
    void eitherCopy_isEnough() {
        for (String suffix : new String[] {"", ".2"}) {
            for (int damage = 0; damage < 3; damage++) {
                try (Lab lab = new Lab()) {
                    withSnapshot(lab);
                    for (String name : checkpoints(lab)) {
                        byte[] bytes = lab.contents(name + suffix);
                        switch (damage) {
                            case 0 -> lab.store.delete(name + suffix, false);
                            case 1 -> lab.store.put(name + suffix, java.util.Arrays.copyOf(bytes, bytes.length / 2));
                            default -> {
                                bytes[bytes.length / 2] ^= 4;
                                lab.store.put(name + suffix, bytes);
                            }
                        }
                    }
                    Reply read = lab.node("n2").read("s", BLOCK, UNIT);
                    ok(read);
                    assertThat(read.data()).isEqualTo(bytes(UNIT, 1));
                }
            }
        }
    }

    @Test
    void checkpointsThatDiffer_areNotBelieved_whatever_theirChecksumsSay() {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("CheckpointCopiesTest: -Darchipelago.seed=" + seed);
        Random random = new Random(seed);
        int opened = 0;
        for (int round = 0; round < 200; round++) {
            try (Lab lab = new Lab()) {
                withSnapshot(lab);
                String name = checkpoints(lab).get(0);
                String copy = random.nextBoolean() ? name : name + ".2";
                byte[] good = lab.contents(copy);
                byte[] bad = good.clone();
                bad[random.nextInt(bad.length - 4)] = (byte) random.nextInt();
                lab.store.put(copy, withRightChecksum(bad));
                Reply read = lab.node("n2").read("s", BLOCK, UNIT);
                if (read.status() == 0) {
                    opened++;
                    assertThat(read.data()).isEqualTo(bytes(UNIT, 1));
                } else {
                    assertThat(read.status()).isEqualTo(Errno.EUCLEAN);
                }
            }
        }
        System.out.println("CheckpointCopiesTest: " + opened + " of 200 were the same, or could be read from the other copy");
        assertThat(opened).isBetween(1, 199);
    }

    @Test
    void bothCopiesLost_isDamage() {
        try (Lab lab = new Lab()) {
            withSnapshot(lab);
            checkpoints(lab).forEach(name -> {
                lab.store.put(name, new byte[100]);
                lab.store.delete(name + ".2", false);
            });
            assertThat(lab.node("n2").read("s", BLOCK, UNIT).status()).isEqualTo(Errno.EUCLEAN);
        }
    }
}
