package org.archipelago.peer.mapper;

import org.archipelago.posix.Errno;

/** Why a control operation failed; becomes the request's status and sentence, and goes no further. */
final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    Failure(int errno, String message) {
        super(message);
        this.errno = errno;
    }

    static Failure of(int errno, String what) {
        return new Failure(errno, what + ": " + Errno.text(errno));
    }

    int errno() {
        return errno;
    }
}
