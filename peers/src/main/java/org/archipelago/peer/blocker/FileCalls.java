package org.archipelago.peer.blocker;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import java.util.Map;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/** Calls on names and directories, beside those of {@link Posix}; errno as there. */
final class FileCalls {
    static final int ENOTDIR = 20;
    static final int ENFILE = 23;
    /** Of ours: a file ends too early. */
    static final int ENODATA = 61;
    static final int SEEK_END = 2;
    static final int POSIX_FADV_DONTNEED = 4;

    static {
        Native.register(FileCalls.class, NativeLibrary.getInstance("c", Map.of(Library.OPTION_STRING_ENCODING, "UTF-8")));
    }

    private FileCalls() {}

    static native int link(String from, String to);

    static native int unlink(String path);

    static native int mkdir(String path, int mode);

    /** Fills a buffer with struct linux_dirent64; how many bytes, 0 at the end. */
    static native long getdents64(int fd, long buffer, long size);

    /** Fills a struct statx. */
    static native int statx(int directory, String path, int flags, int mask, long buffer);

    /** Length 0: to the end; an errno. */
    static native int posix_fadvise(int fd, long offset, long length, int advice);

    /** A descriptor, or a negative errno. */
    static int open(String path, int flags, int mode) {
        while (true) {
            int fd = Posix.open(path, flags | Posix.O_CLOEXEC, mode);
            if (fd >= 0) {
                return fd;
            }
            int errno = Posix.errno();
            if (errno != Errno.EINTR) {
                return -errno;
            }
        }
    }

    /** 0 or an errno; the descriptor is gone either way. */
    static int close(int fd) {
        int errno = Posix.close(fd) == 0 ? 0 : Posix.errno();
        return errno == Errno.EINTR ? 0 : errno;
    }

    /** Makes file and metadata durable; 0 or an errno. */
    static int fsync(int fd) {
        while (Posix.fsync(fd) != 0) {
            int errno = Posix.errno();
            if (errno != Errno.EINTR) {
                return errno;
            }
        }
        return 0;
    }

    /** Makes contents and size durable; 0 or an errno. */
    static int fdatasync(int fd) {
        while (Posix.fdatasync(fd) != 0) {
            int errno = Posix.errno();
            if (errno != Errno.EINTR) {
                return errno;
            }
        }
        return 0;
    }

    /** Makes the names in a directory durable; 0 or an errno. */
    static int fsyncDirectory(String path) {
        int fd = open(path, Posix.O_RDONLY | Posix.O_DIRECTORY, 0);
        if (fd < 0) {
            return -fd;
        }
        int errno = fsync(fd);
        close(fd);
        return errno == Errno.EINVAL ? 0 : errno; // a file system whose directories are always durable
    }

    /** Writes all of it; 0 or an errno. */
    static int write(int fd, long address, long offset, long length) {
        for (long done = 0; done < length; ) {
            long n = Posix.pwrite(fd, address + done, length - done, offset + done);
            if (n > 0) {
                done += n;
            } else if (n == 0) {
                return Errno.EIO;
            } else {
                int errno = Posix.errno();
                if (errno != Errno.EINTR) {
                    return errno;
                }
            }
        }
        return 0;
    }

    /** Reads until length or the file's end; how many bytes, or a negative errno. */
    static long read(int fd, long address, long offset, long length) {
        long done = 0;
        while (done < length) {
            long n = Posix.pread(fd, address + done, length - done, offset + done);
            if (n > 0) {
                done += n;
            } else if (n == 0) {
                break;
            } else {
                int errno = Posix.errno();
                if (errno != Errno.EINTR) {
                    return -errno;
                }
            }
        }
        return done;
    }
}
