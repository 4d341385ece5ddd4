package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that is killed while it replaces an object leaves the old contents or the new. */
final class PutCrashTest {
    private static final int KILLS = 20;

    @TempDir
    Path directory;

    @Test
    void theObjectIsAlwaysAWholeVersion() throws Exception {
        long seed = System.nanoTime();
        System.out.println("PutCrashTest: seed " + seed);
        Random random = new Random(seed);
        try (TestNode reader = new TestNode(directory)) {
            int next = 1;
            for (int kill = 0; kill < KILLS; kill++) {
                int answered = killed(reader, next, random.nextInt(60));
                int found = version(reader);
                assertThat(found).isBetween(answered, answered + 1);
                next = found + 1;
            }
        }
        try (TestNode after = new TestNode(directory)) {
            assertThat(version(after)).isPositive();
            assertThat(after.put(PutLoop.OBJECT, PutLoop.contents(0)).status()).isZero();
        }
    }

    /** Lets a process put versions for a time; returns the last one that it said was answered. */
    private int killed(TestNode reader, int first, int millis) throws Exception {
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx64m",
            "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:+UseSerialGC",
            "-Djna.library.path=" + System.getProperty("jna.library.path", ""), "-cp",
            System.getProperty("java.class.path"), PutLoop.class.getName(), directory.toString(), "" + first)
            .redirectError(ProcessBuilder.Redirect.DISCARD).start();
        try (BufferedReader out = process.inputReader()) {
            String line = out.readLine();
            assertThat(line).isEqualTo("" + first);
            long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
            do {
                version(reader); // at any moment
            } while (System.nanoTime() < end);
            process.toHandle().destroyForcibly(); // leaves what it printed to be read
            int answered = first;
            for (line = out.readLine(); line != null && !line.isEmpty(); line = out.readLine()) {
                answered = Integer.parseInt(line);
            }
            return answered;
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    private static int version(TestNode reader) {
        for (int i = 0; i < 100; i++) {
            Reply info = reader.send(Op.INFO, PutLoop.OBJECT);
            assertThat(info.status()).isZero();
            int size = JsonParser.parseString(info.message()).getAsJsonObject().get("size").getAsInt();
            Reply reply = reader.send(TestNode.call(Op.READ, PutLoop.OBJECT).flags(Op.FRESH).range(0, 200_000));
            assertThat(reply.status()).isNotEqualTo(Errno.ENOENT).isZero();
            int length = java.nio.ByteBuffer.wrap(reply.data()).getInt(4);
            int version = PutLoop.check(java.util.Arrays.copyOf(reply.data(), Math.max(12, Math.min(length, 200_000))));
            if (length == size) {
                return version;
            } // else it was replaced between the two
        }
        throw new AssertionError("never the same twice");
    }
}
