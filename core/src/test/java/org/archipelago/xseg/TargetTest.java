package org.archipelago.xseg;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TargetTest {
    /** Volumes are shared out among reactors by the lowest bits, and often differ in one digit. */
    @Test
    void namesThatDifferInOneDigit_areSpreadEvenly() {
        for (String form : new String[] {"%d", "v%d", "vm-%03d", "a-longer-name-%d", "%08d-c0de-disk0", "0f5c1b3e-77aa-4c1d-9d57-%012d.ext.disk0"}) {
            int[] counts = new int[4];
            for (int i = 0; i < 1000; i++) {
                counts[Math.floorMod(Target.of(form.formatted(i)).hashCode(), counts.length)]++;
            }
            for (int count : counts) {
                assertThat(count).as(form).isBetween(150, 350);
            }
        }
    }

    @Test
    void nameOutOfRange_isRefused() {
        assertThatThrownBy(() -> Target.of("")).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("length=0");
        assertThatThrownBy(() -> Target.of("x".repeat(Target.MAX + 1))).hasMessageContaining("length=161");
        assertThat(Target.of("x".repeat(Target.MAX)).toString()).hasSize(Target.MAX);
    }
}
