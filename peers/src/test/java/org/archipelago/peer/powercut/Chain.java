package org.archipelago.peer.powercut;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.archipelago.map.MapLog;
import org.archipelago.peer.powercut.Trace.Event;
import org.archipelago.peer.volume.Node;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentParameters;

/**
 * Several lives of a daemon over one store, each of which begins with what a power cut, or its death, left of the one before; and
 * what might have been left at other moments of it.
 */
final class Chain {
    private static final int LIVES = 4;
    private static final int STEPS = 400;
    private static final int POINTS = 10;
    private static final int SUBSETS = 3;
    /** Records after which a volume goes on in another log. */
    private static final int LONG_LOG = 20;
    private static final int LIFE_SECONDS = 120;
    private static final Path MEMORY = Path.of("/dev/shm");
    private static final SegmentParameters SEGMENT = new SegmentParameters(1024, 256, 8192, 0600, 40 << 20);

    /** What all chains come to: states that were right, and objects that collections removed from them, and in the lives. */
    record Counts(AtomicInteger states, AtomicInteger removedFromStates, AtomicInteger removedInLives) {
        Counts() {
            this(new AtomicInteger(), new AtomicInteger(), new AtomicInteger());
        }
    }

    private final long seed;
    private final Path directory;
    private final Path traces;
    private final boolean replays;
    private final Optional<String> only;
    private final Counts counts;
    private final Random random;
    private final History history = new History();
    private Disk disk;
    private int boot = 1;
    private int life;

    /**
     * @param directory for what is made on the way
     * @param traces where the lives' traces are, or are kept if something is wrong
     * @param only the state to look at; empty: some of each life
     */
    Chain(long seed, Path directory, Path traces, boolean replays, Optional<String> only, Counts counts) {
        this.seed = seed;
        this.directory = directory;
        this.traces = traces;
        this.replays = replays;
        this.only = only;
        this.counts = counts;
        this.random = new Random(seed);
        this.disk = new Disk(new Image(new TreeSet<>(List.of("blocks", "maps")), new TreeMap<>()));
    }

    void run() throws Exception {
        Files.createDirectories(traces);
        for (life = 1; life <= LIVES; life++) {
            Path trace = traces.resolve("life-" + life);
            long lifeSeed = random.nextLong();
            if (!replays) {
                live(lifeSeed, trace);
            }
            if (!Files.exists(trace)) {
                return;
            }
            lookAt(Trace.read(trace));
        }
        if (!replays) {
            remove(traces);
        }
    }

    private static String bootId(int boot) {
        return "%032x".formatted(boot);
    }

    private void live(long lifeSeed, Path trace) throws IOException, InterruptedException {
        Files.deleteIfExists(trace);
        Path store = Files.createTempDirectory(directory, "store").toRealPath();
        Image begin = disk.killed(new Trace.Mark(""), random);
        begin.write(store);
        Path said = directory.resolve("said-" + seed);
        ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:+UseSerialGC", "-Xmx256m", "-Darchipelago.direct=" + (seed % 4 == 0),
            "-Darchipelago.longLog=" + LONG_LOG,
            "-Djna.library.path=" + directory + ":" + System.getProperty("jna.library.path"),
            "-cp", System.getProperty("java.class.path"), Life.class.getName(),
            store.toString(), bootId(boot), "" + lifeSeed, "" + history.nextStep(), "" + STEPS)
            .redirectErrorStream(true).redirectOutput(said.toFile());
        builder.environment().put("RECORDER_ROOT", store.toString());
        builder.environment().put("RECORDER_TRACE", trace.toAbsolutePath().toString());
        builder.environment().put("LD_PRELOAD", directory.resolve("libc.so").toString());
        Process process = builder.start();
        if (!process.waitFor(LIFE_SECONDS, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
        }
        if (process.exitValue() != 0) {
            throw new AssertionError("seed %s, life %s ended with %s, traces in %s: %s".formatted(seed, life, process.exitValue(),
                traces, Files.readString(said)));
        }
        Files.readAllLines(said).stream().filter(line -> line.startsWith(Life.REMOVED))
            .forEach(line -> counts.removedInLives().addAndGet(Integer.parseInt(line.substring(Life.REMOVED.length()))));
        assertRecorded(begin, trace, store);
        remove(store);
    }

    /** That there is nothing that the recorder missed. */
    private void assertRecorded(Image begin, Path trace, Path store) throws IOException {
        Disk end = new Disk(begin);
        Trace.read(trace).forEach(end::apply);
        List<String> different = end.killed(new Trace.Mark(""), random).differences(store);
        if (!different.isEmpty()) {
            throw new AssertionError("seed %s, life %s, traces in %s: the recorder missed a call, since these are not as it recorded: %s"
                .formatted(seed, life, traces, different));
        }
    }

    /** Up to a random event, with which the next life goes on. */
    private void lookAt(List<Event> events) throws IOException {
        int end = events.size() / 2 + random.nextInt(events.size() / 2);
        TreeSet<Integer> points = points(events, end);
        for (int i = 0; i < end; i++) {
            Event event = events.get(i);
            disk.apply(event);
            if (event instanceof Trace.Mark mark) {
                history.mark(mark.text(), i + 1);
            }
            if (points.contains(i)) {
                for (int subset = 0; subset < SUBSETS; subset++) {
                    String state = life + "." + i + "." + subset;
                    if (only.isEmpty() || only.get().equals(state)) {
                        lookAt(state, subset > 0, events.get(i + 1), new Random(state.hashCode() + seed), false);
                    }
                }
            }
        }
        boolean cut = random.nextInt(3) > 0;
        Image left = lookAt(life + ".end", cut, events.get(end), new Random(random.nextLong()), true);
        disk.closeAll();
        if (cut) {
            boot++;
            disk = new Disk(left);
        }
    }

    /** Where things change that others rest on: one kind of event is as likely as another, however many there are of it. */
    private TreeSet<Integer> points(List<Event> events, int end) {
        List<Predicate<Event>> kinds = List.of(event -> true, event -> event instanceof Trace.SyncEnd,
            event -> event instanceof Trace.Mark, event -> event instanceof Trace.Rename || event instanceof Trace.Unlink,
            event -> event instanceof Trace.Write write && isSeal(write.bytes()));
        TreeSet<Integer> points = new TreeSet<>();
        while (points.size() < POINTS) {
            Predicate<Event> kind = kinds.get(random.nextInt(kinds.size()));
            List<Integer> found = IntStream.range(0, end).filter(i -> kind.test(events.get(i))).boxed().toList();
            int point = found.isEmpty() ? random.nextInt(end) : found.get(random.nextInt(found.size()));
            points.add(Math.min(end - 1, point + random.nextInt(random.nextBoolean() ? 2 : 20)));
        }
        return points;
    }

    /** Whether it is written to a log, with a SEAL. */
    private static boolean isSeal(byte[] bytes) {
        ByteBuffer records = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        return bytes.length % MapLog.RECORD == 0 && IntStream.range(0, bytes.length / MapLog.RECORD)
            .anyMatch(i -> MapLog.type(records, MapLog.RECORD * i) == MapLog.SEAL);
    }

    /** settles: the chain goes on from there. */
    private Image lookAt(String state, boolean cut, Event next, Random of, boolean settles) throws IOException {
        Image image = cut ? disk.cut(of) : disk.killed(settles ? new Trace.Mark("") : next, of);
        boolean taken = !settles && of.nextInt(4) == 0; // on another node, which has no part of what was not made durable
        Path store = Files.createTempDirectory(Files.isDirectory(MEMORY) ? MEMORY : directory, "powercut");
        try {
            image.write(store);
            try (Node node = new Node(taken ? "n2" : Life.DAEMON, cut || taken ? bootId(boot + 1) : bootId(boot), store, 1,
                    Segment.anonymous(SEGMENT))) {
                Inspection inspection = new Inspection(node, history, cut || taken);
                if (taken) {
                    inspection.takeOver();
                }
                inspection.look(of.nextInt(8) == 0);
                if (of.nextInt(5) == 0) {
                    counts.removedFromStates().addAndGet(inspection.collect());
                    inspection.look(of.nextInt(8) == 0);
                }
                inspection.goOn(of);
                if (settles) {
                    inspection.settle();
                }
            }
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError(("after %s%s: %s%n"
                + "    again: -Dtest=PowerCutTest -Darchipelago.seed=%s -Darchipelago.traces=%s -Darchipelago.state=%s")
                .formatted(cut ? "a power cut" : "the daemon's death", taken ? ", on another node" : "", e.getMessage(),
                    seed, traces.toAbsolutePath(), state), e);
        } finally {
            remove(store);
        }
        counts.states().incrementAndGet();
        return image;
    }

    private static void remove(Path root) throws IOException {
        try (Stream<Path> paths = Files.walk(root)) {
            paths.sorted(Comparator.reverseOrder()).forEach(path -> {
                try {
                    Files.delete(path);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
    }
}
