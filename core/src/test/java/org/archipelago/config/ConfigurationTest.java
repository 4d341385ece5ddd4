package org.archipelago.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigurationTest {
    @TempDir
    Path folder;

    private static List<String> findings(Path file) {
        ConfigurationException e = catchThrowableOfType(() -> Configuration.read(file), ConfigurationException.class);
        assertThat(e).hasMessage(e.findings().stream().map(Finding::toString).collect(Collectors.joining("\n")));
        return e.findings().stream().map(Finding::toString).collect(Collectors.toList());
    }

    @Test
    void shippedFileReads() throws ConfigurationException {
        Configuration c = Sample.read(Configuration.shipped());
        assertThat(c.warnings()).isEmpty();
        assertThat(c.segment()).isEqualTo(
                new SegmentSettings("posix", "archipelago", 1024, 64, 12, new PortRange(0, 499), new PortRange(1003, 1022)));
        assertThat(c.daemon()).isEqualTo(new DaemonSettings("archipelago", "archipelago", 0, 50, 15));
        assertThat(c.endpoint()).isEqualTo(new EndpointSettings(EndpointSettings.Device.AUTO, 300, 16));
        assertThat(c.roles()).containsExactly(
                new FileBlockerRole("blockerb", new PortRange(1000, 1000), 512, 1, Optional.empty(),
                        Path.of("/srv/archip/blocks"), 8, 512, false),
                new FileBlockerRole("blockerm", new PortRange(1002, 1002), 512, 1, Optional.empty(),
                        Path.of("/srv/archip/maps"), 8, 512, false),
                new MapperRole("mapperd", new PortRange(1001, 1001), 512, 1, Optional.empty(), 1000, 1002, false),
                new ComposerRole("vlmcd", new PortRange(500, 999), 512, 1, Optional.empty(), 1000, 1001));
    }

    @Test
    void shippedFileNamesEverySettingWithItsDefault() throws ConfigurationException {
        Configuration c = Sample.read(Configuration.shipped());
        for (Setting setting : Schema.global()) {
            SettingValue value = c.values().stream().filter(v -> v.role().isEmpty() && v.name().equals(setting.name()))
                    .findFirst().orElseThrow();
            assertThat(value.isDefault()).as(setting.name()).isFalse();
            assertThat(setting.isMandatory() || value.value().equals(setting.defaultValue())).as(setting.name()).isTrue();
        }
        for (RoleType type : RoleType.values()) {
            for (Setting setting : type.isBuilt() ? Schema.of(type) : List.<Setting>of()) {
                assertThat(Configuration.shipped()).contains("'" + setting.name() + "': ");
            }
        }
        Schema.common().forEach(s -> assertThat(Configuration.shipped()).contains(s.name()));
        assertThat(Configuration.shipped().lines().mapToInt(String::length).max().orElse(0)).isLessThan(85);
    }

    @Test
    void defaultsNeedNoLine() throws ConfigurationException {
        Configuration c = Sample.read("roles = [('d', 'dummy')]\nd = {'portno_start': 500, 'portno_end': 500}\n");
        Configuration shipped = Sample.read(Configuration.shipped());
        assertThat(c.segment()).isEqualTo(shipped.segment());
        assertThat(c.daemon()).isEqualTo(shipped.daemon());
        assertThat(c.endpoint()).isEqualTo(shipped.endpoint());
        assertThat(c.values().stream().filter(v -> !v.isDefault()).map(SettingValue::name).collect(Collectors.toList()))
                .containsExactly("roles", "portno_start", "portno_end");
    }

    @Test
    void effectiveConfigurationReadsTheSame() throws ConfigurationException {
        for (String text : List.of(Configuration.shipped(), Sample.RANGES + Sample.ROLES,
                Sample.withRole("b", "archip_dir", "'it\\'s \\\\ \\x22'").replace("'/srv/m'", "'x', 'process': 'a', 'direct': True"))) {
            Configuration first = Sample.read(text);
            Configuration again = Sample.read(first.effective());
            assertThat(again.effective()).isEqualTo(first.effective());
            assertThat(List.of(again.segment(), again.daemon(), again.endpoint(), again.roles()))
                    .isEqualTo(List.of(first.segment(), first.daemon(), first.endpoint(), first.roles()));
        }
    }

    @Test
    void lookUps() throws ConfigurationException {
        Configuration c = Sample.read(Configuration.shipped());
        assertThat(c.role("mapperd").map(Role::type)).hasValue(RoleType.MAPPERD);
        assertThat(c.role("none")).isEmpty();
        assertThat(c.roleOfPort(777).map(Role::name)).hasValue("vlmcd");
        assertThat(c.roleOfPort(1003)).isEmpty();
        assertThatThrownBy(() -> c.roles().clear()).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> c.values().clear()).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> c.warnings().clear()).isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    void relativeFolders() throws Exception {
        Path file = Files.createDirectories(folder.resolve("etc")).resolve("archipelago.conf");
        Files.writeString(file, Sample.withRole("b", "archip_dir", "'blocks'"));
        assertThat(((FileBlockerRole) Configuration.read(file).roles().get(0)).archipDir())
                .isEqualTo(folder.resolve("etc/blocks"));
        Locations rooted = Locations.of(Map.of("ARCHIPELAGO_ROOT", folder.toString()));
        assertThat(((FileBlockerRole) Configuration.read(rooted).roles().get(0)).archipDir()).isEqualTo(folder.resolve("blocks"));
    }

    @Test
    void filesThatCannotBeRead() throws IOException {
        String allowed = "; allowed: a file that user and group of the daemon can read";
        Path missing = folder.resolve("missing.conf");
        assertThat(findings(missing)).containsExactly(missing + ": does not exist" + allowed);
        assertThat(findings(folder)).containsExactly(folder + ": cannot be read: Is a directory" + allowed);
    }

    @Test
    void filesThatAreNoText() throws IOException {
        Path file = folder.resolve("a.conf");
        Files.write(file, "# line\nUSER = 'caf\u00e9'\n".getBytes(StandardCharsets.ISO_8859_1));
        assertThat(findings(file)).containsExactly(file + ":2: not UTF-8; allowed: text in UTF-8; best, plain ASCII");
        Files.write(file, new byte[] {'#', (byte) 0xe2, (byte) 0x82});
        assertThat(findings(file)).containsExactly(file + ":1: not UTF-8; allowed: text in UTF-8; best, plain ASCII");
        Files.write(file, new byte[ConfigurationReader.LARGEST_FILE + 1]);
        assertThat(findings(file)).containsExactly(file + ": larger than 1048576 bytes; allowed: a smaller file");
    }

    @Test
    void findingsAreInTheOrderOfTheFile() {
        assertThat(Sample.refusals("LEASE_S = 0\nX = 1\n" + Sample.withRole("b", "nr_ops", "3") + "SPIN_US = -1\n"))
                .extracting(line -> line.replaceAll("^test.conf:([0-9]+): ([A-Za-z_.]+).*", "$1 $2"))
                .containsExactly("1 LEASE_S", "2 X", "8 b.nr_ops", "13 SPIN_US");
    }

    @Test
    void findingsStayOnOneLine() {
        Finding finding = new Finding(Finding.Severity.WARNING, Path.of("a\nb"), 3, 0, "S\tT", "1", "p", "q");
        assertThat(finding.toString()).isEqualTo("a?b:3: warning: S?T = 1: p; allowed: q");
        assertThat(finding.isError()).isFalse();
    }

    @Test
    void portRanges() {
        PortRange range = new PortRange(5, 9);
        assertThat(range.size()).isEqualTo(5);
        assertThat(range.contains(5) && range.contains(9) && !range.contains(4) && !range.contains(10)).isTrue();
        assertThat(range.overlaps(new PortRange(9, 12))).isTrue();
        assertThat(range.overlaps(new PortRange(10, 12))).isFalse();
        assertThatThrownBy(() -> new PortRange(3, 2)).hasMessage("no range of ports: 3-2");
        assertThatThrownBy(() -> new PortRange(-1, 2)).hasMessage("no range of ports: -1-2");
    }

    @Test
    void suggestions() {
        assertThat(Suggestion.distance("kitten", "sitting")).isEqualTo(3);
        assertThat(Suggestion.distance("ab", "ba")).isEqualTo(1);
        assertThat(Suggestion.distance("", "abc")).isEqualTo(3);
        assertThat(Suggestion.of("bloker_port", List.of("mapper_port", "blocker_port"))).isEqualTo("; did you mean blocker_port?");
        assertThat(Suggestion.of("zzz", List.of("mapper_port"))).isEmpty();
    }
}
