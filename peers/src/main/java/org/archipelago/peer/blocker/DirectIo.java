package org.archipelago.peer.blocker;

import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * Past the page cache (O_DIRECT), through the worker's aligned buffer. What does not begin or end at a
 * multiple of 4096 bytes is read, changed and written back, which excludes every other write of that
 * object in this process; a file that ends within such a block is cut to its size afterwards.
 */
final class DirectIo extends ObjectIo {
    private static final long MASK = Scratch.ALIGNMENT - 1;
    private static final int GROWN_MOST = 8;

    private final ReadWriteLock[] locks = new ReadWriteLock[256];

    DirectIo() {
        for (int i = 0; i < locks.length; i++) {
            locks[i] = new ReentrantReadWriteLock();
        }
    }

    @Override
    int openFlags() {
        return Posix.O_RDWR | Posix.O_NOFOLLOW | Posix.O_DIRECT;
    }

    private ReadWriteLock lock(int key) {
        return locks[key & (locks.length - 1)];
    }

    @Override
    int read(int fd, long address, long offset, long length, boolean exact, Scratch scratch) {
        long buffer = scratch.address();
        int grown = 0;
        long done = 0;
        while (done < length) {
            long from = (offset + done) & ~MASK;
            int skip = (int) (offset + done - from);
            long wanted = Math.min(Scratch.SIZE, (skip + length - done + MASK) & ~MASK);
            long n = readAligned(fd, buffer, from, wanted);
            if (n < 0) {
                return (int) -n;
            }
            long got = Math.min(n - skip, length - done);
            if (got <= 0) {
                int errno = zeroAfterEnd(fd, address + done, offset + done, length - done);
                if (errno == Errno.EIO && ++grown <= GROWN_MOST) {
                    continue; // it was written to in between
                }
                return errno == 0 && exact ? FileCalls.ENODATA : errno;
            }
            Posix.memcpy(address + done, buffer + skip, got);
            done += got;
        }
        return 0;
    }

    @Override
    int write(int fd, int key, long address, long offset, long length, Scratch scratch) {
        if (length == 0) {
            return 0;
        }
        boolean aligned = ((offset | length) & MASK) == 0;
        Lock lock = aligned ? lock(key).readLock() : lock(key).writeLock();
        lock.lock();
        try {
            return aligned ? writeBlocks(fd, address, offset, length, scratch)
                : rewriteBlocks(fd, address, offset, length, scratch);
        } finally {
            lock.unlock();
        }
    }

    @Override
    int zero(int fd, int key, long offset, long length, Scratch scratch) {
        Lock lock = lock(key).writeLock();
        lock.lock();
        try {
            return super.zero(fd, key, offset, length, scratch);
        } finally {
            lock.unlock();
        }
    }

    private static int writeBlocks(int fd, long address, long offset, long length, Scratch scratch) {
        for (long done = 0; done < length; done += Scratch.SIZE) {
            long count = Math.min(Scratch.SIZE, length - done);
            Posix.memcpy(scratch.address(), address + done, count);
            int errno = writeAligned(fd, scratch.address(), offset + done, count);
            if (errno != 0) {
                return errno;
            }
        }
        return 0;
    }

    private static int rewriteBlocks(int fd, long address, long offset, long length, Scratch scratch) {
        long size = Posix.lseek(fd, 0, FileCalls.SEEK_END);
        if (size < 0) {
            return Posix.errno();
        }
        long buffer = scratch.address();
        int errno = 0;
        long done = 0;
        while (done < length && errno == 0) {
            long from = (offset + done) & ~MASK;
            int skip = (int) (offset + done - from);
            long count = Math.min(Scratch.SIZE - skip, length - done);
            long blocks = (skip + count + MASK) & ~MASK;
            if (skip != 0) {
                errno = readBlock(fd, buffer, from);
            }
            if (errno == 0 && ((skip + count) & MASK) != 0 && (skip == 0 || blocks > Scratch.ALIGNMENT)) {
                errno = readBlock(fd, buffer + blocks - Scratch.ALIGNMENT, from + blocks - Scratch.ALIGNMENT);
            }
            if (errno == 0) {
                Posix.memcpy(buffer + skip, address + done, count);
                errno = writeAligned(fd, buffer, from, blocks);
                done += count;
            }
        }
        long end = Math.max(size, offset + (errno == 0 ? length : 0));
        if (((offset + length + MASK) & ~MASK) > end && Posix.ftruncate(fd, end) != 0 && errno == 0) {
            return Posix.errno();
        }
        return errno;
    }

    private static int readBlock(int fd, long buffer, long offset) {
        long n = readAligned(fd, buffer, offset, Scratch.ALIGNMENT);
        if (n < 0) {
            return (int) -n;
        }
        return zeroAfterEnd(fd, buffer + n, offset + n, Scratch.ALIGNMENT - n);
    }

    /** Reads until length or a short result; how many bytes, or a negative errno. */
    private static long readAligned(int fd, long buffer, long offset, long length) {
        long done = 0;
        while (done < length && (done & MASK) == 0) {
            long n = Posix.pread(fd, buffer + done, length - done, offset + done);
            if (n == 0) {
                break;
            }
            if (n < 0) {
                int errno = Posix.errno();
                if (errno != Errno.EINTR) {
                    return -errno;
                }
            } else {
                done += n;
            }
        }
        return done;
    }

    /** For bytes that a read did not give: zeros past the file's end, else the disk failed. */
    private static int zeroAfterEnd(int fd, long address, long offset, long length) {
        if (length > 0) {
            long size = Posix.lseek(fd, 0, FileCalls.SEEK_END);
            if (size < 0) {
                return Posix.errno();
            }
            if (offset < size) {
                return Errno.EIO;
            }
            Posix.memset(address, 0, length);
        }
        return 0;
    }

    /** All multiples of 4096. */
    private static int writeAligned(int fd, long buffer, long offset, long length) {
        long done = 0;
        while (done < length) {
            long n = Posix.pwrite(fd, buffer + done, length - done, offset + done);
            if (n < 0) {
                int errno = Posix.errno();
                if (errno != Errno.EINTR) {
                    return errno;
                }
            } else if ((n & ~MASK) == 0) {
                return Errno.EIO;
            } else {
                done += n & ~MASK;
            }
        }
        return 0;
    }
}
