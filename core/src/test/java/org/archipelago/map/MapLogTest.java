package org.archipelago.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

class MapLogTest {
    private static final String ID = "00112233445566778899aabbccddeeff";
    private static final String BOOT = "ffeeddccbbaa99887766554433221100";

    static void fixCrc(byte[] checkpoint) {
        CRC32C crc = new CRC32C();
        crc.update(checkpoint, 0, checkpoint.length - 4);
        ByteBuffer.wrap(checkpoint).order(ByteOrder.LITTLE_ENDIAN).putInt(checkpoint.length - 4, (int) crc.getValue());
    }

    private static byte[] log(int records, int commitAt) {
        byte[] header = MapLog.encodeHeader(7, new VolumeLayer(ID, 3), BOOT, "daemon-1");
        ByteBuffer log = ByteBuffer.allocate((int) MapLog.position(records)).order(ByteOrder.LITTLE_ENDIAN);
        log.put(0, header);
        int crc = MapLog.decodeHeader("v", ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN)).crc();
        for (int i = 0; i < records; i++) {
            boolean commit = i == commitAt;
            MapLog.encode(log, (int) MapLog.position(i), crc, commit ? MapLog.COMMIT : MapLog.OWN, i, commit ? i - 1 : i % 10, i % 1000, 1,
                commit ? i - 1 : 0);
        }
        return log.array();
    }

    @Test
    void whatIsWritten_isRead() {
        MapLog.Contents contents = MapLog.decode("v", log(20, 9));
        assertThat(contents.header().generation()).isEqualTo(7);
        assertThat(contents.header().epoch()).isEqualTo(3);
        assertThat(contents.header().id()).isEqualTo(ID);
        assertThat(contents.header().boot()).isEqualTo(BOOT);
        assertThat(contents.header().writer()).isEqualTo("daemon-1");
        assertThat(contents.records()).isEqualTo(20);
        assertThat(contents.committed()).isEqualTo(8);
        assertThat(contents.ended()).isFalse();
    }

    @Test
    void aTornTail_endsTheLog() {
        byte[] whole = log(20, 9);
        for (int length = MapLog.HEADER; length < whole.length; length++) {
            MapLog.Contents contents = MapLog.decode("v", Arrays.copyOf(whole, length));
            assertThat(contents.records()).isEqualTo((length - MapLog.HEADER) / MapLog.RECORD);
        }
    }

    @Test
    void aBadRecord_isDamageWhereACommitVouchesForIt_elseAGap() {
        byte[] vouched = log(20, 9);
        vouched[(int) MapLog.position(3) + 17] ^= 1;
        assertThatThrownBy(() -> MapLog.decode("v", vouched)).hasMessageContaining("record 3 of its log is damaged");
        byte[] later = log(20, 9);
        later[(int) MapLog.position(12) + 17] ^= 1;
        assertThat(MapLog.decode("v", later).records()).isEqualTo(12);
        assertThat(MapLog.decode("v", later).gap()).isTrue();
        byte[] last = log(20, 9);
        last[(int) MapLog.position(19) + 17] ^= 1;
        assertThat(MapLog.decode("v", last).gap()).isFalse();
    }

    @Test
    void aRecordOfAnotherLog_doesNotCount() {
        byte[] first = log(20, 9);
        byte[] header = MapLog.encodeHeader(8, new VolumeLayer(ID, 3), BOOT, "daemon-1");
        System.arraycopy(header, 0, first, 0, header.length);
        assertThat(MapLog.decode("v", first).records()).isZero();
    }

    @Test
    void aRecordBeyondTheVolume_isDamage() {
        MapLog.Contents contents = MapLog.decode("v", log(20, 9));
        BlockMap map = new BlockMap(5);
        map.own(new VolumeLayer(ID, 3));
        assertThatThrownBy(() -> contents.apply("v", map, 20)).isInstanceOf(DamagedMapException.class)
            .hasMessageContaining("names block 5");
    }

    /** Five records, a SEAL, and what is given behind. */
    private static byte[] sealed(int... types) {
        byte[] log = Arrays.copyOf(log(5, -1), (int) MapLog.position(6 + types.length));
        ByteBuffer to = ByteBuffer.wrap(log).order(ByteOrder.LITTLE_ENDIAN);
        int crc = MapLog.decodeHeader("v", to).crc();
        MapLog.encode(to, (int) MapLog.position(5), crc, MapLog.SEAL, 5, 4, 0, 0, 9);
        for (int i = 0; i < types.length; i++) {
            int upTo = types[i] == MapLog.COMMIT ? 5 + i : 0; // the first one before the SEAL, the second one with it
            MapLog.encode(to, (int) MapLog.position(6 + i), crc, types[i], 6 + i, 0, 0, 1, upTo);
        }
        return log;
    }

    @Test
    void seal_tellsWhereTheVolumeGoesOn() {
        MapLog.Seal seal = MapLog.decode("v", sealed()).seal().orElseThrow();
        assertThat(seal.records()).isEqualTo(6);
        assertThat(seal.epoch()).isEqualTo(4);
        assertThat(seal.generation()).isEqualTo(9);
        assertThat(MapLog.decode("v", log(20, 9)).seal()).isEmpty();
    }

    @Test
    void sealedLog_isWholeWhereItsWriterLives_orACommitVouchesForTheSeal() {
        assertThat(MapLog.decode("v", sealed()).whole(true)).isPresent();
        assertThat(MapLog.decode("v", sealed()).whole(false)).isEmpty();
        assertThat(MapLog.decode("v", sealed(MapLog.COMMIT)).whole(false)).as("up to the SEAL").isEmpty();
        assertThat(MapLog.decode("v", sealed(MapLog.COMMIT, MapLog.COMMIT)).whole(false)).as("the SEAL too").isPresent();
        assertThat(MapLog.decode("v", log(20, 9)).whole(true)).isEmpty();
    }

    @Test
    void sealedLog_hasOnlyCommitsBehind() {
        MapLog.Contents contents = MapLog.decode("v", sealed(MapLog.COMMIT, MapLog.OWN, MapLog.COMMIT));
        assertThat(contents.records()).isEqualTo(7);
        assertThat(contents.owned()).isEqualTo(5);
        assertThat(contents.committed()).isEqualTo(5);
    }

    @Test
    void sealBehindABadRecord_doesNotCount() {
        byte[] bad = sealed(MapLog.COMMIT, MapLog.COMMIT);
        bad[(int) MapLog.position(4) + 17] ^= 1;
        assertThat(MapLog.decode("v", bad).seal()).isEmpty();
        byte[] torn = sealed(MapLog.COMMIT, MapLog.COMMIT);
        torn[(int) MapLog.position(5) + 17] ^= 1;
        assertThat(MapLog.decode("v", torn).seal()).isEmpty();
        assertThat(MapLog.decode("v", torn).committed()).isZero();
    }

    @Test
    void mutatedLogs_areCutOrRefused() {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("MapLogTest: -Darchipelago.seed=" + seed);
        Random random = new Random(seed);
        byte[] good = log(50, 9);
        for (int i = 0; i < 20_000; i++) {
            byte[] bad = Arrays.copyOf(good, random.nextInt(10) == 0 ? random.nextInt(good.length) : good.length);
            int at = bad.length == 0 ? 0 : random.nextInt(bad.length);
            if (bad.length > 0) {
                bad[at] ^= (byte) (1 << random.nextInt(8));
            }
            try {
                long records = MapLog.decode("v", bad).records();
                assertThat(records).as("seed %d mutation %d at %d", seed, i, at)
                    .isEqualTo((at - MapLog.HEADER) / MapLog.RECORD);
            } catch (DamagedMapException e) {
                int record = (at - MapLog.HEADER) / MapLog.RECORD;
                assertThat(at < MapLog.HEADER || bad.length < MapLog.HEADER || record < 8).isTrue();
            }
        }
    }
}
