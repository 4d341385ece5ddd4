package org.archipelago.peer.endpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.archipelago.peer.host.Host;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentParameters;

/** A host with two reactors, volumes of memory behind it and the endpoint in front. */
final class NbdFixture implements AutoCloseable {
    static final int MIB = 1 << 20;

    final Path folder;
    final NbdEndpoint endpoint;
    final List<MemoryComposer.Disk> disks = MemoryComposer.noDisks();
    private final Logger logger = Logger.getLogger(NbdEndpoint.class.getName());
    private final ScheduledExecutorService threads = MemoryComposer.threads();
    private final Segment segment;
    private final Host host;

    NbdFixture(NbdSettings settings) throws IOException {
        logger.setLevel(Level.OFF); // clients misbehave here
        folder = Files.createTempDirectory("nbd");
        segment = Segment.anonymous(new SegmentParameters(64, 1024, 8192, 0600, 2 * settings.bufferBytes() + 8 * MIB));
        host = new Host("test", segment, 2, 20_000);
        host.serve(0, "composer", reactor -> new MemoryComposer(disks, threads));
        endpoint = new NbdEndpoint(host, 0, settings);
        host.start();
    }

    static NbdSettings settings(long bufferBytes) {
        return NbdSettings.defaults().bufferBytes(bufferBytes);
    }

    Path socket(String volume) {
        return folder.resolve(volume + ".sock");
    }

    /** That for programs that copy images. */
    Path imageSocket(String volume) {
        return folder.resolve(volume + ".img");
    }

    String uri(String volume) {
        return "nbd+unix:///" + volume + "?socket=" + socket(volume);
    }

    String imageUri(String volume) {
        return "nbd+unix:///" + volume + "?socket=" + imageSocket(volume);
    }

    /** A client that has chosen the volume; structured: of the socket where that can be. */
    NbdClient client(String volume, boolean structured) throws IOException {
        return NbdClient.serving(structured ? imageSocket(volume) : socket(volume), structured);
    }

    MemoryComposer.Disk volume(String name, long size) {
        MemoryComposer.Disk disk = new MemoryComposer.Disk(name, size, 2 * size);
        disks.add(disk);
        export(name, size);
        return disk;
    }

    void export(String name, long size) {
        endpoint.export(name, socket(name), imageSocket(name), new ExportInfo(size, false));
    }

    ExportStatus status(String volume) {
        return endpoint.exports().stream().filter(status -> status.volume().equals(volume)).findFirst().orElseThrow();
    }

    /** AssertJ compares arrays by reflection, which takes long. */
    static void assertBytes(byte[] actual, byte[] expected) {
        assertThat(Arrays.mismatch(actual, expected)).as("first byte that differs, of " + expected.length).isEqualTo(-1);
    }

    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + 5_000_000_000L;
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as("waited too long: " + what).isLessThan(end);
            Thread.sleep(2);
        }
    }

    /** All clients have gone and given back what they had. */
    void awaitIdle() throws InterruptedException {
        await("buffers given back", endpoint::isIdle);
    }

    /** Skips the test where a program is not installed. */
    static void needs(String program) {
        String[] folders = System.getenv("PATH").split(":");
        assumeTrue(Arrays.stream(folders).anyMatch(folder -> Files.isExecutable(Path.of(folder, program))), program);
    }

    /** Runs a program and returns its output; it must succeed. */
    static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).as(String.join(" ", command) + "\n" + output).isZero();
        return output;
    }

    @Override
    public void close() throws IOException {
        endpoint.close();
        host.close();
        threads.shutdownNow();
        segment.close();
        logger.setLevel(null);
        try (var left = Files.list(folder)) {
            for (Path path : left.toList()) {
                Files.delete(path);
            }
        }
        Files.delete(folder);
    }
}
