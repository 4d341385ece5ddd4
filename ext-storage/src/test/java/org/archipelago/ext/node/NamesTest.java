package org.archipelago.ext.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NamesTest {
    @ParameterizedTest
    @ValueSource(strings = {"", "a/b", "..", ".", ".hidden", "-x", "a b", "a\n", "a\u0000", "\u001b[2J", "ä", "a%", "a\\b"})
    void refusesWhatNoVolumeCanBeCalled(String name) {
        assertThatThrownBy(() -> Names.check(name)).isInstanceOf(Failure.class)
            .satisfies(e -> assertThat(((Failure) e).code()).isEqualTo(ExitCode.USAGE))
            .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\u001b", "\n", "\u0000"));
    }

    @Test
    void lengthsAreBounded() {
        assertThat(Names.check("x".repeat(80))).hasSize(80);
        assertThatThrownBy(() -> Names.check("x".repeat(81))).hasMessageContaining("80");
        assertThatThrownBy(() -> Names.check("x".repeat(100_000))).hasMessageContaining("80");
    }

    @Test
    void temporaryNamesAreNotForUsers() {
        assertThat(Names.check("@import-1")).isEqualTo("@import-1");
        assertThatThrownBy(() -> Names.checkNew("@import-1")).hasMessageContaining("temporary");
        assertThat(Names.checkNew("5f0c3a.ext.disk0")).isEqualTo("5f0c3a.ext.disk0");
    }
}
