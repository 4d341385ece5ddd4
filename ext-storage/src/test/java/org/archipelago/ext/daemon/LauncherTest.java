package org.archipelago.ext.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.archipelago.config.Finding;
import org.archipelago.config.Locations;
import org.archipelago.ext.Failure;
import org.archipelago.ext.FakeConsole;
import org.archipelago.ext.daemon.ProcessState.Phase;
import org.archipelago.posix.Posix;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What root does for a daemon whose user it does not trust. */
@Timeout(60)
class LauncherTest {
    private static final String USER = "nobody";
    private static final String CONFIGURATION = """
        SEGMENT_NAME = 'test'
        USER = '%s'
        GROUP = 'nogroup'
        roles = [('b', 'file_blocker'), ('m', 'file_blocker'), ('map', 'mapperd'), ('vol', 'vlmcd')]
        b = {'portno_start': 1000, 'portno_end': 1000, 'archip_dir': '%s/blocks', 'process': 'data'}
        m = {'portno_start': 1002, 'portno_end': 1002, 'archip_dir': '%s/maps'}
        map = {'portno_start': 1001, 'portno_end': 1001, 'blockerb_port': 1000, 'blockerm_port': 1002}
        vol = {'portno_start': 500, 'portno_end': 999, 'blocker_port': 1000, 'mapper_port': 1001}
        """;

    private Path root;
    private Locations locations;
    private Launcher launcher;

    @BeforeEach
    void start() throws IOException {
        root = Files.createTempDirectory(Path.of("/tmp"), "ext");
        Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.createDirectories(root.resolve("etc"));
        Files.writeString(root.resolve("etc/archipelago.conf"), CONFIGURATION.formatted(USER, root, root));
        locations = Locations.of(Map.of(Locations.ROOT_VARIABLE, root.toString()));
        assumeTrue(Posix.geteuid() == 0 && Folders.userExists(Launcher.read(locations).daemon()));
        Launcher.prepare(locations);
        launcher = new Launcher(locations, Launcher.read(locations), new FakeConsole()::errLine);
    }

    @AfterEach
    void stop() throws IOException {
        try (var files = Files.walk(root)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    private static Process sleepAs(String... rights) throws IOException {
        String[] words = java.util.stream.Stream.concat(java.util.Arrays.stream(rights), java.util.stream.Stream.of("sleep", "100"))
            .toArray(String[]::new);
        return new ProcessBuilder(words).start();
    }

    /** A state file as the daemon's user may write it. */
    private void claim(String name, long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
        long start = Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[19]);
        new ProcessState(new ProcessId(pid, start), Phase.RUNNING, "", Map.of(), 0).write(locations.run(), name);
    }

    @Test
    void endsNoProcessOfAnother() throws Exception {
        Process other = sleepAs();
        Process own = sleepAs("setpriv", "--reuid=" + USER, "--regid=nogroup", "--clear-groups");
        try {
            claim("data", other.pid());
            assertThatThrownBy(() -> launcher.stopProcess("data")).isInstanceOf(Failure.class).hasMessageContaining("no process of user nobody");
            claim(ProcessState.MAIN, other.pid());
            assertThatThrownBy(() -> launcher.stopMain()).isInstanceOf(Failure.class).hasMessageContaining("no process of user nobody");
            assertThat(other.isAlive()).isTrue();
            while (!Files.getOwner(Path.of("/proc/" + own.pid())).getName().equals(USER)) {
                Thread.sleep(5); // setpriv is at work
            }
            claim("data", own.pid());
            assertThat(launcher.stopProcess("data")).isTrue();
            assertThat(own.waitFor()).isEqualTo(128 + 15);
            assertThat(launcher.stopProcess("data")).isFalse();
        } finally {
            other.destroy();
            own.destroy();
        }
    }

    @Test
    void givesNothingAwayThatTheUserMovedThere() throws IOException {
        assertThat(Files.getOwner(locations.run()).getName()).isEqualTo(USER);
        assertThat(locations.run().resolve("nbd")).doesNotExist();
        Path rootsOwn = Files.createDirectory(locations.run().resolve("nbd"), PosixFilePermissions.asFileAttribute(
            PosixFilePermissions.fromString("rwx------")));
        Launcher.prepare(locations);
        assertThat(Files.getOwner(rootsOwn).getName()).isEqualTo("root");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(rootsOwn))).isEqualTo("rwx------");
    }

    private List<Finding> ofSize(long mib) throws IOException {
        Files.writeString(locations.configuration(), "SEGMENT_SIZE = " + mib + "\n" + CONFIGURATION.formatted(USER, root, root));
        return Launcher.check(locations, Launcher.read(locations)).stream().filter(f -> f.setting().equals("SEGMENT_SIZE")).toList();
    }

    @Test
    void segmentWithoutRoomForEachCore_isTold() throws IOException {
        int cores = Runtime.getRuntime().availableProcessors();
        List<Finding> refused = ofSize(8);
        assertThat(refused).hasSize(1).allMatch(Finding::isError);
        long least = Long.parseLong(refused.get(0).allowed().replaceAll("\\D", ""));
        if (cores == 1) {
            assertThat(ofSize(least)).isEmpty();
            return;
        }
        List<Finding> warned = ofSize(least);
        assertThat(warned).hasSize(1).noneMatch(Finding::isError);
        assertThat(warned.get(0).problem()).startsWith("room for 1 of " + cores + " reactors only");
        assertThat(ofSize(Long.parseLong(warned.get(0).allowed().replaceAll("\\D", "")))).isEmpty();
    }
}
