package org.archipelago.peer.blocker;

import org.archipelago.xseg.Target;

/**
 * An object's open file, as one reactor knows it. Workers read the final fields and {@link #fd}; all
 * else is that reactor's alone.
 */
final class Descriptor {
    private static final int PAGE_SHIFT = 12;
    private static final long MOMENT_NANOS = 1_000_000_000L;

    final Target target;
    final String name;
    /** Of the target; equal on every reactor. */
    final int hash;

    /** Negative while a worker opens it. */
    int fd = -1;
    /** Jobs that use it; it is not closed while there are any. */
    int pins;
    /** No longer in the cache: to be closed when the last pin goes. */
    boolean detached;

    /** The page that the reactor's last write ended in, and when that was, of nanoTime. */
    private long lastPage = -1;
    private long lastWrite;

    /** What came while it is being opened. */
    final RequestQueue waiting = new RequestQueue();
    /** Who waits for the next sync. */
    final RequestQueue syncs = new RequestQueue();
    /** One of these gives up what is lost. */
    boolean givesUp;
    /** A sync for those before them is under way, or held back until the store's first has ended. */
    boolean syncing;

    /** The cache's: whether it was used lately, its place there, and who comes next with a like hash. */
    boolean used = true;
    int place;
    Descriptor chain;

    Descriptor(Target target, String name) {
        this.target = target;
        this.name = name;
        this.hash = target.hashCode();
    }

    /** The reactor has written. */
    void wrote(long offset, long length, long now) {
        lastPage = offset + length - 1 >> PAGE_SHIFT;
        lastWrite = now;
    }

    /** Whether a range lies in a page that was written a moment ago, and so is at hand: as an appended record does. */
    boolean hasJustWritten(long offset, long length, long now) {
        return offset >> PAGE_SHIFT == lastPage && offset + length - 1 >> PAGE_SHIFT == lastPage && now - lastWrite < MOMENT_NANOS;
    }
}
