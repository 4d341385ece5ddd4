package org.archipelago.peer.blocker;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Files that workers are about to close. What a removed object took is free when the last of its files is closed: so who finds
 * no space waits for those first. Thread-safe.
 */
final class Closes {
    private static final int LOOKS = 200;
    private static final long PAUSE_NANOS = 5_000_000;

    private final AtomicInteger pending = new AtomicInteger();

    void begin() {
        pending.incrementAndGet();
    }

    void end() {
        pending.decrementAndGet();
    }

    /** Waits until there are none, a second at most; false where there were none: nothing has changed. */
    boolean await() {
        boolean any = pending.get() > 0;
        for (int i = 0; i < LOOKS && pending.get() > 0; i++) {
            LockSupport.parkNanos(PAUSE_NANOS);
        }
        return any;
    }
}
