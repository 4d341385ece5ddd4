package org.archipelago.peer.blocker;

import org.archipelago.posix.Errno;

/**
 * A store that cannot be used, or an operation on it that failed. The message is a sentence for people:
 * what failed, on what, why, what to do.
 */
public final class StoreException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    StoreException(int errno, String message) {
        super(message);
        this.errno = errno;
    }

    /** "what failed: reason: what to do", the latter two made of the errno. */
    static StoreException of(int errno, String what) {
        String hint = StoreLog.hint(errno);
        return new StoreException(errno, what + ": " + Errno.text(errno) + (hint.isEmpty() ? "" : ": " + hint));
    }

    /** Positive. */
    public int errno() {
        return errno;
    }
}
