package org.archipelago.peer.host;

/**
 * How long a thread looks for work before it sleeps. Being woken takes as long as {@code bound} or so, and makes the
 * one that wakes pay too; so looking is worth it where at least one time in three something comes before the bound,
 * and otherwise only keeps others from the core. A time that it does is worth two that it does not. When there is no
 * credit left it looks once in {@value #PROBE} times, to see whether the times have changed: what two threads do that
 * wait for each other in sleep is slow only because of that.
 *
 * <p>On a host with more to do than cores a thread that looks uses up its turn, and the one that it waits for, or a
 * neighbour, then has the core for milliseconds, while who sleeps is let on soon after it is woken. So who loses the
 * core while it looks has no credit left.
 *
 * <p>Where work always comes soon, it does not look for as long as the bound: four times what it takes on average.
 * One thread; times are nanoseconds.
 */
final class Spin {
    private static final int PROBE = 16;
    private static final int CREDIT = 32;

    private final long bound;
    private long usual;
    private int credit = CREDIT;
    private int sleeps;
    private long limit;

    /** @param bound the longest that it ever looks, 0 or more */
    Spin(long bound) {
        this.bound = bound;
        usual = bound;
        limit = bound;
    }

    /** How long to look, from the last work on. */
    long limit() {
        return limit;
    }

    /** Work came that long after the last, while looking. */
    void found(long nanos) {
        usual += (nanos - usual) / 8;
        credit = Math.min(credit + 2, CREDIT);
        decide();
    }

    /** Work came that long after the last, in sleep. */
    void sleptThrough(long nanos) {
        sleeps++;
        if (nanos < 2 * bound) {
            usual += (nanos - usual) / 2; // it might have been found
        }
        if (limit > 0) {
            credit = Math.max(credit - 1, 0);
        }
        decide();
    }

    /** Another had the core while this looked. */
    void lostCore() {
        credit = 0;
        limit = 0;
    }

    private void decide() {
        if (credit > 0) {
            limit = Math.min(bound, 4 * usual);
        } else {
            limit = sleeps % PROBE == 0 ? bound : 0;
        }
    }
}
