package org.archipelago.map.original;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.ForeignLayer;
import org.archipelago.map.original.OriginalHeader.Format;
import org.junit.jupiter.api.Test;

/** The original's maps, from bytes written down by hand. */
final class OriginalMapTest {
    /** Hashes of the contents "A" and "BB", and of nothing. */
    private static final String A = "559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd";
    private static final String B = "fc686c314491e1f68bf1899fc54b2327353c44dd1ab4ed56538ef623edd1e866";
    private static final String NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    /** The Merkle root over A, NOTHING, B. */
    private static final String IMAGE = "2c9b74955be2d601b6e65dd00abbb174044cbf85260e7672ffe0acd2640f9e02";
    private static final String OWN = "77e2bf983a4f11743101891ad5d55b941d893c1d09e40ae777146a4f7d01b1d2";
    private static final String ZEROS = "00".repeat(32);

    private static byte[] hex(String... parts) {
        return HexFormat.of().parseHex(String.join("", parts).replace(" ", ""));
    }

    private static String ascii(String text) {
        return HexFormat.of().formatHex(text.getBytes(StandardCharsets.US_ASCII));
    }

    // --- format 0

    @Test
    void aPithosMapIsAListOfHashes() {
        OriginalMap map = OriginalV0.decode(IMAGE, hex(A, NOTHING, B));
        assertThat(map.header()).isEqualTo(new OriginalHeader(Format.V0, IMAGE, 12 << 20, true, false, 0));
        assertThat(map.name(0)).isEqualTo(A);
        assertThat(map.name(1)).isEmpty();
        assertThat(map.name(2)).isEqualTo(B);
    }

    @Test
    void aPithosMapEndsAtTheFirstZeros() {
        assertThat(OriginalV0.decode(IMAGE, hex(A, NOTHING, B, ZEROS, ZEROS, "0000")).blocks()).isEqualTo(3);
        assertThat(OriginalV0.decode(A, hex(A)).blocks()).isEqualTo(1); // one leaf is its own root
    }

    @Test
    void aDamagedPithosMapIsRefused() {
        assertThatThrownBy(() -> OriginalV0.decode(IMAGE, hex(A, NOTHING))).isInstanceOf(DamagedMapException.class)
            .hasMessageContaining(IMAGE).hasMessageContaining("damaged");
        assertThatThrownBy(() -> OriginalV0.decode(IMAGE, hex(A, NOTHING, B, "01"))).hasMessageContaining("behind its end");
        assertThatThrownBy(() -> OriginalV0.decode(IMAGE, hex(A, NOTHING, B, ZEROS, B))).hasMessageContaining("behind its end");
        assertThatThrownBy(() -> OriginalV0.decode(NOTHING, hex(ZEROS))).hasMessageContaining("0 hashes");
    }

    // --- format 1

    /** A volume of 9 MiB: zeros, an own object, a content-addressed one. */
    private static final byte[] V1 = hex("01000000", "0000900000000000",
        "00", NOTHING, "01", OWN, "00", B);

    @Test
    void aMapOfFormat1() {
        assertThat(OriginalV1.begins(V1)).isTrue();
        OriginalMap map = OriginalV1.decode("volumeA", V1);
        assertThat(map.header()).isEqualTo(new OriginalHeader(Format.V1, "archip_volumeA", 9 << 20, false, false, 0));
        assertThat(map.name(0)).isEmpty();
        assertThat(map.name(1)).isEqualTo("archip_" + OWN);
        assertThat(map.name(2)).isEqualTo(B);
    }

    @Test
    void theOldNameOfZerosAndZerosBehindTheEndAreFine() {
        OriginalMap map = OriginalV1.decode("volumeA", hex("01000000", "0000400000000000", "00", ZEROS, "00".repeat(467)));
        assertThat(map.blocks()).isEqualTo(1);
        assertThat(map.name(0)).isEmpty();
    }

    @Test
    void aDamagedMapOfFormat1IsRefused() {
        String size = "0000400000000000";
        assertRefused1("has 44 bytes", "01000000", size, "00", A.substring(2));
        assertRefused1("has 557 bytes", "01000000", size, "00", A, "00".repeat(512));
        assertRefused1("behind its last entry", "01000000", size, "00", A, "01");
        assertRefused1("flag 2", "01000000", size, "02", A);
        assertRefused1("flag 1 and the hash of zeros", "01000000", size, "01", NOTHING);
        assertRefused1("18446744073709551615 bytes", "01000000", "ffffffffffffffff", "00", A);
        assertRefused1("another version", "02000000", size, "00", A);
        assertRefused1("cut short", "01000000", "0000");
    }

    private static void assertRefused1(String says, String... parts) {
        assertThatThrownBy(() -> OriginalV1.decode("volumeA", hex(parts))).isInstanceOf(DamagedMapException.class)
            .hasMessageContaining("archip_volumeA").hasMessageContaining(says);
    }

    // --- format 2

    /** 10 MiB, blocks of 4 MiB, epoch 2. */
    private static final String HEADER = "414d462e 00000002 0000000000a00000 00400000 00000000 0000000000000002";
    private static final String OBJECT = "volumeA_0000000000000002_0000000000000001";
    private static final String BLANK = "04 40000000" + ascii(NOTHING) + "00".repeat(59);
    private static final String WRITTEN = "03 29000000" + ascii(OBJECT) + "00".repeat(82);
    private static final String CONTENT = "00 40000000" + ascii(B) + "00".repeat(59);

    private static OriginalMap decode2(String head, Map<String, byte[]> objects) {
        return OriginalV2.decode("volumeA", OriginalV2.header("volumeA", "volumeA", hex(head)), object -> Optional.ofNullable(objects.get(object)));
    }

    private static Map<String, byte[]> entries(String... entries) {
        return Map.of("volumeA_0000000000000000", hex(entries));
    }

    @Test
    void aMapOfFormat2() {
        OriginalMap map = decode2(HEADER, entries(BLANK, WRITTEN, CONTENT));
        assertThat(map.header()).isEqualTo(new OriginalHeader(Format.V2, "volumeA", 10 << 20, false, false, 2));
        assertThat(map.blocks()).isEqualTo(3);
        assertThat(map.name(0)).isEmpty();
        assertThat(map.name(1)).isEqualTo(OBJECT);
        assertThat(map.name(2)).isEqualTo(B);
    }

    @Test
    void aSnapshotOfFormat2AndOneThatWasRemoved() {
        OriginalHeader snapshot = OriginalV2.header("snapA1", "snapA1",
            hex("414d462e 00000002 0000000000a00000 00400000 00000001 0000000000000000", "00".repeat(480)));
        assertThat(snapshot.readOnly()).isTrue();
        assertThat(snapshot.deleted()).isFalse();
        OriginalHeader removed = OriginalV2.header("volumeA", "volumeA",
            hex("414d462e 00000002 0000000000000000 00400000 00000002 0000000000000007"));
        assertThat(removed.deleted()).isTrue();
        assertThat(removed.epoch()).isEqualTo(7);
    }

    @Test
    void mapsOfMoreThan32768BlocksHaveSeveralObjects() {
        // 128 GiB and one block
        String head = "414d462e 00000002 0000002000400000 00400000 00000000 0000000000000001";
        Map<String, byte[]> objects = new HashMap<>();
        objects.put("volumeA_0000000000000000", hex(BLANK.repeat(32768)));
        objects.put("volumeA_0000000000000001", hex("00 40000000" + ascii(A) + "00".repeat(59), BLANK)); // one more than the size takes
        OriginalMap map = decode2(head, objects);
        assertThat(map.blocks()).isEqualTo(32769);
        assertThat(map.name(32767)).isEmpty();
        assertThat(map.name(32768)).isEqualTo(A);
        objects.remove("volumeA_0000000000000001");
        assertThatThrownBy(() -> decode2(head, objects)).hasMessageContaining("object volumeA_0000000000000001")
            .hasMessageContaining("missing");
    }

    @Test
    void objectsOfAnUpgradedMapAndTheLongestName() {
        String longest = "v".repeat(89) + "_0000000000000003_0000000000000001";
        OriginalMap map = decode2(HEADER, entries("03 47000000" + ascii("archip_" + OWN) + "00".repeat(52),
            "03 7b000000" + ascii(longest), BLANK));
        assertThat(map.name(0)).isEqualTo("archip_" + OWN);
        assertThat(map.name(1)).isEqualTo(longest).hasSize(123);
    }

    @Test
    void aDamagedHeaderOfFormat2IsRefused() {
        assertHeaderRefused("cut short", "414d462e 00000002 0000000000a00000");
        assertHeaderRefused("no signature", "2e464d41 00000002 0000000000a00000 00400000 00000000 0000000000000002");
        assertHeaderRefused("version 3", "414d462e 00000003 0000000000a00000 00400000 00000000 0000000000000002");
        assertHeaderRefused("version 33554432", "414d462e 02000000 0000000000a00000 00400000 00000000 0000000000000002");
        assertHeaderRefused("has 0 bytes", "414d462e 00000002 0000000000000000 00400000 00000000 0000000000000002");
        assertHeaderRefused("cannot be", "414d462e 00000002 0000000000a00000 00400000 00000004 0000000000000002");
        assertHeaderRefused("cannot be", "414d462e 00000002 0000000000a00000 00300000 00000000 0000000000000002");
        assertHeaderRefused("cannot be", "414d462e 00000002 0000000000a00000 00000080 00000000 0000000000000002");
        assertHeaderRefused("blocks of 65536 bytes, and", "414d462e 00000002 0000000000a00000 00010000 00000000 0000000000000002");
    }

    private static void assertHeaderRefused(String says, String head) {
        assertThatThrownBy(() -> OriginalV2.header("volumeA", "volumeA", hex(head))).isInstanceOf(DamagedMapException.class)
            .hasMessageContaining("volumeA").hasMessageContaining(says);
    }

    @Test
    void damagedEntriesOfFormat2AreRefused() {
        assertEntryRefused("block 1 in object volumeA_0000000000000000", "13" + WRITTEN.substring(2)); // a flag that there is not
        assertEntryRefused("689963008 bytes", "03 00002029" + WRITTEN.substring(11)); // a length in the other order
        assertEntryRefused("name of 40 bytes, or something behind", "03 28000000" + WRITTEN.substring(11));
        assertEntryRefused("begun to remove", "0b" + WRITTEN.substring(2));
        assertEntryRefused("names no object", "03 29000000" + ascii(OBJECT.replace('_', '/')) + "00".repeat(82));
        assertEntryRefused("names no object", "03 00000000" + "00".repeat(123));
        assertEntryRefused("of another block", "03 29000000" + ascii("volumeA_0000000000000002_0000000000000002") + "00".repeat(82));
        assertThatThrownBy(() -> decode2(HEADER, entries(BLANK, WRITTEN))).hasMessageContaining("256 bytes; 3 entries take 384");
    }

    private static void assertEntryRefused(String says, String entry) {
        assertThatThrownBy(() -> decode2(HEADER, entries(BLANK, entry, CONTENT))).isInstanceOf(DamagedMapException.class)
            .hasMessageContaining(says);
    }

    // --- what becomes of them

    @Test
    void oneMapMakesOneLayerWhoeverMakesIt() {
        ForeignLayer layer = decode2(HEADER, entries(BLANK, WRITTEN, CONTENT)).layer();
        assertThat(layer.has(0)).isFalse();
        assertThat(layer.object(1).toString()).isEqualTo(OBJECT);
        assertThat(layer.object(2).toString()).isEqualTo(B);
        assertThat(layer.hasWholeBlocks()).isFalse();
        assertThat(decode2(HEADER, entries(BLANK, WRITTEN, CONTENT)).layer()).isEqualTo(layer);
        assertThat(decode2(HEADER, entries(BLANK, BLANK, CONTENT)).layer()).isNotEqualTo(layer);
        assertThat(ForeignLayer.decode(layer.id(), layer.encode()).object(1).toString()).isEqualTo(OBJECT);
    }

    /** Whatever bytes there are: a map, or a sentence that says what is wrong. */
    @Test
    void mutatedMapsAreReadOrRefused() {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("OriginalMapTest: -Darchipelago.seed=" + seed);
        Random random = new Random(seed);
        byte[] v0 = hex(A, NOTHING, B, ZEROS);
        byte[] head = hex(HEADER);
        byte[] entries = hex(BLANK, WRITTEN, CONTENT);
        int read = 0;
        for (int i = 0; i < 100_000; i++) {
            int which = random.nextInt(3);
            try {
                OriginalMap map;
                if (which == 0) {
                    map = OriginalV0.decode(IMAGE, mutate(random, v0));
                    assertThat(map.name(0) + map.name(1) + map.name(2)).isEqualTo(A + B); // the name is their checksum
                } else if (which == 1) {
                    map = OriginalV1.decode("volumeA", mutate(random, V1));
                } else {
                    byte[] changed = mutate(random, entries);
                    OriginalHeader header = OriginalV2.header("volumeA", "volumeA", random.nextBoolean() ? head : mutate(random, head));
                    map = header.deleted() ? decode2(HEADER, entries(BLANK, WRITTEN, CONTENT))
                        : OriginalV2.decode("volumeA", header,
                            object -> object.endsWith("_0000000000000000") ? Optional.of(changed) : Optional.empty());
                }
                read++;
                assertThat(map.blocks()).isEqualTo(map.header().blocks());
                for (int block = 0; block < map.blocks(); block++) {
                    assertThat(map.name(block)).matches("([A-Za-z0-9_+:@-][A-Za-z0-9._+:@-]{0,122})?");
                }
            } catch (DamagedMapException e) {
                assertThat(e.getMessage()).startsWith("volume ").hasSizeLessThan(400).matches("[ -~]+");
            }
        }
        System.out.println("OriginalMapTest: " + read + " of 100000 could be read");
        assertThat(read).isBetween(1_000, 90_000);
    }

    /** Changes one to four bytes or bits, cuts the end off, or adds one. */
    private static byte[] mutate(Random random, byte[] bytes) {
        byte[] changed = bytes.clone();
        for (int i = random.nextInt(4); i >= 0; i--) {
            int at = random.nextInt(changed.length);
            switch (random.nextInt(4)) {
                case 0 -> changed[at] ^= 1 << random.nextInt(8);
                case 1 -> changed[at] = (byte) random.nextInt(256);
                case 2 -> changed[at] = random.nextBoolean() ? 0 : (byte) 0xff;
                default -> changed = Arrays.copyOf(changed,
                    random.nextInt(8) == 0 ? 1 + random.nextInt(changed.length + 64) : changed.length);
            }
        }
        return changed;
    }
}
