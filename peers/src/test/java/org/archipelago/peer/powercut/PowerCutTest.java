package org.archipelago.peer.powercut;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Records what a daemon does with the files of its store, makes the states that a power cut or the daemon's death could
 * leave, and looks at each: what was flushed, or answered, is there, and nothing else. -Darchipelago.states=N looks at so
 * many. A failure keeps the traces and says how to see it again.
 */
class PowerCutTest {
    private static final int STATES = Integer.getInteger("archipelago.states", 600);
    private static final int THREADS = Integer.getInteger("archipelago.threads", 2);

    @TempDir
    static Path directory;

    private final Chain.Counts counts = new Chain.Counts();

    @BeforeAll
    static void compileTheRecorder() throws Exception {
        // JNA finds "c" in jna.library.path first, and what is not in there in the C library behind it
        Process process = new ProcessBuilder("cc", "-O2", "-shared", "-fPIC", "-o", directory.resolve("libc.so").toString(),
            Path.of("src/test/c/recorder.c").toString()).inheritIO().start();
        assertThat(process.waitFor()).isZero();
    }

    @Test
    void everyStateThatIsLeft_isOneThatWasPromised() throws Exception {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        System.out.println("PowerCutTest: -Darchipelago.seed=" + seed);
        Optional<Path> traces = Optional.ofNullable(System.getProperty("archipelago.traces")).map(Path::of);
        if (traces.isPresent()) {
            Optional<String> state = Optional.ofNullable(System.getProperty("archipelago.state"));
            new Chain(seed, directory, traces.get(), true, state, counts).run();
            return;
        }
        AtomicInteger chains = new AtomicInteger();
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        List<Future<Void>> results = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            results.add(threads.submit(() -> {
                while (counts.states().get() < STATES) {
                    long chain = seed + chains.getAndIncrement();
                    System.out.println("PowerCutTest: " + counts.states() + " states are right; next is seed " + chain);
                    new Chain(chain, directory, Path.of("target", "powercut-" + chain), false, Optional.empty(), counts).run();
                }
                return null;
            }));
        }
        threads.shutdown();
        try {
            for (Future<Void> result : results) {
                result.get();
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof AssertionError found) {
                throw found;
            }
            throw e;
        } finally {
            threads.shutdownNow();
            System.out.println("PowerCutTest: " + counts.states() + " states of " + chains + " chains of lives; collections removed "
                + counts.removedInLives() + " objects in the lives, " + counts.removedFromStates() + " of what they left");
        }
        assertThat(counts.removedInLives()).as("objects that collections removed in the lives").hasPositiveValue();
    }
}
