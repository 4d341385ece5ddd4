package org.archipelago.ext.node;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;

/** One command at a time on each volume. A waiting command gives up after a bound, or when its caller goes. */
public final class VolumeLocks {
    private static final long POLL_MILLIS = 200;

    private final long boundMillis;
    private final Map<String, Entry> entries = new HashMap<>();

    private static final class Entry {
        private final ReentrantLock lock = new ReentrantLock(true);
        private int users;
    }

    public VolumeLocks(long boundMillis) {
        this.boundMillis = boundMillis;
    }

    /** Waits for the volume, then works on it; a thread that has the volume gets it again. */
    public <T> T with(String volume, Console console, Supplier<T> work) {
        Entry entry;
        synchronized (entries) {
            entry = entries.computeIfAbsent(volume, v -> new Entry());
            entry.users++;
        }
        try {
            acquire(entry.lock, volume, console);
            try {
                return work.get();
            } finally {
                entry.lock.unlock();
            }
        } finally {
            leave(volume, entry);
        }
    }

    /** The same for work without a result. */
    public void run(String volume, Console console, Runnable work) {
        with(volume, console, () -> {
            work.run();
            return true;
        });
    }

    private void acquire(ReentrantLock lock, String volume, Console console) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(boundMillis);
        try {
            while (!lock.tryLock(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                console.checkPresent();
                if (System.nanoTime() - deadline > 0) {
                    throw new Failure(ExitCode.TIMED_OUT, "another command has been at work on volume " + volume + " for "
                        + boundMillis / 1000 + " s: let it end, then repeat this one");
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Failure(ExitCode.TRY_AGAIN, "archipelagod is stopping", e);
        }
    }

    private void leave(String volume, Entry entry) {
        synchronized (entries) {
            if (--entry.users == 0) {
                entries.remove(volume);
            }
        }
    }
}
