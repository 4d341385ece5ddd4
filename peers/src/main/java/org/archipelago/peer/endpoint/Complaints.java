package org.archipelago.peer.endpoint;

import java.lang.System.Logger.Level;

/** Log lines that a client can cause: a few a second, however many clients misbehave. One thread. */
final class Complaints {
    private static final System.Logger LOG = System.getLogger(NbdEndpoint.class.getName());
    private static final int A_SECOND = 5;
    private static final long SECOND = 1_000_000_000L;

    private long since = System.nanoTime();
    private int written;
    private int withheld;

    void add(String line) {
        long now = System.nanoTime();
        if (now - since >= SECOND) {
            if (withheld > 0) {
                LOG.log(Level.WARNING, "NBD: {0} more complaints about clients were left out", withheld);
            }
            since = now;
            written = 0;
            withheld = 0;
        }
        if (written < A_SECOND) {
            written++;
            LOG.log(Level.WARNING, line);
        } else {
            withheld++;
        }
    }
}
