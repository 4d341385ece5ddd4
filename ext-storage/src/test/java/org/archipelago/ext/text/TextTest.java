package org.archipelago.ext.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.archipelago.config.Suggestion;
import org.junit.jupiter.api.Test;

class TextTest {
    @Test
    void hidesControlCharactersAndEndlessness() {
        assertThat(Text.printable("a\u001b[31m\nb")).isEqualTo("a?[31m?b");
        assertThat(Text.printable("x".repeat(1000))).hasSize(103).endsWith("...");
    }

    @Test
    void wrapsAtBlanks() {
        assertThat(Text.wrap("one two three", 7)).containsExactly("one two", "three");
        assertThat(Text.wrap("extraordinary x", 5)).containsExactly("extraordinary", "x");
        assertThat(Text.wrap("", 5)).containsExactly("");
    }

    @Test
    void tellsDurationsInTwoUnits() {
        assertThat(List.of(Text.duration(0), Text.duration(59), Text.duration(60), Text.duration(3725), Text.duration(90000)))
            .containsExactly("0s", "59s", "1m", "1h 2m", "1d 1h");
    }

    @Test
    void findsWhatWasMeant() {
        List<String> words = List.of("create", "close", "list", "showmapped");
        assertThat(Suggestion.endOfSentence("crate", words)).isEqualTo("; did you mean create?");
        assertThat(Suggestion.endOfSentence("lsit", words)).isEqualTo("; did you mean list?");
        assertThat(Suggestion.endOfSentence("showm", words)).isEqualTo("; did you mean showmapped?");
        assertThat(Suggestion.endOfSentence("xyzzy", words)).isEqualTo(".");
    }
}
