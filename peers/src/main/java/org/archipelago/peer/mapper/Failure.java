package org.archipelago.peer.mapper;

import org.archipelago.posix.Errno;

/** Why a control operation failed; becomes the request's status and sentence, and goes no further. */
final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int errno;
    private final boolean halfWay;

    Failure(int errno, String message) {
        this(errno, message, false);
    }

    private Failure(int errno, String message, boolean halfWay) {
        super(message);
        this.errno = errno;
        this.halfWay = halfWay;
    }

    static Failure of(int errno, String what) {
        return new Failure(errno, what + ": " + Errno.text(errno));
    }

    /** The same, where the volume may have changed all the same: what is in memory of it counts no more. */
    Failure inHalfWay() {
        return new Failure(errno, getMessage(), true);
    }

    int errno() {
        return errno;
    }

    /** Whether there was no space for something. */
    boolean isFull() {
        return errno == Errno.ENOSPC || errno == Errno.EDQUOT;
    }

    boolean isHalfWay() {
        return halfWay;
    }
}
