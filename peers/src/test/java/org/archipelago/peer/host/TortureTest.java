package org.archipelago.peer.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Clients, composers and blockers in C and in Java on one segment, killed at random moments. What must hold is said
 * in {@code core/libxseg/tests/torture.c}, the program that starts and kills them all; this test brings the Java ones.
 * {@code mvn -Dtorture.kills=10000 -Dtest=TortureTest ...} kills more than 500 (ten to twenty a second); where they were hit is
 * listed in {@code core/target/native/torture.points}.
 */
class TortureTest {
    private static final int KILLS = Integer.getInteger("torture.kills", 500);

    @TempDir
    Path temporary;

    @Test
    void nothingIsLostNorAnsweredTwiceNorWrong() throws Exception {
        Path built = Path.of(System.getProperty("jna.library.path")).toRealPath();
        Path program = built.resolve("torture");
        run(60, "make", "-s", "-C", built.resolve("../../libxseg").toString(), "BUILD=" + built, program.toString());
        run(240 + KILLS, program.toString(), "" + KILLS, Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx64m", "-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
            "-Djava.io.tmpdir=" + temporary, "-Djna.tmpdir=" + temporary, "-Djna.library.path=" + built,
            "-cp", System.getProperty("java.class.path"), TortureWorker.class.getName());
    }

    private void run(long seconds, String... command) throws Exception {
        Path printed = temporary.resolve("printed");
        Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(printed.toFile()).start();
        try {
            assertThat(process.waitFor(seconds, TimeUnit.SECONDS)).as("%s ends within %s s", command[0], seconds).isTrue();
            assertThat(process.exitValue()).as("exit code of %s: what it printed says why", command[0]).isZero();
        } finally {
            process.destroy(); // a signal that it cleans up after
            process.waitFor(5, TimeUnit.SECONDS);
            process.destroyForcibly();
            System.out.print(Files.readString(printed));
        }
    }
}
