package org.archipelago.ext.ganeti;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.archipelago.ext.Failure;
import org.junit.jupiter.api.Test;

class OrdersTest {
    @Test
    void parametersThatAreNotKnownAreRefused() {
        assertThat(Parameters.of(Map.of("EXTP_PROVIDER", "archipelago", "EXTP_ACCESS", "userspace", "VOL_NAME", "v", "PATH", "/")).origin())
            .isEmpty();
        assertThat(Parameters.of(Map.of("EXTP_ORIGIN", "debian")).origin()).isEqualTo("debian");
        assertThatThrownBy(() -> Parameters.of(Map.of("EXTP_ORIGN", "debian"))).isInstanceOf(Failure.class)
            .hasMessage("disk parameter 'orign' is not known; did you mean origin? "
                + "The provider archipelago knows: origin, origin_size");
        assertThatThrownBy(() -> Parameters.of(Map.of("EXTP_X\n", "1"))).hasMessageContaining("'x?'");
        assertThatThrownBy(() -> Parameters.of(Map.of("EXTP_ORIGIN", ""))).isInstanceOf(Failure.class);
        assertThatThrownBy(() -> Parameters.of(Map.of("EXTP_ORIGIN", "../../etc/passwd"))).isInstanceOf(Failure.class);
    }

    @Test
    void sizeOfAnImageOfTheOriginal_isItsBytes() {
        assertThat(Parameters.of(Map.of("EXTP_ORIGIN", "debian", "EXTP_ORIGIN_SIZE", "-1")).originSize()).isEmpty();
        assertThat(Parameters.of(Map.of("EXTP_ORIGIN", "debian")).originSize()).isEmpty();
        for (String bad : new String[] {"", "-2", "10G", "1".repeat(19)}) {
            assertThatThrownBy(() -> Parameters.of(Map.of("EXTP_ORIGIN", "debian", "EXTP_ORIGIN_SIZE", bad)))
                .isInstanceOf(Failure.class).hasMessageContaining("origin_size '" + bad + "' is no number of bytes");
        }
        assertThatThrownBy(() -> Parameters.of(Map.of("EXTP_ORIGIN_SIZE", "1"))).hasMessageContaining("needs origin");
        assertThat(Parameters.of(Map.of("EXTP_ORIGIN", "debian", "EXTP_ORIGIN_SIZE", "1258291")).originSize()).hasValue(1258291);
    }
}
