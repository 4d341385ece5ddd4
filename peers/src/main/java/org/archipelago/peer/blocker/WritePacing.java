package org.archipelago.peer.blocker;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Decides whether a reactor may write into the page cache itself. Two things keep it from that for a while: the page cache
 * is about to have too many dirty pages ({@link DirtyPages}, looked at by a worker now and then while there are writes),
 * and writes that did wait in the kernel, twice. A write that took long because another thread had the core is none of these.
 * One for each reactor, for its thread alone but where it says otherwise; allocates nothing.
 */
final class WritePacing {
    /** Looks at the page cache after so many bytes, or after that time; a look counts for the second time. */
    private static final long LOOK_BYTES = 4 << 20;
    private static final long LOOK_NANOS = 100_000_000L;
    private static final long LOOK_COUNTS_NANOS = 200_000_000L;
    /** A write that takes longer, beside a nanosecond a byte, may have waited. */
    private static final long SLOW_NANOS = 2_000_000L;
    private static final long SUSPICION_NANOS = 500_000_000L;
    private static final long HANDED_OVER_NANOS = 500_000_000L;
    private static final int RUSAGE_THREAD = 1;
    private static final int RUSAGE_SIZE = 144;
    private static final int VOLUNTARY_SWITCHES_AT = 128;

    static {
        Native.register(WritePacing.class, NativeLibrary.getInstance("c"));
    }

    private final WorkerPool pool;
    private final DirtyPages dirty;
    private final Look look = new Look();
    private final Memory usage = new Memory(RUSAGE_SIZE);
    private final long usageAddress = Pointer.nativeValue(usage);
    private long written;
    private long lookAt = System.nanoTime();
    private long suspiciousUntil = lookAt;
    private long waitedUntil = lookAt;
    private volatile long fullUntil = lookAt;
    private long begun;
    private long switches = -1;

    WritePacing(WorkerPool pool, DirtyPages dirty) {
        this.pool = pool;
        this.dirty = dirty;
    }

    private static native int getrusage(int who, long address);

    /** A worker's look at the page cache. */
    private final class Look extends Job {
        private final AtomicBoolean underWay = new AtomicBoolean();

        @Override
        void run(Scratch scratch) {
            try {
                if (dirty.nearlyTooMany()) {
                    fullUntil = System.nanoTime() + LOOK_COUNTS_NANOS;
                }
            } finally {
                underWay.set(false); // nobody waits for it: it is not given back
            }
        }

        @Override
        void finished() {}
    }

    /** Whether this write, of so many bytes, is the reactor's to make; then {@link #wrote} follows. */
    boolean mayWrite(long bytes) {
        begun = System.nanoTime();
        written += bytes;
        if ((written >= LOOK_BYTES || begun - lookAt >= 0) && look.underWay.compareAndSet(false, true)) {
            written = 0;
            lookAt = begun + LOOK_NANOS;
            pool.submit(look);
        }
        if (begun - fullUntil < 0 || begun - waitedUntil < 0) {
            return false;
        }
        switches = begun - suspiciousUntil < 0 ? switches() : -1;
        return true;
    }

    /** When the last write began, of nanoTime. */
    long begun() {
        return begun;
    }

    /** The write has been made. */
    void wrote(long bytes) {
        long now = System.nanoTime();
        if (now - begun > SLOW_NANOS + bytes) {
            suspiciousUntil = now + SUSPICION_NANOS;
            if (switches >= 0 && switches() != switches) {
                waitedUntil = now + HANDED_OVER_NANOS;
            }
        }
    }

    /** How often this thread gave its core away to wait for something. */
    private long switches() {
        return getrusage(RUSAGE_THREAD, usageAddress) == 0 ? usage.getLong(VOLUNTARY_SWITCHES_AT) : 0;
    }
}
