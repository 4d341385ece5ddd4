package org.archipelago.ext.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SizesTest {
    @ParameterizedTest
    @CsvSource({"1,1048576", "10G,10737418240", "10g,10737418240", "10GiB,10737418240", "10GB,10737418240", "1.5T,1649267441664",
        "512K,524288", "4096B,4096", "0.5M,524288", "+7,7340032", "64T,70368744177664"})
    void parsesNumbersWithUnits(String text, long bytes) {
        assertThat(Sizes.parse("size", text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "x", "1x", "1 2", "1G1", "--", "1e9", "0x10", "NaN", "1,5G", "99999999999999999999999999", "10\nG\u0000"})
    void refusesWhatIsNoSize(String text) {
        assertThatThrownBy(() -> Sizes.parse("size", text)).isInstanceOf(Failure.class).hasMessageContaining("is no size")
            .satisfies(e -> assertThat(((Failure) e).code()).isEqualTo(ExitCode.USAGE));
    }

    @ParameterizedTest
    @CsvSource({"0,more than 0", "-5,more than 0", "-1G,more than 0", "65T,at most 64T", "99999999999999999999,at most 64T",
        "9P,at most 64T", "100B,multiple of 512", "0.0001K,whole number"})
    void refusesWhatNoVolumeCanHave(String text, String why) {
        assertThatThrownBy(() -> Sizes.parse("size", text)).isInstanceOf(Failure.class).hasMessageContaining(why)
            .hasMessageContaining(text);
    }

    @Test
    void ganetiGivesWholeMib() {
        assertThat(Sizes.parseMib("VOL_SIZE", "1024")).isEqualTo(1L << 30);
        assertThatThrownBy(() -> Sizes.parseMib("VOL_SIZE", "1G")).hasMessageContaining("VOL_SIZE '1G' is no number of MiB");
        assertThatThrownBy(() -> Sizes.parseMib("VOL_SIZE", "-1")).hasMessageContaining("more than 0");
    }

    @ParameterizedTest
    @CsvSource({"0,0B", "1023,1023B", "1024,1K", "1536,1.5K", "1048576,1M", "107374182400,100G", "1649267441664,1.5T",
        "9223372036854775807,8192P"})
    void formatsForPeople(long bytes, String text) {
        assertThat(Sizes.format(bytes)).isEqualTo(text);
    }
}
