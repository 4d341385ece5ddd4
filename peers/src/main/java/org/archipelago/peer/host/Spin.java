package org.archipelago.peer.host;

/**
 * How long a thread looks for work before it sleeps. Being woken costs more than a short wait, so it pays to look
 * around for as long as work has been coming lately, and not at all where work is rarer than the bound: then the
 * spinning would only keep others from the core. One thread.
 *
 * <p>Gaps between one piece of work and the next are averaged: those that ended while it looked count half, those it
 * slept through an eighth. A gap that it slept through has the time of the waking in it, which can hide that looking
 * would have been enough; so once in {@value #PROBE} times it looks all the same.
 */
final class Spin {
    private static final int PROBE = 16;
    private static final int LONGEST = 4;

    private final long bound;
    private long gap;
    private int sleeps;
    private long limit;

    /** @param boundNanos the longest that it ever looks, 0 or more */
    Spin(long boundNanos) {
        bound = boundNanos;
        gap = LONGEST * boundNanos;
        limit = boundNanos;
    }

    /** How long to look from the last work on, nanoseconds. */
    long limit() {
        return limit;
    }

    /** Work came that long after the last, while looking. */
    void found(long nanos) {
        gap = (gap + nanos) / 2;
        decide();
    }

    /** Work came that long after the last, in sleep. */
    void sleptThrough(long nanos) {
        sleeps++;
        gap += (Math.min(nanos, LONGEST * bound) - gap) / 8;
        decide();
    }

    private void decide() {
        boolean worthIt = gap <= bound || sleeps % PROBE == 0;
        limit = worthIt ? Math.min(bound, 4 * gap) : 0;
    }
}
