package org.archipelago.peer.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ServedPortTest {
    private final ServedPort port = new ServedPort(7, 0);

    @Test
    void allForAnother_moves() {
        for (int i = 0; i < 300; i++) {
            port.belongs(1);
        }
        assertThat(port.shouldMoveFrom(0)).isTrue();
        assertThat(port.candidate()).isEqualTo(1);
        assertThat(port.shouldMoveFrom(1)).isFalse();
    }

    @Test
    void fewForAnother_stays() {
        for (int i = 0; i < 255; i++) {
            port.belongs(1);
        }
        assertThat(port.shouldMoveFrom(0)).isFalse();
    }

    @Test
    void mostForTheOneThatHasIt_stays() {
        SplittableRandom random = new SplittableRandom(11);
        for (int i = 0; i < 100_000; i++) {
            port.belongs(random.nextInt(10) < 6 ? 0 : 1);
            assertThat(port.shouldMoveFrom(0)).isFalse();
        }
    }
}
