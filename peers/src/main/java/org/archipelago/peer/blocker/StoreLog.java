package org.archipelago.peer.blocker;

import java.lang.System.Logger.Level;
import java.util.HashSet;
import java.util.Set;
import org.archipelago.posix.Errno;

/**
 * What a store has to say to its administrator, a bounded number of lines at a time: a disk that fails
 * does so a hundred thousand times a second. Thread-safe.
 */
final class StoreLog {
    /** Lines in one window. */
    static final int LINES = 10;
    private static final long WINDOW_NANOS = 10_000_000_000L;
    private static final System.Logger LOG = System.getLogger(FileBlocker.class.getName());

    /** Objects that are remembered to have been told of. */
    private static final int TOLD_MOST = 1000;

    private final String store;
    private final Set<String> tooShort = new HashSet<>();
    private long windowStart;
    private int lines;
    private long suppressed;

    /** @param store its role and directory, as messages name it */
    StoreLog(String store) {
        this.store = store;
        this.windowStart = System.nanoTime();
    }

    /** What to do about a failure; empty where nothing is to be done. */
    static String hint(int errno) {
        return switch (errno) {
            case Errno.EIO -> "look into the kernel's log for the disk or the file server";
            case Errno.ENOSPC, Errno.EDQUOT -> "free space or add some, then try again";
            case Errno.EROFS -> "make its file system writable (the kernel's log tells if it failed), then try again";
            case Errno.EACCES, Errno.EPERM -> "give the directory and its files to the daemon's user";
            case Errno.EMFILE, FileCalls.ENFILE -> "raise the limit of open files, or lower fdcache";
            case Errno.ESTALE -> "mount the shared file system anew";
            case Errno.ENOMEM -> "free memory";
            default -> "";
        };
    }

    /** A request on an object failed for a reason that lies in the store and not in the request. */
    void failure(String what, String object, int errno) {
        String hint = hint(errno);
        say(Level.ERROR, what + " of object " + object + " failed: " + Errno.text(errno) + " (errno " + errno + ")"
            + (hint.isEmpty() ? "" : ": " + hint), null);
    }

    /** An object ends before this byte, which was written: told once for each object. */
    void tooShort(String object, long end) {
        synchronized (this) {
            if (tooShort.size() >= TOLD_MOST) {
                tooShort.clear();
            }
            if (!tooShort.add(object)) {
                return;
            }
        }
        say(Level.ERROR, "read of object " + object + " failed: its file ends before byte " + end + ", which was written: it is"
            + " damaged: " + hint(Errno.EIO) + ", and bring the file back from a copy, or let vlmc check name what is lost");
    }

    void say(Level level, String text) {
        say(level, text, null);
    }

    void say(Level level, String text, Throwable thrown) {
        long missed;
        synchronized (this) {
            long now = System.nanoTime();
            if (now - windowStart > WINDOW_NANOS) {
                windowStart = now;
                lines = 0;
            }
            if (lines >= LINES) {
                suppressed++;
                return;
            }
            lines++;
            missed = suppressed;
            suppressed = 0;
        }
        String line = "store " + store + ": " + text + (missed == 0 ? "" : " (and " + missed + " lines not shown)");
        if (thrown == null) {
            LOG.log(level, line);
        } else {
            LOG.log(level, line, thrown);
        }
    }

    /** Whether a sync that failed so may have lost what it was for; else it was not begun. */
    static boolean isLoss(int errno) {
        return switch (errno) {
            case Errno.OK, Errno.EMFILE, FileCalls.ENFILE, Errno.ENOMEM -> false;
            default -> true;
        };
    }

    /** Whether the store is to blame, so that its administrator is told; what a client can cause is not. */
    static boolean isStoresFault(int errno) {
        return switch (errno) {
            case Errno.OK, Errno.ENOENT, Errno.EEXIST, Errno.EINVAL, Errno.EFBIG, Errno.EMSGSIZE -> false;
            default -> true;
        };
    }
}
