package org.archipelago.posix;

/** Error numbers of Linux that travel in a request's status; positive, 0 is success. */
public final class Errno {
    public static final int OK = 0;
    public static final int EPERM = 1;
    public static final int ENOENT = 2;
    public static final int EINTR = 4;
    public static final int EIO = 5;
    public static final int EBADF = 9;
    public static final int EAGAIN = 11;
    public static final int ENOMEM = 12;
    public static final int EACCES = 13;
    public static final int EBUSY = 16;
    public static final int EEXIST = 17;
    public static final int EINVAL = 22;
    public static final int EMFILE = 24;
    public static final int EFBIG = 27;
    public static final int ENOSPC = 28;
    public static final int EROFS = 30;
    public static final int EPIPE = 32;
    public static final int ERANGE = 34;
    public static final int ENAMETOOLONG = 36;
    public static final int ENOSYS = 38;
    public static final int EPROTO = 71;
    public static final int EOVERFLOW = 75;
    public static final int EMSGSIZE = 90;
    public static final int EOPNOTSUPP = 95;
    public static final int ESHUTDOWN = 108;
    public static final int ETIMEDOUT = 110;
    public static final int EHOSTDOWN = 112;
    public static final int ESTALE = 116;
    public static final int EUCLEAN = 117;
    public static final int EDQUOT = 122;
    public static final int EOWNERDEAD = 130;

    private Errno() {}

    /** What the number means to a person, in a few words. */
    public static String text(int errno) {
        return switch (errno) {
            case OK -> "success";
            case EPERM -> "operation not permitted";
            case ENOENT -> "it does not exist";
            case EINTR -> "interrupted";
            case EIO -> "input/output error";
            case EBADF -> "bad file descriptor";
            case EAGAIN -> "temporarily out of resources";
            case ENOMEM -> "out of memory";
            case EACCES -> "permission denied";
            case EBUSY -> "it is in use";
            case EEXIST -> "it exists already";
            case EINVAL -> "invalid argument";
            case EMFILE -> "too many open files";
            case EFBIG -> "too large";
            case ENOSPC -> "no space left on the store";
            case EROFS -> "it is read-only";
            case EPIPE -> "the other side has gone";
            case ERANGE -> "out of range";
            case ENAMETOOLONG -> "the name is too long";
            case ENOSYS -> "not implemented";
            case EPROTO -> "protocol error";
            case EOVERFLOW -> "value too large";
            case EMSGSIZE -> "message too long";
            case EOPNOTSUPP -> "operation not supported";
            case ESHUTDOWN -> "shutting down";
            case ETIMEDOUT -> "timed out";
            case EHOSTDOWN -> "the peer is not running";
            case ESTALE -> "stale";
            case EUCLEAN -> "the stored structure is damaged";
            case EDQUOT -> "the quota is exceeded";
            case EOWNERDEAD -> "the peer died while it worked on the request";
            default -> "error " + errno;
        };
    }
}
