package org.archipelago.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LocationsTest {
    private static final Locations HOST = Locations.of(Map.of());

    @Test
    void ofTheHost() {
        assertThat(HOST).isEqualTo(new Locations(Path.of("/etc/archipelago/archipelago.conf"), Path.of("/run/archipelago"),
                Path.of("/var/log/archipelago"), Path.of("/var/lib/archipelago"), Path.of("/etc/archipelago")));
        assertThat(Locations.of(Map.of("ARCHIPELAGO_ROOT", ""))).isEqualTo(HOST);
        assertThat(HOST.isHost()).isTrue();
        assertThat(HOST.controlSocket()).isEqualTo(Path.of("/run/archipelago/control.sock"));
    }

    @Test
    void belowARoot() {
        Locations r = Locations.of(Map.of("ARCHIPELAGO_ROOT", "/tmp/x/../r/"));
        assertThat(r).isEqualTo(new Locations(Path.of("/tmp/r/etc/archipelago.conf"), Path.of("/tmp/r/run"),
                Path.of("/tmp/r/log"), Path.of("/tmp/r/data"), Path.of("/tmp/r")));
        assertThat(r.isHost()).isFalse();
        assertThat(Locations.of(Map.of("ARCHIPELAGO_ROOT", "r")).run()).isEqualTo(Path.of("r/run").toAbsolutePath());
    }

    @Test
    void withAnotherConfiguration() {
        assertThat(HOST.withConfiguration(Path.of("/a/b.conf")).base()).isEqualTo(Path.of("/a"));
        assertThat(HOST.withConfiguration(Path.of("/a/b.conf")).run()).isEqualTo(HOST.run());
        Locations r = Locations.of(Map.of("ARCHIPELAGO_ROOT", "/tmp/r")).withConfiguration(Path.of("/a/../c/b.conf"));
        assertThat(r.base()).isEqualTo(Path.of("/tmp/r"));
        assertThat(r.configuration()).isEqualTo(Path.of("/c/b.conf"));
    }

    @Test
    void socketsOfVolumes() {
        assertThat(HOST.nbdSocket("disk0.ext")).isEqualTo(Path.of("/run/archipelago/nbd/disk0.ext.sock"));
        assertThat(HOST.imageSocket("disk0.ext")).isEqualTo(Path.of("/run/archipelago/img/disk0.ext.sock"));
        assertThat(HOST.nbdSocket("a".repeat(80)).toString().length()).isLessThanOrEqualTo(107);
        for (String name : List.of("", "/", "../x", "a/b", "a\0b")) {
            assertThatThrownBy(() -> HOST.nbdSocket(name)).isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("no name of a volume: " + Literal.quote(name));
        }
    }
}
