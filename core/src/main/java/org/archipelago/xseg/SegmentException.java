package org.archipelago.xseg;

import com.sun.jna.Pointer;

/** A call into libxseg failed; the message says on what and why. */
public final class SegmentException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int errno;

    public SegmentException(int errno, String message) {
        super(message);
        this.errno = errno;
    }

    /** A positive number of {@link org.archipelago.posix.Errno}. */
    public int errno() {
        return errno;
    }

    /** Returns what a call returned, unless that is a failure; on the thread that made the call. */
    public static int check(int result) {
        if (result < 0) {
            throw new SegmentException(-result, new Pointer(LibXseg.xseg_strerror()).getString(0, "UTF-8"));
        }
        return result;
    }
}
