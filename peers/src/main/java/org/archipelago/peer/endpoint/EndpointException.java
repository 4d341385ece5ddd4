package org.archipelago.peer.endpoint;

/** An endpoint could not be made or changed; the message says which, on what and why. */
public final class EndpointException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int errno;

    public EndpointException(int errno, String message) {
        super(message);
        this.errno = errno;
    }

    /** A positive number of {@link org.archipelago.posix.Errno}. */
    public int errno() {
        return errno;
    }
}
