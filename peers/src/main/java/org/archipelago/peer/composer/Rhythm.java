package org.archipelago.peer.composer;

/**
 * Guesses when a volume's client is about to flush. Databases and journals flush after each write, or after
 * every second one, again and again; once one has done so a few times, its flush can begin as soon as the write is
 * answered, while that answer and the client's FLUSH are on their way. A wrong guess costs one sync, and
 * the next {@value #SURE} are not made.
 */
final class Rhythm {
    /** How often the client must have flushed after as many writes as the time before. */
    static final int SURE = 8;

    private long writes;
    private long usual;
    private int times;

    /** A write was answered that is not durable. */
    void wrote() {
        writes++;
    }

    /** The client asks for a flush. */
    void flushed() {
        if (writes == 0) {
            return;
        }
        times = writes == usual ? Math.min(times + 1, SURE) : 0;
        usual = writes;
        writes = 0;
    }

    /** Whether a flush is what should come next. */
    boolean isFlushDue() {
        return times == SURE && writes == usual;
    }
}
