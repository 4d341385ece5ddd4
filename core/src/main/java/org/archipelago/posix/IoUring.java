package org.archipelago.posix;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * Reads of files that go on while the thread does something else (io_uring(7), Linux 5.6 and later).
 * What is queued begins with the next {@link #submit}, all in one system call, and ends in any order.
 *
 * <pre>
 *   ring, shared with the kernel           submission entry, 64 bytes      completion, 16 bytes
 *   +---------------------------+          +------+------+--------+-----+   +----------------+
 *   | head, tail, mask ...  (u32)|          |op u8 |flags | ioprio | fd  |   | user data  u64 |
 *   | array: index of an entry   |          +------+------+--------+-----+   +--------+-------+
 *   +---------------------------+          | offset in the file    u64  |   | result | flags |
 *   | completions                |          | address               u64  |   +--------+-------+
 *   +---------------------------+          | length u32 | op flags  u32 |
 *                                           | user data             u64  |
 *                                           | 0 ...                      |
 *                                           +----------------------------+
 * </pre>
 *
 * Here user data is a number of the caller's, 0 or more. For one thread, always the same. It allocates nothing after
 * construction.
 */
public final class IoUring implements AutoCloseable {
    /** Told how something ended. */
    @FunctionalInterface
    public interface Completion {
        /** result: what read(2) would return, or a negative errno. */
        void completed(int number, int result);
    }

    private static final VarHandle INT = MethodHandles.byteBufferViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final int SYS_SETUP = 425;
    private static final int SYS_ENTER = 426;
    private static final int SYS_REGISTER = 427;
    private static final int REGISTER_EVENTFD = 4;
    private static final int FEAT_SINGLE_MMAP = 1;
    private static final int SETUP_CLAMP = 1 << 4;
    /** Linux 5.19: what ends does not interrupt the thread, which enters the kernel often enough. */
    private static final int SETUP_COOP_TASKRUN = 1 << 8;
    private static final int CQ_EVENTFD_DISABLED = 1;
    private static final long OFF_SQ_RING = 0;
    private static final long OFF_SQES = 0x1000_0000L;
    private static final int OP_READ = 22;
    private static final int SQE = 64;
    private static final int CQE = 16;
    private static final int PARAMS = 120;

    private final int fd;
    private final int eventFd;
    private final int entries;
    private final long ringAddress;
    private final long ringLength;
    private final long entriesAddress;
    private final ByteBuffer ring;
    private final ByteBuffer sqes;
    private final int sqHead;
    private final int sqTail;
    private final int cqHead;
    private final int cqTail;
    private final int cqes;
    private final int cqMask;
    /** Where the kernel looks whether to write to the eventfd; 0 before Linux 5.8. */
    private final int cqFlags;
    private int tail;
    private int queued;

    private IoUring(int fd, int eventFd, ByteBuffer params) {
        this.fd = fd;
        this.eventFd = eventFd;
        this.entries = params.getInt(0);
        int sqArray = params.getInt(64);
        this.sqHead = params.getInt(40);
        this.sqTail = params.getInt(44);
        this.cqHead = params.getInt(80);
        this.cqTail = params.getInt(84);
        this.cqes = params.getInt(100);
        this.ringLength = Math.max(sqArray + 4L * entries, cqes + (long) CQE * params.getInt(4));
        this.ringAddress = map(ringLength, OFF_SQ_RING);
        this.entriesAddress = map((long) SQE * entries, OFF_SQES);
        this.ring = new Pointer(ringAddress).getByteBuffer(0, ringLength).order(ByteOrder.LITTLE_ENDIAN);
        this.sqes = new Pointer(entriesAddress).getByteBuffer(0, (long) SQE * entries).order(ByteOrder.LITTLE_ENDIAN);
        this.cqMask = ring.getInt(params.getInt(88));
        this.cqFlags = params.getInt(104);
        for (int i = 0; i < entries; i++) {
            ring.putInt(sqArray + 4 * i, i);
        }
        this.tail = ring.getInt(sqTail);
    }

    private long map(long length, long offset) {
        long address = Posix.mmap(0, length, Posix.PROT_READ | Posix.PROT_WRITE, Posix.MAP_SHARED | Posix.MAP_POPULATE, fd, offset);
        if (address == Posix.MAP_FAILED) {
            throw new IllegalStateException("mmap of an io_uring: " + Errno.text(Posix.errno()));
        }
        return address;
    }

    /**
     * A new one; empty where the kernel has none or lets this process have none (kernel.io_uring_disabled, a seccomp
     * filter).
     *
     * @param entries most that can be queued at once, a power of two; twice as many can be under way
     */
    public static Optional<IoUring> open(int entries) {
        try (Memory memory = new Memory(PARAMS + 4)) {
            memory.clear();
            long address = Pointer.nativeValue(memory);
            memory.setInt(8, SETUP_CLAMP | SETUP_COOP_TASKRUN);
            int fd = (int) Posix.syscall(SYS_SETUP, entries, address, 0, 0, 0, 0);
            if (fd < 0 && Posix.errno() == Errno.EINVAL) {
                memory.setInt(8, SETUP_CLAMP);
                fd = (int) Posix.syscall(SYS_SETUP, entries, address, 0, 0, 0, 0);
            }
            if (fd < 0) {
                return Optional.empty();
            }
            int eventFd = Posix.eventfd(0, Posix.EFD_NONBLOCK | Posix.EFD_CLOEXEC);
            memory.setInt(PARAMS, eventFd);
            boolean usable = eventFd >= 0 && (memory.getInt(20) & FEAT_SINGLE_MMAP) != 0
                && Posix.syscall(SYS_REGISTER, fd, REGISTER_EVENTFD, address + PARAMS, 1, 0, 0) == 0;
            if (!usable) {
                Posix.close(eventFd);
                Posix.close(fd);
                return Optional.empty();
            }
            return Optional.of(new IoUring(fd, eventFd, memory.getByteBuffer(0, PARAMS).order(ByteOrder.LITTLE_ENDIAN)));
        }
    }

    /** Becomes readable when something has ended; eight bytes at a time are read from it, the caller's task. */
    public int eventFd() {
        return eventFd;
    }

    /** Whether the eventfd is written to: a thread that is awake looks itself. After this, look once more. */
    public void announce(boolean announces) {
        if (cqFlags != 0) {
            INT.setVolatile(ring, cqFlags, announces ? 0 : CQ_EVENTFD_DISABLED);
        }
    }

    /** Most that may be under way at once, so that no completion is ever without a place. */
    public int capacity() {
        return entries;
    }

    /** Queues a read; false where the queue is full: submit first. The memory is the kernel's until it has ended. */
    public boolean read(int file, long address, int length, long offset, int number) {
        if (tail - (int) INT.getAcquire(ring, sqHead) == entries) {
            return false;
        }
        int at = SQE * (tail & (entries - 1));
        sqes.putLong(at, OP_READ); // flags and priority 0; the descriptor follows
        sqes.putInt(at + 4, file);
        sqes.putLong(at + 8, offset);
        sqes.putLong(at + 16, address);
        sqes.putInt(at + 24, length);
        sqes.putInt(at + 28, 0);
        sqes.putLong(at + 32, number);
        sqes.putLong(at + 40, 0);
        sqes.putLong(at + 48, 0);
        sqes.putLong(at + 56, 0);
        tail++;
        queued++;
        INT.setRelease(ring, sqTail, tail);
        return true;
    }

    /** Whether something is queued that has not begun. */
    public boolean hasQueued() {
        return queued > 0;
    }

    /** Lets begin what is queued; 0, or an errno where some of it stays queued: EAGAIN and EBUSY say later. */
    public int submit() {
        while (queued > 0) {
            long begun = Posix.syscall(SYS_ENTER, fd, queued, 0, 0, 0, 0);
            if (begun < 0) {
                int errno = Posix.errno();
                if (errno != Errno.EINTR) {
                    return errno;
                }
            } else {
                queued -= (int) begun;
            }
        }
        return 0;
    }

    /** Tells of all that has ended; how many. */
    public int reap(Completion completion) {
        int head = ring.getInt(cqHead);
        int done = 0;
        while (head != (int) INT.getAcquire(ring, cqTail)) {
            int at = cqes + CQE * (head & cqMask);
            int number = (int) ring.getLong(at);
            int result = ring.getInt(at + 8);
            INT.setRelease(ring, cqHead, ++head);
            completion.completed(number, result);
            done++;
        }
        return done;
    }

    /** What is under way ends some time, and its memory must be there until then. */
    @Override
    public void close() {
        Posix.munmap(entriesAddress, (long) SQE * entries);
        Posix.munmap(ringAddress, ringLength);
        Posix.close(fd);
        Posix.close(eventFd);
    }
}
