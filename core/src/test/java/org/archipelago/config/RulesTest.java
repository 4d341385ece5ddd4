package org.archipelago.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Roles and settings beside one another. */
class RulesTest {
    private static final String TYPES = "'file_blocker', 'mapperd', 'vlmcd', 'dummy'";

    private static String with(String from, String to) {
        String text = Sample.RANGES + Sample.ROLES;
        assertThat(text).contains(from);
        return text.replace(from, to);
    }

    @Test
    void rolesInOrder() throws ConfigurationException {
        List<Role> roles = Sample.read(Sample.RANGES + Sample.ROLES).roles();
        assertThat(roles.stream().map(Role::name).collect(Collectors.toList())).containsExactly("b", "m", "map", "vl", "d");
        assertThat(roles.stream().map(Role::type).collect(Collectors.toList())).containsExactly(RoleType.FILE_BLOCKER,
                RoleType.FILE_BLOCKER, RoleType.MAPPERD, RoleType.VLMCD, RoleType.DUMMY);
        assertThat(roles.get(2)).isEqualTo(new MapperRole("map", new PortRange(12, 12), 512, 1, Optional.empty(), 10, 11, false));
        assertThat(roles.get(3)).isEqualTo(new ComposerRole("vl", new PortRange(20, 29), 512, 1, Optional.empty(), 10, 12));
        assertThat(roles.get(4)).isEqualTo(new DummyRole("d", new PortRange(30, 31), 512, 1, Optional.empty()));
    }

    @Test
    void listOfRoles() throws ConfigurationException {
        String form = "; allowed: [('name', 'type'), ...], with the types " + TYPES;
        assertThat(Sample.refusals("roles = []")).containsExactly("test.conf:1: roles = []: empty" + form);
        assertThat(Sample.refusals("roles = {}")).containsExactly("test.conf:1: roles = {}: a dict where a list is due" + form);
        assertThat(Sample.refusals("roles = None")).containsExactly("test.conf:1: roles = None: None where a list is due" + form);
        for (String item : List.of("7", "'b'", "('b',)", "('b', 7)", "(7, 'dummy')", "('b', 'dummy', 1)", "{}", "None")) {
            assertThat(Sample.refusals("roles = [" + item + "]")).containsExactly(
                    "test.conf:1: roles = " + item + ": not a role; allowed: ('name', 'type')");
        }
        assertThat(Sample.read("roles = (['d', 'dummy'],)\nd = {'portno_start': 500, 'portno_end': 500}").roles()).hasSize(1);
    }

    @Test
    void types() {
        assertThat(Sample.refusals("roles = [('d', 'dumy')]\nd = {}")).containsExactly(
                "test.conf:1: roles = ('d', 'dumy'): unknown type; did you mean dummy?; allowed: " + TYPES);
        assertThat(Sample.refusals("roles = [('d', 'poold')]\nd = {}")).containsExactly(
                "test.conf:1: roles = ('d', 'poold'): unknown type; allowed: " + TYPES);
    }

    @Test
    void radosIsKnownButNotBuilt() {
        String dict = "r = {'portno_start': 600, 'portno_end': 600, 'pool': 'blocks', 'cephx_id': 'admin'";
        assertThat(Sample.refusals("roles = [('r', 'rados_blocker')]\n" + dict + "}")).containsExactly(
                "test.conf:1: roles = ('r', 'rados_blocker'): type rados_blocker is not built into this version; allowed: " + TYPES);
        assertThat(Sample.refusals("roles = [('r', 'rados_blocker')]\n" + dict + ", 'nr_threads': 0}")).contains(
                "test.conf:2: r.nr_threads = 0: out of range; allowed: 1 to 512 threads");
        assertThat(Sample.refusals("roles = [('r', 'rados_blocker')]\n" + dict.replace("blocks", "a b") + "}")).contains(
                "test.conf:2: r.pool = 'a b': not of the right form; allowed: 1 to 128 of A-Z a-z 0-9 . _ -");
        assertThat(Sample.refusals("roles = [('r', 'rados_blocker')]\n" + dict.replace("admin", "") + "}")).contains(
                "test.conf:2: r.cephx_id = '': not of the right form; allowed: 1 to 64 of A-Z a-z 0-9 . _ -");
        assertThat(Sample.refusals("roles = [('r', 'rados_blocker')]\n" + dict + ", 'ceph_conf': ''}")).contains(
                "test.conf:2: r.ceph_conf = '': empty; allowed: the path of a file");
        Findings findings = new Findings(Sample.FILE);
        List<Literal.Entry> entries = ((Literal.Dict) Parser.parse(dict + "}", new java.util.ArrayList<>()).get(0).value()).entries();
        List<Setting> settings = java.util.stream.Stream.concat(Schema.common().stream(),
                Schema.of(RoleType.RADOS_BLOCKER).stream()).collect(Collectors.toList());
        Section section = new Section("r", Position.NONE, entries, settings, Schema.IGNORED, findings);
        assertThat(findings.sorted()).isEmpty();
        assertThat(new RoleDraft("r", RoleType.RADOS_BLOCKER, section, Sample.BASE).role()).isEqualTo(
                new RadosBlockerRole("r", new PortRange(600, 600), 512, 1, Optional.empty(), "blocks", 4, Optional.of("admin"),
                        Path.of("/etc/ceph/ceph.conf")));
    }

    @Test
    void namesOfRoles() {
        for (String name : List.of("", "a-b", "1a", "None", "USER", "roles", "a".repeat(33), "a b")) {
            assertThat(Sample.refusals("roles = [('" + name + "', 'dummy')]")).contains(
                    "test.conf:1: roles = ('" + name + "', 'dummy'): no name for a role; allowed: 1 to 32 of A-Z a-z 0-9 _,"
                    + " beginning with a letter or _, and no name of a setting");
        }
        assertThat(Sample.refusals(with("('d', 'dummy')]", "('d', 'dummy'),\n('d', 'vlmcd')]"))).containsExactly(
                "test.conf:6: roles = ('d', 'vlmcd'): the role is listed twice; allowed: each name once; line 5 has it already");
    }

    @Test
    void listAndDictsBelongTogether() throws ConfigurationException {
        assertThat(Sample.refusals(with("d = {", "dd = {"))).containsExactly(
                "test.conf:5: d: the role has no settings; did you mean dd?; allowed:"
                + " d = {'portno_start': ..., 'portno_end': ...}",
                "test.conf:10: warning: dd: no role of this name is listed, so its settings are not used; allowed:"
                + " leave it out, or list it in roles");
        assertThat(Sample.refusals(with("d = {'portno_start': 30, 'portno_end': 31}", "d = 30"))).contains(
                "test.conf:5: d: the role has no settings; allowed: d = {'portno_start': ..., 'portno_end': ...}");
        assertThat(Sample.warnings(with(", ('d', 'dummy')", ""))).containsExactly(
                "test.conf:10: warning: d: no role of this name is listed, so its settings are not used; allowed:"
                + " leave it out, or list it in roles");
        assertThat(Sample.refusals("USER = {'a': 1}\n" + Sample.RANGES + Sample.ROLES)).containsExactly(
                "test.conf:1: USER = {'a': 1}: a dict where a string is due; allowed: 1 to 32 of A-Z a-z 0-9 _ . -,"
                + " beginning with a letter or _");
    }

    @Test
    void numberOfRoles() throws ConfigurationException {
        assertThat(Sample.read(dummies(64)).roles()).hasSize(64);
        assertThat(Sample.refusals(dummies(65))).containsExactly("test.conf:1: roles: 65 roles; allowed: at most 64");
    }

    private static String dummies(int count) {
        return IntStream.range(0, count).mapToObj(i -> "('d" + i + "', 'dummy')").collect(Collectors.joining(", ", "roles = [", "]\n"))
                + IntStream.range(0, count).mapToObj(i -> "d" + i + " = {'portno_start': " + (500 + i) + ", 'portno_end': "
                        + (500 + i) + "}\n").collect(Collectors.joining());
    }

    @Test
    void portsLieInTheSegment() {
        assertThat(Sample.refusals("SEGMENT_PORTS = 1000\n" + Sample.RANGES + Sample.ROLES)).containsExactly(
                "test.conf:4: VTOOL_START = 1003: not a port of the segment; allowed: 0 to 999, below SEGMENT_PORTS",
                "test.conf:5: VTOOL_END = 1022: not a port of the segment; allowed: 0 to 999, below SEGMENT_PORTS");
        assertThat(Sample.refusals("SEGMENT_PORTS = 1004\n" + Sample.ROLES + "XSEGBD_END = 9\n")).containsExactly(
                "test.conf: VTOOL_END = 1022 (the default): not a port of the segment; allowed: 0 to 1003, below SEGMENT_PORTS");
        assertThat(Sample.refusals(with("'portno_end': 31", "'portno_end': 1024"))).containsExactly(
                "test.conf:10: d.portno_end = 1024: not a port of the segment; allowed: 0 to 1023, below SEGMENT_PORTS");
        assertThat(Sample.refusals(with("'portno_end': 31", "'portno_end': 29"))).containsExactly(
                "test.conf:10: d.portno_end = 29: before portno_start, which is 30; allowed: 30 to 1023");
        assertThat(Sample.refusals(with("XSEGBD_START = 0", "XSEGBD_START = 10"))).containsExactly(
                "test.conf:2: XSEGBD_END = 9: before XSEGBD_START, which is 10; allowed: 10 to 1023");
    }

    @Test
    void portsDoNotOverlap() {
        String allowed = "; allowed: ports that nothing else has";
        assertThat(Sample.refusals(with("'portno_start': 30", "'portno_start': 29"))).containsExactly(
                "test.conf:10: d.portno_start = 29: the ports 29-31 overlap those of role vl, 20-29 (line 9)" + allowed);
        assertThat(Sample.refusals(with("'portno_end': 31", "'portno_end': 1003"))).containsExactly(
                "test.conf:10: d.portno_start = 30: the ports 30-1003 overlap those of VTOOL, 1003-1022 (line 3)" + allowed);
        assertThat(Sample.refusals(with("VTOOL_START = 1003", "VTOOL_START = 9"))).contains(
                "test.conf:3: VTOOL_START = 9: the ports 9-1022 overlap those of XSEGBD, 0-9 (line 1)" + allowed);
        assertThat(Sample.refusals("roles = [('d', 'dummy')]\nd = {'portno_start': 499, 'portno_end': 500}")).containsExactly(
                "test.conf:2: d.portno_start = 499: the ports 499-500 overlap those of XSEGBD, 0-499" + allowed);
    }

    @Test
    void devicesFitTheComposer() throws ConfigurationException {
        assertThat(Sample.refusals(with("XSEGBD_START = 0\nXSEGBD_END = 9\n", "XSEGBD_START = 100\nXSEGBD_END = 110\n"))).containsExactly(
                "test.conf:2: XSEGBD_END = 110: 11 devices for the 10 ports of role vl, 20-29 (line 9); allowed: up to 109");
        assertThat(Sample.read(with("XSEGBD_START = 0\nXSEGBD_END = 9\n", "XSEGBD_START = 100\nXSEGBD_END = 109\n")).segment().xsegbd())
                .isEqualTo(new PortRange(100, 109));
    }

    @Test
    void portsOfOthers() {
        String blockers = "no port of a blocker role; allowed: 10-10 (b), 11-11 (m)";
        assertThat(Sample.refusals(with("'blockerb_port': 10", "'blockerb_port': 12"))).contains(
                "test.conf:8: map.blockerb_port = 12: " + blockers);
        assertThat(Sample.refusals(with("'blockerm_port': 11", "'blockerm_port': 30"))).containsExactly(
                "test.conf:8: map.blockerm_port = 30: " + blockers);
        assertThat(Sample.refusals(with("'blocker_port': 10", "'blocker_port': 0"))).containsExactly(
                "test.conf:9: vl.blocker_port = 0: " + blockers);
        assertThat(Sample.refusals(with("'mapper_port': 12", "'mapper_port': 10"))).containsExactly(
                "test.conf:9: vl.mapper_port = 10: no port of a mapperd role; allowed: 12-12 (map)");
        assertThat(Sample.refusals(with("'blocker_port': 10", "'blocker_port': 11"))).containsExactly(
                "test.conf:9: vl.blocker_port = 11: role m is not where role map keeps the data; allowed: 10, as its blockerb_port says");
        assertThat(Sample.refusals("roles = [('v', 'vlmcd')]\n"
                + "v = {'portno_start': 500, 'portno_end': 999, 'blocker_port': 1, 'mapper_port': 2}")).containsExactly(
                "test.conf:2: v.blocker_port = 1: no port of a blocker role; allowed: a port of such a role, but there is none",
                "test.conf:2: v.mapper_port = 2: no port of a mapperd role; allowed: a port of such a role, but there is none");
    }

    /** One mistake is told once, not again by what depends on it. */
    @Test
    void nothingFollowsFromAMistake() {
        assertThat(Sample.refusals(with("b = {'portno_start': 10,", "b = {'portno_start': 'x',"))).hasSize(1);
        assertThat(Sample.refusals(with("('map', 'mapperd')", "('map', 'maperd')"))).hasSize(1);
        assertThat(Sample.refusals(with("XSEGBD_END = 9\n", "XSEGBD_END = 'x'\n"))).hasSize(1);
        assertThat(Sample.refusals("SEGMENT_PORTS = 0\n" + Sample.RANGES + Sample.ROLES)).hasSize(1);
        assertThat(Sample.refusals(with("roles = [", "roles = 5 # ["))).hasSize(1);
    }

    @Test
    void foldersAreApart() {
        for (String folder : List.of("/srv/b", "/srv/b/", "/srv/b/maps", "/srv", "/srv/x/../b", "/")) {
            assertThat(Sample.refusals(with("'/srv/m'", "'" + folder + "'"))).containsExactly("test.conf:7: m.archip_dir = '"
                    + folder + "': shares files with role b, whose folder is /srv/b; allowed: a folder of its own");
        }
    }
}
