package org.archipelago.peer.blocker;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * Reads that come back instead of waiting for a disk (RWF_NOWAIT), so that a reactor can make them. One
 * for each reactor, for its thread alone; allocates nothing.
 */
final class Nowait {
    /** In Linux 5.9 and 5.10 such a read can give 0 within a file. */
    private static final boolean ZERO_IS_THE_END = !System.getProperty("os.version").matches("5\\.(9|10)([.-].*)?");
    private static final int PAGE_MASK = 4095;
    /** A struct iovec, and a byte to read into. */
    private static final int MEMORY = 24;
    private static final int BYTE_AT = 16;

    private final Memory memory = new Memory(MEMORY);
    private final long iovec = Pointer.nativeValue(memory);
    private final ByteBuffer fields = memory.getByteBuffer(0, MEMORY).order(ByteOrder.LITTLE_ENDIAN);
    private final int flags;

    /** @param inMemory the files lie in memory alone: no read waits for a disk, and the system may not know RWF_NOWAIT */
    Nowait(boolean inMemory) {
        flags = inMemory ? 0 : Posix.RWF_NOWAIT;
    }

    /** Whether a file's system knows them. */
    static boolean isKnown(int fd) {
        Nowait nowait = new Nowait(false);
        return nowait.once(fd, nowait.iovec + BYTE_AT, 0, 1) >= 0 || isWouldWait(Posix.errno());
    }

    private static boolean isWouldWait(int errno) {
        return errno == Errno.EAGAIN || errno == Errno.EINTR;
    }

    /**
     * Reads what is at hand, with zeros past the file's end.
     *
     * @param exact nothing past the file's end is at hand
     * @return how many bytes, less than length where the next ones are not at hand; or a negative errno
     */
    long read(int fd, long address, long offset, long length, boolean exact) {
        long done = 0;
        do {
            long n = once(fd, address + done, offset + done, length - done);
            if (n < 0) {
                int errno = Posix.errno();
                return isWouldWait(errno) ? done : -errno;
            }
            if (n == 0 && done < length) {
                if (exact || !ZERO_IS_THE_END) {
                    return done;
                }
                Posix.memset(address + done, 0, length - done);
                return length;
            }
            done += n;
        } while (done < length);
        return done;
    }

    /** Whether a write to a range can be expected not to read from the disk first, for parts of pages at its ends. */
    boolean isWritable(int fd, long offset, long length) {
        long end = offset + length;
        return ((offset & PAGE_MASK) == 0 || isAtHand(fd, offset)) && ((end & PAGE_MASK) == 0 || isAtHand(fd, end));
    }

    private boolean isAtHand(int fd, long offset) {
        return once(fd, iovec + BYTE_AT, offset & ~PAGE_MASK, 1) >= 0;
    }

    private long once(int fd, long address, long offset, long length) {
        fields.putLong(0, address);
        fields.putLong(8, length);
        return Posix.preadv2(fd, iovec, 1, offset, flags);
    }
}
