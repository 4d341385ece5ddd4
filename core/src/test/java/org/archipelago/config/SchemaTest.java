package org.archipelago.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Test;

class SchemaTest {
    @Test
    void everySettingIsComplete() {
        for (RoleType type : RoleType.values()) {
            List<Setting> settings = new ArrayList<>(Schema.common());
            settings.addAll(Schema.of(type));
            complete(settings);
        }
        complete(Schema.global());
    }

    private static void complete(List<Setting> settings) {
        HashSet<String> names = new HashSet<>();
        for (Setting s : settings) {
            assertThat(names.add(s.name())).as(s.name()).isTrue();
            assertThat(s.help()).as(s.name()).matches("[A-Z0-9'].*\\.");
            assertThat(s.allowed()).as(s.name()).isNotEmpty();
            assertThat(s.fallback() instanceof Literal.Nothing || s.kind().problem(s.fallback()).isEmpty())
                    .as(s.name()).isTrue();
        }
    }

    @Test
    void manualPageHasTheTables() throws Exception {
        Path page = Path.of("..", "docs", "archipelago.conf.md");
        String text = Files.readString(page);
        String begin = "<!-- settings: generated -->\n";
        assertThat(text).contains(begin);
        assertThat(text.substring(text.indexOf(begin) + begin.length(), text.indexOf("<!-- end of settings -->")))
                .isEqualTo(Schema.markdown());
    }
}
