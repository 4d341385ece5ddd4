package org.archipelago.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each setting by itself. */
class SettingsTest {
    private static String effective(String text, String role, String setting) throws ConfigurationException {
        return Sample.read(text).values().stream().filter(v -> v.role().equals(role) && v.name().equals(setting))
                .map(SettingValue::value).findFirst().orElse("none");
    }

    @ParameterizedTest
    @CsvSource({
        "SEGMENT_PORTS, 1023, 4096, 0, 4097, 1 to 4096 ports",
        "SEGMENT_SIZE, 8, 1048576, 7, 1048577, 8 to 1048576 MiB",
        "SEGMENT_ALIGNMENT, 12, 12, 11, 13, only 12",
        "XSEGBD_START, 0, 9, -1, 4096, 0 to 4095",
        "XSEGBD_END, 0, 9, -1, 4096, 0 to 4095",
        "VTOOL_START, 32, 1022, -1, 4096, 0 to 4095",
        "VTOOL_END, 1003, 1023, -1, 4096, 0 to 4095",
        "REACTORS, 0, 64, -1, 65, 0 to 64 threads",
        "SPIN_US, 0, 1000, -1, 1001, 0 to 1000 microseconds",
        "NBD_RECONNECT_S, 0, 3600, -1, 3601, 0 to 3600 seconds",
        "NBD_BUFFERS, 2, 1024, 1, 1025, 2 to 1024 MiB",
        "LEASE_S, 5, 300, 4, 301, 5 to 300 seconds",
    })
    void numbersOfTheFile(String name, long least, long most, long below, long above, String allowed)
            throws ConfigurationException {
        assertThat(effective(Sample.with(name + " = " + least), "", name)).isEqualTo("" + least);
        assertThat(effective(Sample.with(name + " = " + most), "", name)).isEqualTo("" + most);
        for (String wrong : List.of("" + below, "" + above, "9223372036854775807")) {
            assertThat(Sample.refusals(Sample.with(name + " = " + wrong)))
                    .containsExactly("test.conf:1: " + name + " = " + wrong + ": out of range; allowed: " + allowed);
        }
        assertThat(Sample.refusals(Sample.with(name + " = '12'"))).containsExactly("test.conf:1: " + name
                + " = '12': a string where a whole number is due; allowed: " + allowed);
        assertThat(Sample.refusals(Sample.with(name + " = True"))).containsExactly("test.conf:1: " + name
                + " = True: a truth value where a whole number is due; allowed: " + allowed);
    }

    @Test
    void guideSegmentSize() throws ConfigurationException {
        assertThat(Sample.read(Sample.with("SEGMENT_SIZE = 2048")).segment().sizeBytes()).isEqualTo(2048L << 20);
        assertThat(Sample.read(Sample.with("SEGMENT_SIZE = 4 * 1024")).segment().sizeMib()).isEqualTo(4096);
    }

    @Test
    void words() throws ConfigurationException {
        assertThat(Sample.refusals(Sample.with("SEGMENT_TYPE = 'segdev'"))).containsExactly(
                "test.conf:1: SEGMENT_TYPE = 'segdev': 'segdev' went away, since xsegbd now makes a segment for each device:"
                + " write SEGMENT_TYPE = 'posix' or leave the line out; allowed: only 'posix'");
        assertThat(Sample.refusals(Sample.with("SEGMENT_TYPE = 'pthread'"))).containsExactly(
                "test.conf:1: SEGMENT_TYPE = 'pthread': not a value of this setting; allowed: only 'posix'");
        assertThat(Sample.refusals(Sample.with("ENDPOINT = 'fuse'"))).containsExactly("test.conf:1: ENDPOINT = 'fuse':"
                + " not a value of this setting; allowed: 'auto', 'xsegbd', 'nbd', 'loop', 'none'");
        assertThat(Sample.refusals(Sample.with("ENDPOINT = []"))).containsExactly("test.conf:1: ENDPOINT = []:"
                + " a list where a string is due; allowed: 'auto', 'xsegbd', 'nbd', 'loop', 'none'");
        for (EndpointSettings.Device device : EndpointSettings.Device.values()) {
            String word = device.name().toLowerCase(java.util.Locale.ROOT);
            assertThat(Sample.read(Sample.with("ENDPOINT = '" + word + "'")).endpoint().device()).isEqualTo(device);
        }
    }

    @Test
    void names() throws ConfigurationException {
        names("SEGMENT_NAME", "0.x-y_Z", "1 to 32 of A-Z a-z 0-9 _ . -, not beginning with . or -");
        names("USER", "www-data", "1 to 32 of A-Z a-z 0-9 _ . -, beginning with a letter or _");
        names("GROUP", "_a.b-C", "1 to 32 of A-Z a-z 0-9 _ . -, beginning with a letter or _");
    }

    private static void names(String name, String right, String allowed) throws ConfigurationException {
        assertThat(effective(Sample.with(name + " = '" + right + "'"), "", name)).isEqualTo("'" + right + "'");
        for (String wrong : List.of("''", "'-a'", "'.a'", "'a b'", "'a/b'", "'../a'", "'" + "a".repeat(33) + "'", "'a\\n'",
                "'a\\x00'", "'\\xe9'")) {
            assertThat(Sample.refusals(Sample.with(name + " = " + wrong))).as(wrong).containsExactly("test.conf:1: " + name
                    + " = " + wrong + ": not of the right form; allowed: " + allowed);
        }
        assertThat(Sample.refusals(Sample.with(name + " = 3"))).containsExactly("test.conf:1: " + name
                + " = 3: a whole number where a string is due; allowed: " + allowed);
    }

    @ParameterizedTest
    @CsvSource({
        "b, portno_start, 10, 10, -1, 4096, 0 to 4095",
        "d, portno_end, 30, 1002, -1, 4096, 0 to 4095",
        "d, log_level, 0, 3, -1, 4, 0 to 3",
        "b, nr_threads, 1, 512, 0, 513, 1 to 512 threads",
        "b, fdcache, 16, 1048576, 1, 1048577, 2 to 1048576 files",
        "map, blockerb_port, 10, 10, -1, 4096, 0 to 4095",
        "map, blockerm_port, 10, 11, -1, 4096, 0 to 4095",
        "vl, blocker_port, 10, 10, -1, 4096, 0 to 4095",
        "vl, mapper_port, 12, 12, -1, 4096, 0 to 4095",
    })
    void numbersOfRoles(String role, String name, long least, long most, long below, long above, String allowed)
            throws ConfigurationException {
        for (long right : List.of(least, most)) {
            assertThat(effective(Sample.withRole(role, name, "" + right), role, name)).isEqualTo("" + right);
        }
        int line = 6 + List.of("b", "m", "map", "vl", "d").indexOf(role);
        for (String wrong : List.of("" + below, "" + above)) {
            assertThat(Sample.refusals(Sample.withRole(role, name, wrong))).containsExactly("test.conf:" + line + ": " + role
                    + "." + name + " = " + wrong + ": out of range; allowed: " + allowed);
        }
        assertThat(Sample.refusals(Sample.withRole(role, name, "False"))).containsExactly("test.conf:" + line + ": " + role
                + "." + name + " = False: a truth value where a whole number is due; allowed: " + allowed);
    }

    @Test
    void operations() throws ConfigurationException {
        for (int ops = 1; ops <= 4096; ops *= 2) {
            assertThat(Sample.read(Sample.withRole("d", "nr_ops", "" + ops)).role("d").orElseThrow().nrOps()).isEqualTo(ops);
        }
        assertThat(Sample.refusals(Sample.withRole("d", "nr_ops", "100"))).containsExactly(
                "test.conf:10: d.nr_ops = 100: not a power of two; allowed: powers of two from 1 to 4096");
        assertThat(Sample.refusals(Sample.withRole("d", "nr_ops", "8192"))).containsExactly(
                "test.conf:10: d.nr_ops = 8192: out of range; allowed: powers of two from 1 to 4096");
        assertThat(Sample.refusals(Sample.withRole("d", "nr_ops", "0"))).containsExactly(
                "test.conf:10: d.nr_ops = 0: out of range; allowed: powers of two from 1 to 4096");
    }

    @Test
    void process() throws ConfigurationException {
        assertThat(Sample.read(Sample.withRole("d", "process", "'io-2'")).role("d").orElseThrow().process()).hasValue("io-2");
        assertThat(Sample.read(Sample.withRole("d", "process", "None")).role("d").orElseThrow().process()).isEmpty();
        for (String wrong : List.of("''", "'A'", "'a_b'", "'a/b'", "'" + "a".repeat(33) + "'")) {
            assertThat(Sample.refusals(Sample.withRole("d", "process", wrong))).containsExactly(
                    "test.conf:10: d.process = " + wrong + ": not of the right form; allowed: 1 to 32 of a-z 0-9 -");
        }
    }

    @Test
    void fileBlocker() throws ConfigurationException {
        FileBlockerRole role = (FileBlockerRole) Sample.read(Sample.withRole("b", "archip_dir", "'x/../blocks'")).roles().get(0);
        assertThat(role).isEqualTo(new FileBlockerRole("b", new PortRange(10, 10), 512, 1, java.util.Optional.empty(),
                Sample.BASE.resolve("blocks"), 8, 512, false));
        String folder = "test.conf:6: b.archip_dir = ";
        assertThat(Sample.refusals(Sample.withRole("b", "archip_dir", "''")))
                .containsExactly(folder + "'': empty; allowed: the path of a folder that exists");
        assertThat(Sample.refusals(Sample.withRole("b", "archip_dir", "'a\\x00b'")))
                .containsExactly(folder + "'a\\x00b': not a path; allowed: the path of a folder that exists");
        assertThat(Sample.refusals(Sample.withRole("b", "archip_dir", "7")))
                .containsExactly(folder + "7: a whole number where a string is due; allowed: the path of a folder that exists");
        assertThat(Sample.refusals(Sample.withRole("b", "archip_dir", "'/" + "a".repeat(4000) + "'")))
                .containsExactly(folder + "'/" + "a".repeat(55) + "...: not a path; allowed: the path of a folder that exists");
        assertThat(Sample.read(Sample.withRole("b", "direct", "True")).values()).contains(
                new SettingValue("b", "direct", "True", 6));
        assertThat(Sample.refusals(Sample.withRole("b", "direct", "1"))).containsExactly(
                "test.conf:6: b.direct = 1: a whole number where True or False is due; allowed: True or False");
    }

    @Test
    void fileDescriptorsFollowThreads() throws ConfigurationException {
        assertThat(effective(Sample.withRole("b", "nr_threads", "300"), "b", "fdcache")).isEqualTo("600");
        assertThat(Sample.refusals(Sample.withRole("b", "fdcache", "15"))).containsExactly(
                "test.conf:6: b.fdcache = 15: less than twice nr_threads, which is 8; allowed: at least 16");
    }

    @Test
    void missing() {
        assertThat(Sample.refusals("")).containsExactly("test.conf: roles: missing; allowed:"
                + " [('name', 'type'), ...], with the types 'file_blocker', 'mapperd', 'vlmcd', 'dummy'");
        assertThat(Sample.refusals("roles = [('b', 'file_blocker'), ('m', 'mapperd'), ('v', 'vlmcd')]\nb = {}\nm = {}\nv = {}\n"))
                .containsExactly(
                        "test.conf:2: b.portno_start: missing; allowed: 0 to 4095",
                        "test.conf:2: b.portno_end: missing; allowed: 0 to 4095",
                        "test.conf:2: b.archip_dir: missing; allowed: the path of a folder that exists",
                        "test.conf:3: m.portno_start: missing; allowed: 0 to 4095",
                        "test.conf:3: m.portno_end: missing; allowed: 0 to 4095",
                        "test.conf:3: m.blockerb_port: missing; allowed: 0 to 4095",
                        "test.conf:3: m.blockerm_port: missing; allowed: 0 to 4095",
                        "test.conf:4: v.portno_start: missing; allowed: 0 to 4095",
                        "test.conf:4: v.portno_end: missing; allowed: 0 to 4095",
                        "test.conf:4: v.blocker_port: missing; allowed: 0 to 4095",
                        "test.conf:4: v.mapper_port: missing; allowed: 0 to 4095");
        assertThat(Sample.refusals(Sample.withRole("d", "portno_end", "None"))).containsExactly(
                "test.conf:10: d.portno_end = None: None where a whole number is due; allowed: 0 to 4095");
    }

    @Test
    void unknown() {
        String names = Schema.global().stream().map(Setting::name).collect(Collectors.joining(", "));
        assertThat(Sample.refusals(Sample.with("SEGMENT_SZIE = 3"))).containsExactly(
                "test.conf:1: SEGMENT_SZIE = 3: unknown setting; did you mean SEGMENT_SIZE?; allowed: " + names);
        assertThat(Sample.refusals(Sample.with("segment_size = 3"))).containsExactly(
                "test.conf:1: segment_size = 3: unknown setting; did you mean SEGMENT_SIZE?; allowed: " + names);
        assertThat(Sample.refusals(Sample.with("BLKTAP_ENABLED = True"))).containsExactly(
                "test.conf:1: BLKTAP_ENABLED = True: unknown setting; allowed: " + names);
        assertThat(Sample.refusals(Sample.withRole("map", "blokerb_port", "3"))).containsExactly(
                "test.conf:8: map.blokerb_port = 3: unknown setting; did you mean blockerb_port?; allowed: portno_start,"
                + " portno_end, nr_ops, log_level, process, blockerb_port, blockerm_port, upgrade_original");
        assertThat(Sample.refusals(Sample.withRole("d", "'\n'", "3").replace("''\n''", "'''a\nb'''"))).containsExactly(
                "test.conf:10: d.a?b = 3: unknown setting; allowed: portno_start, portno_end, nr_ops, log_level, process");
    }

    @Test
    void twice() {
        assertThat(Sample.refusals("LEASE_S = 20\n" + Sample.with("LEASE_S = 30"))).containsExactly(
                "test.conf:2: LEASE_S = 30: set twice; allowed: one value; line 1 has one already");
        assertThat(Sample.refusals(Sample.RANGES + Sample.ROLES + "d = {}")).containsExactly(
                "test.conf:11: d: set twice; allowed: one dict; line 10 has one already");
        assertThat(Sample.refusals(Sample.RANGES + Sample.ROLES.replace("d = {", "d = {'log_level': 1, 'log_level': 2, ")))
                .containsExactly("test.conf:10: d.log_level = 2: set twice; allowed: one value; line 10 has one already");
    }

    @ParameterizedTest
    @CsvSource({"logfile, 'ignored: each process logs to one file, in the log folder'",
        "pidfile, 'ignored: each process has its pid file in the run folder'",
        "unique_str, 'ignored: who this node is, its identity in the data folder says'",
        "threshold, 'ignored: SPIN_US says how long to look for work, for all roles'",
        "daemon, 'ignored: a role is no process of its own to send to the background'",
        "cpus, 'ignored: roles share the reactors, and REACTORS says how many there are'"})
    void ignored(String name, String reason) throws ConfigurationException {
        assertThat(Sample.warnings(Sample.withRole("vl", name, "'x'"))).containsExactly(
                "test.conf:9: warning: vl." + name + " = 'x': " + reason + "; allowed: leave it out");
    }

    @Test
    void findingsAreBounded() {
        List<String> many = new ArrayList<>(Sample.refusals("UNKNOWN = 1\n".repeat(500) + Sample.with("LEASE_S = 9")));
        assertThat(many).hasSize(Findings.MOST + 1);
        assertThat(many.get(Findings.MOST)).isEqualTo(
                "test.conf: 400 more findings are not shown; allowed: correcting these 100 first");
    }
}
