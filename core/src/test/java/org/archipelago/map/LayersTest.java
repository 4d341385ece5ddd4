package org.archipelago.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/** Names of contents, and the tables of layers. */
class LayersTest {
    private static byte[] hash(String... parts) {
        StringBuilder hex = new StringBuilder();
        for (String part : parts) {
            hex.append(part);
        }
        return new Sha256().of(ByteBuffer.wrap(HexFormat.of().parseHex(hex)));
    }

    private static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    @Test
    void hashOfNothing_isTheZeroBlocks() {
        assertThat(hex(new Sha256().of(ByteBuffer.allocate(0)))).isEqualTo(Sha256.ZERO);
    }

    @Test
    void hash_isThatOfTheStandard() {
        // FIPS 180-2, appendix B.1
        assertThat(hex(new Sha256().of(ByteBuffer.wrap("abc".getBytes(StandardCharsets.US_ASCII)))))
            .isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    @Test
    void trailingZeros_areCutOff() {
        for (int length = 0; length < 40; length++) {
            for (int last = 0; last < length; last++) {
                ByteBuffer bytes = ByteBuffer.allocate(64);
                bytes.put(last, (byte) 1);
                bytes.put(length, (byte) 7); // behind the end
                assertThat(Sha256.withoutTrailingZeros(bytes, length)).isEqualTo(last + 1);
            }
            assertThat(Sha256.withoutTrailingZeros(ByteBuffer.allocate(64), length)).isZero();
        }
    }

    @Test
    void merkleRoots_areOfPairsPaddedWithZeroHashes() {
        String a = "aa".repeat(32);
        String b = "bb".repeat(32);
        String c = "cc".repeat(32);
        String zero = "00".repeat(32);
        Sha256 sha = new Sha256();
        assertThat(hex(sha.merkleRoot(new byte[0]))).isEqualTo(Sha256.ZERO);
        assertThat(hex(sha.merkleRoot(HexFormat.of().parseHex(a)))).isEqualTo(a);
        assertThat(sha.merkleRoot(HexFormat.of().parseHex(a + b))).isEqualTo(hash(a, b));
        assertThat(sha.merkleRoot(HexFormat.of().parseHex(a + b + c))).isEqualTo(hash(hex(hash(a, b)), hex(hash(c, zero))));
    }

    @Test
    void changedTableOfAnImage_isNotItsOwn() {
        byte[] table = HexFormat.of().parseHex("aa".repeat(32) + "bb".repeat(32));
        String root = ImageLayer.of(table.clone()).root();
        assertThat(ImageLayer.read(root, table.clone()).blocks()).isEqualTo(2);
        table[40] ^= 1;
        assertThatThrownBy(() -> ImageLayer.read(root, table)).hasMessageContaining("img-" + root).hasMessageContaining("damaged");
    }
}
