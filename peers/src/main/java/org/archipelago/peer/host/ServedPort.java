package org.archipelago.peer.host;

/**
 * A port whose requests one reactor takes out of its ring, and where they belong: the reactor that has most of them
 * had better take them itself, since a hand-over costs more than the rest of a short request. Found as the majority of
 * a stream is (Boyer and Moore): a candidate gains by each request of its own and loses by each other one.
 */
final class ServedPort {
    private static final int SURE = 256;

    final int port;
    private int candidate;
    private int lead;

    /** @param reactor index of the one that takes its requests */
    ServedPort(int port, int reactor) {
        this.port = port;
        this.candidate = reactor;
    }

    /** A request came that belongs to a reactor. */
    void belongs(int reactor) {
        if (reactor == candidate) {
            lead = Math.min(lead + 1, SURE);
        } else if (lead == 0) {
            candidate = reactor;
        } else {
            lead--;
        }
    }

    /** Whether most belong to another reactor than this one. */
    boolean shouldMoveFrom(int reactor) {
        return candidate != reactor && lead == SURE;
    }

    /** The reactor that most belong to. */
    int candidate() {
        return candidate;
    }
}
