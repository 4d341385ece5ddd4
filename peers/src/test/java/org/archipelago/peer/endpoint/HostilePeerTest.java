package org.archipelago.peer.endpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.archipelago.peer.volume.Node;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Segment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A process with all peers, whose segment another writes to: it neither ends nor spins nor grows, and its clients are
 * served. -Darchipelago.hostile=SECONDS of each attack, for a long run; -Darchipelago.seed=N.
 */
@Timeout(3600)
class HostilePeerTest {
    private static final long SECONDS = Long.getLong("archipelago.hostile", 3);
    private static final int HEAP_MIB = 192;
    private static final int MOST_MIB = HEAP_MIB + 400;
    private static final int QUIET_BYTES = 256 << 10;

    @TempDir
    Path folder;

    private final long seed = Long.getLong("archipelago.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final String name = "test-hostile-" + ProcessHandle.current().pid();
    private final byte[] quiet = new byte[QUIET_BYTES];
    private Process victim;
    private BufferedReader said;
    private volatile boolean attacked;

    @BeforeEach
    void startVictim() throws IOException {
        System.out.println("HostilePeerTest: -Darchipelago.seed=" + seed);
        Segment.create(name, Node.PARAMETERS);
        victim = new ProcessBuilder(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx" + HEAP_MIB + "m",
            "-XX:ErrorFile=" + folder.resolve("crash"), "-XX:-CreateCoredumpOnCrash",
            "-Djna.library.path=" + System.getProperty("jna.library.path"),
            "-cp", System.getProperty("java.class.path"), Victim.class.getName(), name, folder.toString()))
            .redirectError(log().toFile()).start();
        said = new BufferedReader(new InputStreamReader(victim.getInputStream(), StandardCharsets.UTF_8));
        if (!"ready".equals(said.readLine())) {
            fail("the process does not start: " + tail());
        }
        random.nextBytes(quiet);
        try (NbdClient client = NbdClient.serving(socket(Victim.QUIET), false)) {
            assertThat(client.write(0, quiet)).isZero();
        }
    }

    @AfterEach
    void stopVictim() throws InterruptedException {
        victim.destroyForcibly().waitFor();
        Segment.destroy(name);
    }

    private Path log() {
        return folder.resolve("log");
    }

    private Path socket(String volume) {
        return folder.resolve(volume + ".sock");
    }

    private long count(String words) throws IOException {
        try (var lines = Files.lines(log(), StandardCharsets.ISO_8859_1)) {
            return lines.filter(line -> line.contains(words)).count();
        }
    }

    /** The defects that the log tells of, with where they are. */
    private String defects() throws IOException {
        List<String> lines = Files.readAllLines(log(), StandardCharsets.ISO_8859_1);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < lines.size() && text.length() < 20_000; i++) {
            if (lines.get(i).contains("a defect")) {
                text.append(String.join("\n", lines.subList(i, Math.min(i + 12, lines.size())))).append('\n');
            }
        }
        return text.toString();
    }

    private void assertAlive() throws IOException {
        if (!victim.isAlive()) {
            fail("the process has ended with code " + victim.exitValue() + ": " + tail());
        }
        assertThat(folder.resolve("crash")).doesNotExist();
    }

    private String tail() {
        try {
            List<String> lines = Files.readAllLines(log(), StandardCharsets.ISO_8859_1);
            return String.join("\n", lines.subList(Math.max(0, lines.size() - 40), lines.size()));
        } catch (IOException e) {
            return e.toString();
        }
    }

    /** Keeps the busy volume busy; whatever is answered, and whoever hangs up. */
    private Thread keepBusy(int number) {
        Random work = new Random(seed + number);
        Thread thread = new Thread(() -> {
            while (attacked) {
                try (NbdClient client = NbdClient.serving(socket(Victim.BUSY), false)) {
                    while (attacked) {
                        int length = 512 * (1 + work.nextInt(256));
                        int offset = 512 * work.nextInt((Victim.SIZE - length) / 512);
                        if (work.nextBoolean()) {
                            client.write(offset, new byte[length]);
                        } else {
                            client.readSimple(offset, length);
                        }
                    }
                } catch (IOException e) {
                    Thread.onSpinWait();
                }
            }
        });
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private interface Step {
        void run() throws Exception;
    }

    private void attack(Step step) throws Exception {
        attacked = true;
        for (int i = 0; i < 3; i++) {
            keepBusy(i);
        }
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (System.nanoTime() < end) {
            for (int i = 0; i < 100; i++) {
                step.run();
            }
            assertAlive();
        }
        attacked = false;
    }

    /** What a client of the process has written is there, within a bound. */
    private void assertServed() throws Exception {
        byte[] read = CompletableFuture.supplyAsync(() -> {
            try (NbdClient client = NbdClient.serving(socket(Victim.QUIET), false)) {
                return client.readSimple(0, QUIET_BYTES);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }).get(20, TimeUnit.SECONDS);
        assertThat(Arrays.mismatch(read, quiet)).isEqualTo(-1);
    }

    private long cpuMillis() throws IOException {
        String stat = Files.readString(Path.of("/proc/" + victim.pid() + "/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return 10 * (Long.parseLong(fields[11]) + Long.parseLong(fields[12]));
    }

    private long memoryMib() throws IOException {
        return Files.readAllLines(Path.of("/proc/" + victim.pid() + "/status")).stream().filter(line -> line.startsWith("VmRSS:"))
            .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) >> 10).findFirst().orElseThrow();
    }

    private void assertCalm() throws Exception {
        Thread.sleep(1000); // what was under way ends
        long before = cpuMillis();
        Thread.sleep(1000);
        assertThat(cpuMillis() - before).as("milliseconds of CPU in a second without work").isLessThan(500);
        assertThat(memoryMib()).as("MiB of memory").isLessThan(MOST_MIB);
        assertThat(count("OutOfMemoryError")).as(tail()).isZero();
        assertAlive();
    }

    @Test
    void requestsForWhatCannotBe_areRefused() throws Exception {
        try (HostilePeer peer = new HostilePeer(name, random)) {
            attack(peer::sendRequest);
            if (!peer.isAnswered(20_000)) {
                fail(peer.requests + " requests, " + peer.answers + " answers; not answered: " + peer.unanswered() + tail());
            }
            System.out.printf("HostilePeerTest: %d requests, %d fields spoilt meanwhile, %d defects logged%n", peer.requests, peer.mutations,
                count("a defect"));
            assertServed();
            for (int port : new int[] {Node.COMPOSER, Node.MAPPER, Node.BLOCKERB, Node.BLOCKERM, Node.DUMMY}) {
                assertThat(peer.ask(port, Op.PING, "a", "", 10_000)).as("ping of port " + port).isZero();
            }
            assertThat(peer.ask(Node.COMPOSER, Op.CREATE, "honest", "{\"size\": 1048576}", 10_000)).isZero();
            assertThat(peer.ask(Node.COMPOSER, Op.INFO, Victim.QUIET, "", 10_000)).isZero();
            assertCalm();
            assertThat(defects()).isEmpty();
        }
    }

    @Test
    void spoiltFields_stopNobody() throws Exception {
        try (HostilePeer peer = new HostilePeer(name, random)) {
            attack(() -> {
                peer.spoilField();
                if (random.nextInt(8) == 0) {
                    peer.sendRequest();
                }
                if (random.nextInt(20) == 0) {
                    Thread.sleep(0, 100_000); // or nothing would ever go well
                }
            });
            System.out.printf("HostilePeerTest: %d fields spoilt, %d requests, %d defects logged%n", peer.mutations, peer.requests,
                count("a defect"));
            assertServed();
            assertCalm();
        }
    }

    @Test
    void spoiltData_leadsNobodyAstray() throws Exception {
        try (HostilePeer peer = new HostilePeer(name, random)) {
            attack(peer::spoilData);
            System.out.printf("HostilePeerTest: %d words of data spoilt, %d defects logged%n", peer.mutations, count("a defect"));
            assertServed();
            assertCalm();
        }
    }

    @Test
    void truncation_isTold() throws Exception {
        attacked = true;
        keepBusy(0);
        Thread.sleep(300);
        try (FileChannel file = FileChannel.open(Path.of("/dev/shm", name), StandardOpenOption.WRITE)) {
            file.truncate(random.nextInt(1 << 20));
        }
        Thread.sleep(1000);
        attacked = false;
        assertAlive();
        victim.getOutputStream().write('\n');
        victim.getOutputStream().flush();
        assertThat(said.readLine()).isEqualTo(Integer.toString(-Errno.EUCLEAN));
        assertCalm();
        victim.getOutputStream().close();
        assertThat(victim.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(victim.exitValue()).as(tail()).isZero();
        assertThat(said.readLine()).isEqualTo("ended");
    }
}
