package org.archipelago.ext.daemon;

import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.time.LocalTime;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.archipelago.ext.Failure;
import org.archipelago.ext.daemon.ProcessState.Phase;
import org.archipelago.xseg.Segment;

/**
 * Looks after the processes that roles have for themselves: one that dies is started again, at once the
 * first time, then after 1, 2, 4 ... 60 s; one that lives but shows no sign of it (stopped, or stuck) is
 * killed first, so that nothing of it can touch the segment any more. What somebody stopped on purpose
 * stays stopped.
 *
 * <p>Signs of life are counted in looks, not by a clock: where the whole host stood still, so did this.
 */
final class Supervisor implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Supervisor.class.getName());
    private static final long LOOK_MILLIS = 250;
    /** Looks in a row at which a process that beats twice a second showed no beat: 10 s. */
    private static final int LOOKS_WITHOUT_BEAT = 40;
    private static final long LONGEST_PAUSE_MILLIS = 60_000;
    private static final long SHORTEST_PAUSE_MILLIS = 1000;
    /** After so long a life the next death is like the first. */
    private static final long GOOD_LIFE_NANOS = TimeUnit.MINUTES.toNanos(2);
    private static final long KILL_MILLIS = 5000;

    /** What is known of one process. */
    private static final class Ward {
        int deaths;
        LocalTime lastDeath = LocalTime.MIN;
        int failures;
        long startedAt = System.nanoTime();
        long startAt;
        boolean waiting;
        long beat;
        int looksWithoutBeat;
        ProcessId seen;
    }

    private final Path run;
    private final Segment segment;
    private final Map<String, List<Integer>> ports;
    private final Consumer<String> start;
    private final Map<String, Ward> wards = new TreeMap<>();
    private final Thread thread = new Thread(this::look, "supervisor");
    private volatile boolean closed;

    /**
     * @param ports the first port of each role of each process, by the process's name
     * @param start starts a process and waits until it is ready; throws Failure
     */
    Supervisor(Path run, Segment segment, Map<String, List<Integer>> ports, Consumer<String> start) {
        this.run = run;
        this.segment = segment;
        this.ports = ports;
        this.start = start;
        ports.keySet().forEach(name -> wards.put(name, new Ward()));
        thread.setDaemon(true);
        if (!wards.isEmpty()) {
            thread.start();
        }
    }

    /** What happened to a process, for status; empty where nothing did. */
    synchronized String note(String process) {
        Ward ward = wards.get(process);
        if (ward == null || ward.deaths == 0) {
            return "";
        }
        String times = "died " + ward.deaths + (ward.deaths == 1 ? " time" : " times, the last") + " at "
            + ward.lastDeath.truncatedTo(ChronoUnit.SECONDS);
        long left = TimeUnit.NANOSECONDS.toSeconds(ward.startAt - System.nanoTime());
        return ward.waiting ? times + "; started again " + (left > 0 ? "in " + left + " s" : "now") : times;
    }

    private void look() {
        while (!closed) {
            segment.recoverDead(); // again, where others still had parts of what one had been asked
            for (Map.Entry<String, Ward> entry : wards.entrySet()) {
                try {
                    look(entry.getKey(), entry.getValue());
                } catch (RuntimeException e) {
                    LOG.log(Level.ERROR, "looking after process " + entry.getKey(), e);
                }
            }
            try {
                Thread.sleep(LOOK_MILLIS);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private void look(String name, Ward ward) {
        Optional<ProcessState> state = ProcessState.read(run, name);
        if (state.isEmpty() || state.get().phase() == Phase.STOPPED) {
            forget(ward); // not started yet, or stopped on purpose
        } else if (state.get().process().alive()) {
            if (state.get().phase() == Phase.RUNNING) {
                listen(name, ward, state.get());
            }
        } else if (!ward.waiting) {
            died(name, ward, state.get());
        } else if (System.nanoTime() - ward.startAt >= 0) {
            startAgain(name, ward);
        }
    }

    private synchronized void forget(Ward ward) {
        ward.deaths = 0;
        ward.failures = 0;
        ward.waiting = false;
    }

    private void listen(String name, Ward ward, ProcessState state) {
        long beat = ports.get(name).stream().mapToLong(segment::heartbeat).max().orElse(0);
        synchronized (this) {
            ward.waiting = false;
        }
        if (beat != ward.beat || !state.process().equals(ward.seen)) {
            ward.beat = beat;
            ward.seen = state.process();
            ward.looksWithoutBeat = 0;
        } else if (++ward.looksWithoutBeat >= LOOKS_WITHOUT_BEAT) {
            ward.looksWithoutBeat = 0;
            LOG.log(Level.ERROR, "process {0} ({1}) has shown no sign of life for {2} s: it is killed, and started again", name,
                state.process().pid(), LOOKS_WITHOUT_BEAT * LOOK_MILLIS / 1000);
            if (!state.kill(KILL_MILLIS)) {
                LOG.log(Level.ERROR, "process {0} ({1}) does not end when it is killed: a call into a store or a device hangs, most "
                    + "likely; what it works on waits", name, state.process().pid());
            }
        }
    }

    private void died(String name, Ward ward, ProcessState last) {
        segment.recoverDead();
        synchronized (this) {
            if (System.nanoTime() - ward.startedAt > GOOD_LIFE_NANOS) {
                ward.failures = 0;
            }
            long pause = ward.failures == 0 ? 0
                : Math.min(LONGEST_PAUSE_MILLIS, SHORTEST_PAUSE_MILLIS << Math.min(ward.failures - 1, 16));
            ward.deaths++;
            ward.lastDeath = LocalTime.now();
            ward.failures++;
            ward.startAt = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(pause);
            ward.waiting = true;
            LOG.log(Level.ERROR, "process {0} ({1}) has died{2}: it is started again {3}", name, last.process().pid(),
                last.phase() == Phase.FAILED ? " (" + last.why() + ")" : "", pause == 0 ? "at once" : "in " + pause / 1000 + " s");
        }
    }

    private void startAgain(String name, Ward ward) {
        if (closed) {
            return;
        }
        try {
            start.accept(name);
            LOG.log(Level.INFO, "process {0} runs again", name);
        } catch (Failure e) {
            LOG.log(Level.ERROR, "process {0} could not be started again: {1}", name, e.getMessage());
        }
        synchronized (this) {
            ward.startedAt = System.nanoTime();
            ward.waiting = false;
        }
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
        try {
            thread.join(KILL_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
