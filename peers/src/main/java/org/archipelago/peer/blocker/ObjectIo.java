package org.archipelago.peer.blocker;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * How a worker moves bytes between a request's data and an object's file: offsets and lengths in bytes
 * from the file's start, addresses of this process; results are 0 or an errno. Thread-safe.
 */
abstract class ObjectIo {
    private static final int ZEROS_SIZE = 64 << 10;
    private static final Memory ZEROS = new Memory(ZEROS_SIZE);

    static {
        ZEROS.clear();
    }

    private volatile boolean punches = true;

    /** Flags to open objects with. */
    abstract int openFlags();

    /** Reads all of it; past the file's end zeros, or, exact, ENODATA. */
    abstract int read(int fd, long address, long offset, long length, boolean exact, Scratch scratch);

    /** Writes all of it; key: equal for all descriptors of one object. */
    abstract int write(int fd, int key, long address, long offset, long length, Scratch scratch);

    /** Makes it read as zeros and frees its space where the file system can; the size stays. */
    int zero(int fd, int key, long offset, long length, Scratch scratch) {
        while (punches && length > 0) {
            int mode = Posix.FALLOC_FL_PUNCH_HOLE | Posix.FALLOC_FL_KEEP_SIZE;
            if (Posix.fallocate(fd, mode, offset, length) == 0) {
                return 0;
            }
            int errno = Posix.errno();
            if (errno == Errno.EOPNOTSUPP || errno == Errno.ENOSYS) {
                punches = false;
            } else if (errno != Errno.EINTR) {
                return errno;
            }
        }
        return writeZeros(fd, key, offset, length, scratch);
    }

    private int writeZeros(int fd, int key, long offset, long length, Scratch scratch) {
        long size = Posix.lseek(fd, 0, FileCalls.SEEK_END);
        if (size < 0) {
            return Posix.errno();
        }
        long end = Math.min(offset + length, size);
        for (long at = offset; at < end; at += ZEROS_SIZE) {
            int errno = write(fd, key, Pointer.nativeValue(ZEROS), at, Math.min(ZEROS_SIZE, end - at), scratch);
            if (errno != 0) {
                return errno;
            }
        }
        return 0;
    }

    /** For tests: as on a file system that cannot punch holes. */
    void neverPunch() {
        punches = false;
    }

    /** Through the page cache. */
    static final class Buffered extends ObjectIo {
        @Override
        int openFlags() {
            return Posix.O_RDWR | Posix.O_NOFOLLOW;
        }

        @Override
        int read(int fd, long address, long offset, long length, boolean exact, Scratch scratch) {
            long n = FileCalls.read(fd, address, offset, length);
            if (n < 0) {
                return (int) -n;
            }
            if (n < length && exact) {
                return FileCalls.ENODATA;
            }
            if (n < length) {
                Posix.memset(address + n, 0, length - n);
            }
            return 0;
        }

        @Override
        int write(int fd, int key, long address, long offset, long length, Scratch scratch) {
            return FileCalls.write(fd, address, offset, length);
        }
    }
}
