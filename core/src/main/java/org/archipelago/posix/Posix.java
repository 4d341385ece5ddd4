package org.archipelago.posix;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import java.util.Map;

/**
 * The Linux calls that Java has no equal for, mapped directly: about 100 ns each, no allocation with
 * primitive arguments. Buffers are native addresses. Each call returns what its manual page says;
 * after a negative result {@link #errno()} tells why, on the same thread.
 *
 * <p>Layouts and constants are those of Linux on x86-64.
 */
public final class Posix {
    public static final int O_RDONLY = 0;
    public static final int O_RDWR = 02;
    public static final int O_CREAT = 0100;
    public static final int O_EXCL = 0200;
    public static final int O_DIRECT = 040000;
    public static final int O_DIRECTORY = 0200000;
    public static final int O_NOFOLLOW = 0400000;
    public static final int O_CLOEXEC = 02000000;

    public static final int RWF_NOWAIT = 8;

    public static final int FALLOC_FL_KEEP_SIZE = 1;
    public static final int FALLOC_FL_PUNCH_HOLE = 2;

    public static final int LOCK_EX = 2;
    public static final int LOCK_NB = 4;

    public static final int RENAME_NOREPLACE = 1;
    public static final int AT_FDCWD = -100;

    public static final int AF_UNIX = 1;
    public static final int SOCK_STREAM = 1;
    public static final int SOCK_NONBLOCK = 04000;
    public static final int SOCK_CLOEXEC = 02000000;
    public static final int SOL_SOCKET = 1;
    public static final int SO_SNDBUF = 7;
    public static final int SO_RCVBUF = 8;
    public static final int MSG_DONTWAIT = 0x40;
    public static final int MSG_NOSIGNAL = 0x4000;

    public static final int EFD_NONBLOCK = 04000;
    public static final int EFD_CLOEXEC = 02000000;

    public static final int EPOLLIN = 1;
    public static final int EPOLLOUT = 4;
    public static final int EPOLLERR = 8;
    public static final int EPOLLHUP = 0x10;
    public static final int EPOLL_CTL_ADD = 1;
    public static final int EPOLL_CTL_DEL = 2;
    public static final int EPOLL_CTL_MOD = 3;
    public static final int EPOLL_CLOEXEC = 02000000;

    public static final int PROT_READ = 1;
    public static final int PROT_WRITE = 2;
    public static final int MAP_SHARED = 1;
    public static final int MAP_POPULATE = 0x8000;
    public static final long MAP_FAILED = -1;
    public static final int MCL_CURRENT = 1;
    public static final int MCL_FUTURE = 2;
    public static final int MCL_ONFAULT = 4;

    public static final int PR_SET_IO_FLUSHER = 57;
    public static final int RLIMIT_MEMLOCK = 8;
    public static final long RLIM_INFINITY = -1;

    static {
        Native.register(Posix.class, NativeLibrary.getInstance("c", Map.of(Library.OPTION_STRING_ENCODING, "UTF-8")));
    }

    private Posix() {}

    /** The reason of this thread's last failed call. */
    public static int errno() {
        return Native.getLastError();
    }

    // files (paths: UTF-8)
    public static native int open(String path, int flags, int mode);

    public static native int close(int fd);

    public static native long pread(int fd, long buffer, long count, long offset);

    public static native long pwrite(int fd, long buffer, long count, long offset);

    /** iovec: pairs of (address, length), 8 bytes each. */
    public static native long preadv2(int fd, long iovec, int count, long offset, int flags);

    public static native long lseek(int fd, long offset, int whence);

    public static native int fsync(int fd);

    public static native int fdatasync(int fd);

    public static native int syncfs(int fd);

    public static native int fallocate(int fd, int mode, long offset, long length);

    public static native int ftruncate(int fd, long length);

    /** A lock of the open file, not of the process: another descriptor of the file leaves it alone. */
    public static native int flock(int fd, int operation);

    public static native int renameat2(int fromDirectory, String from, int toDirectory, String to, int flags);

    // sockets
    public static native int socket(int domain, int type, int protocol);

    public static native int bind(int fd, long address, int length);

    public static native int listen(int fd, int backlog);

    public static native int accept4(int fd, long address, long length, int flags);

    public static native int setsockopt(int fd, int level, int name, long value, int length);

    public static native long recv(int fd, long buffer, long count, int flags);

    public static native long send(int fd, long buffer, long count, int flags);

    /** message: struct msghdr. */
    public static native long sendmsg(int fd, long message, int flags);

    /** message: struct msghdr. */
    public static native long recvmsg(int fd, long message, int flags);

    // events
    public static native int epoll_create1(int flags);

    /** event: struct epoll_event, packed: u32 events, u64 data. */
    public static native int epoll_ctl(int epoll, int operation, int fd, long event);

    public static native int epoll_wait(int epoll, long events, int max, int timeoutMillis);

    public static native int eventfd(int initial, int flags);

    public static native long read(int fd, long buffer, long count);

    public static native long write(int fd, long buffer, long count);

    // memory
    public static native long memset(long address, int value, long count);

    public static native int memcmp(long a, long b, long count);

    public static native long memcpy(long to, long from, long count);

    /** {@link #MAP_FAILED} where it fails. */
    public static native long mmap(long address, long length, int protection, int flags, int fd, long offset);

    public static native int munmap(long address, long length);

    public static native int mlockall(int flags);

    // processes
    public static native int prctl(int option, long second, long third, long fourth, long fifth);

    /** Limits: struct rlimit, u64 soft, u64 hard; the new or the old one may be 0. */
    public static native int prlimit(int pid, int resource, long newLimit, long oldLimit);

    /** A system call that the C library has no function for. */
    public static native long syscall(long number, long first, long second, long third, long fourth, long fifth, long sixth);

    public static native int umask(int mask);

    public static native int geteuid();
}
