package org.archipelago.peer.blocker;

import java.lang.System.Logger.Level;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;

/**
 * What a worker does for data operations: closes a file that gave way, opens the one that is asked for,
 * reads, writes, zeroes or syncs it. Used again and again by its blocker.
 */
final class DataJob extends Job {
    /** Only opens, for a request that goes on with the file. */
    static final int OPEN = -1;
    /** Only closes. */
    static final int CLOSE = -2;

    private final FileBlocker blocker;
    private final FileStore store;

    /** An {@link Op}: READ, WRITE, ZERO, SYNC; or one of the above. */
    int op;
    /** Whose it is; null for SYNC and CLOSE. */
    Request request;
    /** Of the request. */
    int flags;
    /** Pinned for this job; null for CLOSE. */
    Descriptor descriptor;
    /** What is left to do, and how many bytes there were in all. */
    long address;
    long offset;
    long length;
    long total;
    /** The file is not open yet; and whether it is made where it is absent. */
    boolean opens;
    boolean makes;
    /** To close first, or -1. */
    private int closing = -1;
    private String closingName = "";
    /** Who waits for this sync. */
    final RequestQueue batch = new RequestQueue();

    /** The descriptor of a file that this opened, or -1. */
    int opened = -1;
    /** How it went. */
    int status;

    DataJob(FileBlocker blocker, FileStore store) {
        this.blocker = blocker;
        this.store = store;
    }

    /** Closes this first, which nobody uses any more. */
    void closes(Descriptor d) {
        closing = d.fd;
        closingName = d.name;
        store.closes().begin();
        d.fd = -1;
    }

    @Override
    void run(Scratch scratch) {
        try {
            status = work(scratch);
            if (opens && status == Errno.EBADF) {
                status = Errno.EROFS; // it could be opened for reading alone
            }
            if (op == Op.READ && status == FileCalls.ENODATA) {
                status = Errno.EIO;
                store.log().tooShort(descriptor.name, offset + length);
            } else if (StoreLog.isStoresFault(status) && !isOutdated()) {
                store.log().failure(op == OPEN ? "open" : Op.name(op), descriptor.name, status);
            }
        } catch (RuntimeException | Error e) {
            status = Errno.EIO;
            store.log().say(Level.ERROR, "a defect in " + this, e);
        }
        blocker.giveBack(this);
    }

    private int work(Scratch scratch) {
        closeFirst();
        if (op == CLOSE) {
            return 0;
        }
        int fd = descriptor.fd;
        if (opens) {
            fd = store.files().open(descriptor.name, makes, madeSize());
            if (fd < 0) {
                return -fd;
            }
            opened = fd;
        }
        return switch (op) {
            case Op.READ -> store.io().read(fd, address, offset, length, (flags & Op.EXACT) != 0, scratch);
            case Op.WRITE -> {
                int errno = store.io().write(fd, descriptor.hash, address, offset, length, scratch);
                yield errno == Errno.ENOSPC && store.closes().await()
                    ? store.io().write(fd, descriptor.hash, address, offset, length, scratch) : errno;
            }
            case Op.ZERO -> store.io().zero(fd, descriptor.hash, offset, length, scratch);
            case Op.SYNC -> store.files().sync(fd, descriptor.name, (flags & Op.FORCE) != 0);
            default -> 0;
        };
    }

    private long madeSize() {
        int log2 = Op.madeSize(flags);
        return log2 == 0 ? 0 : 1L << log2;
    }

    /** Whether the object must be opened anew, and the request be done again. */
    boolean isOutdated() {
        return !opens && isOutdated(status);
    }

    /** Another node replaced the file, or it was opened while its file system was read-only. */
    static boolean isOutdated(int errno) {
        return errno == Errno.ESTALE || errno == Errno.EBADF;
    }

    private void closeFirst() {
        if (closing >= 0) {
            int errno = FileCalls.close(closing);
            closing = -1;
            store.closes().end();
            if (errno != 0) {
                store.files().lose(closingName, "close", errno); // a file server may tell then, and never again
            }
        }
    }

    @Override
    void finished() {
        blocker.finished(this);
    }

    @Override
    void dropped() {
        closeFirst();
        if (opened >= 0) {
            FileCalls.close(opened);
        }
    }

    /** Ready for the next use. */
    void clear() {
        request = null;
        descriptor = null;
        flags = 0;
        opens = false;
        makes = false;
        closing = -1;
        opened = -1;
        status = 0;
    }
}
