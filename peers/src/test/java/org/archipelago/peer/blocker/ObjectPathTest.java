package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ObjectPathTest {
    @ParameterizedTest
    @ValueSource(strings = {"a", "A.z_9+:@-", "-", "a..b", "volume_0000000000000001_00000000"})
    void takesNames(String name) {
        assertThat(ObjectPath.isName(name)).isTrue();
        assertThat(new ObjectPath(Path.of("/srv")).object(name)).matches("/srv/[0-9a-f]{3}/.*").endsWith("/" + name);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", ".hidden", "a/b", "/", "a b", "a\0", "ä", "a*", "a\n", "a\\"})
    void refusesWhatIsNone(String name) {
        assertThat(ObjectPath.isName(name)).isFalse();
    }

    @Test
    void namesHaveAtMost160Bytes() {
        assertThat(ObjectPath.isName("x".repeat(160))).isTrue();
        assertThat(ObjectPath.isName("x".repeat(161))).isFalse();
    }

    @Test
    void neighboursShareADirectoryAndVolumesDoNot() {
        Set<Integer> ofOneVolume = new HashSet<>();
        for (int i = 0; i < 256; i++) {
            ofOneVolume.add(ObjectPath.bucket("volume_%08x".formatted(i)));
        }
        assertThat(ofOneVolume).hasSize(1);
        int[] objects = new int[ObjectPath.BUCKETS];
        for (int i = 0; i < 100 * ObjectPath.BUCKETS; i++) {
            objects[ObjectPath.bucket("volume_%08x00".formatted(i))]++;
        }
        assertThat(java.util.Arrays.stream(objects)).allMatch(count -> count > 20 && count < 300);
    }

    @Test
    void placesStayWhereTheyAre() {
        assertThat(new ObjectPath(Path.of("/srv")).object("123456789ab")).isEqualTo("/srv/283/123456789ab"); // CRC32C e3069283
        assertThat(ObjectPath.bucket("a")).isEqualTo(ObjectPath.bucket("bc")).isZero();
    }

    @Test
    void onlyThreeHexDigitsNameADirectoryOfObjects() {
        assertThat(ObjectPath.isBucket("0af")).isTrue();
        assertThat(ObjectPath.isBucket("tmp")).isFalse();
        assertThat(ObjectPath.isBucket("0aF")).isFalse();
        assertThat(ObjectPath.isBucket("00")).isFalse();
    }
}
