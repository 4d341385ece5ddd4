package org.archipelago.peer.volume;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills a process full of peers with SIGKILL in the middle of random work, again and again over the same
 * store, and then reads everything: every answered write is there, what was not answered is there or
 * not, sector by sector, and snapshots are what they were, whatever collections, removals and growing went on beside.
 */
class KillTest {
    private static final int ROUNDS = Integer.getInteger("archipelago.kills", 4);
    private static final int SECTORS = (int) (Workload.SIZE / Workload.SECTOR);

    @TempDir
    Path store;

    /** Which step wrote each sector last, 0 = zeros; a step that was not answered may count or not. */
    private static final class Model {
        final int[] certain = new int[SECTORS];
        final int[] perhaps = new int[SECTORS];

        Model() {
            Arrays.fill(perhaps, -1);
        }

        Model copy() {
            Model copy = new Model();
            System.arraycopy(certain, 0, copy.certain, 0, SECTORS);
            System.arraycopy(perhaps, 0, copy.perhaps, 0, SECTORS);
            return copy;
        }

        void write(int step, long offset, int length, boolean answered) {
            for (int i = (int) (offset / Workload.SECTOR); i < (offset + length) / Workload.SECTOR; i++) {
                if (answered) {
                    certain[i] = step;
                    perhaps[i] = -1;
                } else {
                    perhaps[i] = step;
                }
            }
        }
    }

    private record Step(int thread, int step, String what, int generation, long offset, int length) {}

    private final Map<String, Model> models = new HashMap<>();
    private final Set<String> verified = new HashSet<>();
    private final int[] generations = {-1, -1, -1};
    private int nextStep = 1;

    @Test
    void everyAnsweredWriteSurvivesSigkill() throws Exception {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("KillTest: -Darchipelago.seed=" + seed);
        Random random = new Random(seed);
        for (int round = 0; round < ROUNDS; round++) {
            List<String> said = killedWork(seed + 1000L * round, 500 + random.nextInt(1200));
            replay(said);
            verify("seed " + seed + " round " + round, round == ROUNDS - 1);
        }
    }

    private List<String> killedWork(long seed, int millis) throws Exception {
        Path output = store.resolve("said");
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1", "-Djna.library.path=" + System.getProperty("jna.library.path"),
            "-cp", System.getProperty("java.class.path"), Workload.class.getName(),
            store.toString(), "n1", Long.toString(seed), Integer.toString(nextStep)));
        for (int generation : generations) {
            command.add(Integer.toString(generation));
        }
        Process process = new ProcessBuilder(command).redirectOutput(output.toFile())
            .redirectError(ProcessBuilder.Redirect.DISCARD).start();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (process.isAlive() && Files.size(output) < 100 && System.nanoTime() < deadline) {
            Thread.sleep(5);
        }
        boolean ended = process.waitFor(millis, TimeUnit.MILLISECONDS);
        process.destroyForcibly().waitFor();
        List<String> said = Files.readAllLines(output);
        assertThat(ended).as("it ended by itself: %s", said.isEmpty() ? "" : said.get(said.size() - 1)).isFalse();
        assertThat(said).isNotEmpty();
        return said;
    }

    private void replay(List<String> said) {
        Map<Integer, Step> open = new HashMap<>();
        for (String line : said) {
            String[] words = line.split(" ");
            if (words[0].equals("begin") && words.length == 7) {
                Step step = new Step(Integer.parseInt(words[1]), Integer.parseInt(words[2]), words[3],
                    Integer.parseInt(words[4]), Long.parseLong(words[5]), Integer.parseInt(words[6]));
                Step before = open.put(step.thread, step);
                if (before != null) {
                    apply(before, true); // a snapshot that a clone follows
                }
                nextStep = Math.max(nextStep, step.step + 1);
                generations[step.thread] = Math.max(generations[step.thread], 0);
            } else if (words[0].equals("end") && words.length == 3) {
                Step step = open.remove(Integer.parseInt(words[1]));
                apply(step, true);
            }
        }
        open.values().forEach(step -> apply(step, false));
    }

    private Model model(String name) {
        return models.computeIfAbsent(name, created -> new Model());
    }

    private void apply(Step step, boolean answered) {
        Model model = model(Workload.volume(step.thread, step.generation));
        String snapshot = Workload.snapshot(step.thread, step.step);
        switch (step.what) {
            case "write" -> model.write(step.step, step.offset, step.length, answered);
            case "zero" -> model.write(0, step.offset, step.length, answered);
            case "snapshot" -> models.put(answered ? snapshot : "?" + snapshot, model.copy());
            case "clone" -> {
                String clone = Workload.volume(step.thread, step.generation + 1);
                models.put(answered ? clone : "?" + clone, model.copy());
                if (answered) {
                    generations[step.thread] = step.generation + 1;
                }
            }
            default -> { }
        }
    }

    /** Volumes each time; snapshots when they are new, and all of them at the end. */
    private void verify(String when, boolean all) throws Exception {
        try (Node node = new Node("n1", store, 1)) {
            for (String name : List.copyOf(models.keySet())) {
                if (name.startsWith("?")) {
                    Model perhaps = models.remove(name);
                    String real = name.substring(1);
                    if (node.call(Op.INFO, real).status() != Errno.ENOENT) {
                        models.put(real, perhaps);
                        int dash = real.indexOf("-g");
                        if (dash > 0) {
                            int thread = Integer.parseInt(real.substring(1, dash));
                            generations[thread] = Math.max(generations[thread], Integer.parseInt(real.substring(dash + 2)));
                        }
                    }
                }
            }
            for (Map.Entry<String, Model> entry : models.entrySet()) {
                if (verified.add(entry.getKey()) || all || entry.getKey().contains("-g")) {
                    verify(node, entry.getKey(), entry.getValue(), when);
                }
            }
        }
    }

    private static void verify(Node node, String volume, Model model, String when) {
        int thread = volume.charAt(1) - '0';
        int piece = 128 << 10;
        for (long offset = 0; offset < Workload.SIZE; offset += piece) {
            Reply reply = node.read(volume, offset, piece);
            assertThat(reply.status()).as("%s: read of %s at %d: %s", when, volume, offset, reply.message()).isZero();
            ByteBuffer bytes = ByteBuffer.wrap(reply.data());
            for (int at = 0; at < piece; at += Workload.SECTOR) {
                int sector = (int) ((offset + at) / Workload.SECTOR);
                int found = bytes.getInt(at + 4);
                assertThat(found == model.certain[sector] || found == model.perhaps[sector])
                    .as("%s: %s sector %d was written by step %d, expected %d%s", when, volume, sector, found,
                        model.certain[sector], model.perhaps[sector] >= 0 ? " or " + model.perhaps[sector] : "").isTrue();
                byte[] expected = found == 0 ? new byte[Workload.SECTOR]
                    : Workload.contents(thread, found, (long) sector * Workload.SECTOR, Workload.SECTOR);
                assertThat(Arrays.equals(expected, 0, Workload.SECTOR, reply.data(), at, at + Workload.SECTOR))
                    .as("%s: %s sector %d is torn or misplaced", when, volume, sector).isTrue();
                model.certain[sector] = found;
                model.perhaps[sector] = -1;
            }
        }
    }
}
