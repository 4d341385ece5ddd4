package org.archipelago.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostCheckTest {
    private static final HostCheck.Host HOST = new HostCheck.Host(4000, 2000, false);

    @TempDir
    Path folder;
    private Locations locations;
    private Path file;

    @BeforeEach
    void setUp() throws Exception {
        locations = Locations.of(Map.of("ARCHIPELAGO_ROOT", folder.toString()));
        file = locations.configuration();
        Files.createDirectories(folder.resolve("etc"));
        Files.createDirectories(folder.resolve("srv/b"));
        Files.createDirectories(folder.resolve("srv/m"));
    }

    private List<String> check(String settings, HostCheck.Host host) throws Exception {
        return check(settings, host, locations);
    }

    private List<String> check(String settings, HostCheck.Host host, Locations where) throws Exception {
        Files.writeString(file, Sample.with(settings).replace("/srv/", "srv/"));
        Configuration c = Configuration.read(locations);
        return new HostCheck(c, where, host).run().stream().map(Finding::toString)
                .filter(line -> !line.contains("run folder = " + folder) || !line.contains("so long")).collect(Collectors.toList());
    }

    @Test
    void nothingToFind() throws Exception {
        assertThat(check("LEASE_S = 20", HOST)).isEmpty();
        Files.createDirectories(locations.run());
        assertThat(check("LEASE_S = 20", HOST)).isEmpty();
        assertThat(Configuration.read(locations).checkHost(locations)).noneMatch(Finding::isError);
    }

    @Test
    void memory() throws Exception {
        assertThat(check("SEGMENT_SIZE = 2000", HOST)).isEmpty();
        assertThat(check("SEGMENT_SIZE = 2001", HOST)).containsExactly(file + ":1: SEGMENT_SIZE = 2001:"
                + " more than /dev/shm holds, which is 2000 MiB; allowed: up to 2000 MiB, or a larger /dev/shm");
        assertThat(check("SEGMENT_SIZE = 1600", new HostCheck.Host(3000, 2000, false))).containsExactly(file
                + ":1: warning: SEGMENT_SIZE = 1600: more than half of the host's memory of 3000 MiB; allowed: better up to 1500 MiB");
        assertThat(check("SEGMENT_SIZE = 1048576", new HostCheck.Host(0, 0, false))).isEmpty();
        assertThat(HostCheck.Host.current().memoryMib()).isPositive();
    }

    @Test
    void stores() throws Exception {
        Files.delete(folder.resolve("srv/b"));
        Files.delete(folder.resolve("srv/m"));
        Files.writeString(folder.resolve("srv/m"), "");
        assertThat(check("LEASE_S = 20", HOST)).containsExactly(
                file + ":7: b.archip_dir = " + Literal.quote(Finding.shorten(folder + "/srv/b")) + ": does not exist; allowed:"
                + " a folder that user archipelago can write; make it with install -d -o archipelago -g archipelago "
                + folder + "/srv/b",
                file + ":8: m.archip_dir = '" + folder + "/srv/m': not a folder; allowed: a folder that user archipelago can write");
    }

    /** Root can write anywhere, so the mode is looked at for the daemon's user. */
    @Test
    void storesOfOthers() throws Exception {
        Locations host = Locations.of(Map.of());
        HostCheck.Host root = new HostCheck.Host(0, 0, true);
        String me = Files.getOwner(folder).getName();
        Files.setPosixFilePermissions(folder.resolve("srv/m"), PosixFilePermissions.fromString("rwxrwxrwx"));
        Files.setPosixFilePermissions(folder.resolve("srv/b"), PosixFilePermissions.fromString("rwxr-xr-x"));
        String warning = file + ":7: warning: b.archip_dir = '" + folder
                + "/srv/b': by owner and mode not writable for the daemon; allowed: a folder that user daemon can write";
        assertThat(check("USER = 'daemon'", root, host)).contains(warning);
        assertThat(check("USER = '" + me + "'", root, host)).noneMatch(line -> line.contains("by owner and mode"));
        assertThat(check("USER = 'daemon'", root, locations)).isEmpty();
    }

    @Test
    void userAndGroup() throws Exception {
        Locations host = Locations.of(Map.of());
        assertThat(check("USER = 'no-such-user'", HOST, host)).contains(file + ":1: USER = 'no-such-user':"
                + " no such user on this host; allowed: a user of this host; make it with adduser --system");
        assertThat(check("GROUP = 'no-such-group'", HOST, host)).contains(file + ":1: GROUP = 'no-such-group':"
                + " no such group on this host; allowed: a group of this host; make it with addgroup --system");
        assertThat(check("USER = 'no-such-user'", HOST)).isEmpty();
    }

    @Test
    void ownFolders() throws Exception {
        Files.writeString(locations.run(), "");
        assertThat(check("LEASE_S = 20", HOST)).containsExactly(file + ": run folder = " + locations.run()
                + ": not a writable folder; allowed: a folder that the daemon can write or make");
        Locations below = new Locations(file, folder.resolve("r"), locations.run().resolve("x/y"), folder.resolve("d"), folder);
        assertThat(check("LEASE_S = 20", HOST, below)).containsExactly(file + ": log folder = " + locations.run()
                + "/x/y: cannot be made in " + locations.run() + "; allowed: a folder that the daemon can write or make");
    }

    @Test
    void longPathsLeaveNoRoomForSockets() throws Exception {
        Configuration c = Sample.read(Sample.RANGES + Sample.ROLES);
        Locations deep = Locations.of(Map.of("ARCHIPELAGO_ROOT", "/tmp/" + "a".repeat(20)));
        assertThat(new HostCheck(c, deep, HOST).run().stream().map(Finding::toString)).contains("test.conf: warning:"
                + " run folder = /tmp/" + "a".repeat(20) + "/run: so long that NBD serves only volumes with names of up to 68 bytes;"
                + " allowed: a path 12 bytes shorter");
        assertThat(new HostCheck(c, Locations.of(Map.of()), HOST).run().stream().map(Finding::toString))
                .noneMatch(line -> line.contains("so long"));
    }
}
