package org.archipelago.peer.blocker;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.util.Optional;
import org.archipelago.peer.host.Reactor;
import org.archipelago.posix.Errno;
import org.archipelago.posix.IoUring;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.Request;

/**
 * One reactor's reads that wait for the disk: as many at a time as the disk likes, where workers would be as many as
 * there are of them, and two hand-overs each. Those that one round of the reactor begins go to the kernel together.
 * For the reactor's thread alone; allocates nothing once it is made.
 */
final class DiskReads {
    /** Told how a read ended: result: bytes, or a negative errno. */
    interface Ended {
        void ended(Read read, int result);
    }

    /** A read that is under way, used again and again. */
    static final class Read {
        private final int number;
        Request request;
        Descriptor descriptor;
        int flags;
        /** Of the whole, of which so much had been read when this began. */
        long address;
        long offset;
        long length;
        long done;

        private Read(int number) {
            this.number = number;
        }
    }

    private static final int DEPTH = 256;
    private static final long LONGEST = 1 << 30;

    private final IoUring uring;
    private final Ended ended;
    private final IoUring.Completion completion = this::completed;
    private final Read[] reads;
    private final Read[] free;
    private int freeCount;

    private DiskReads(Reactor reactor, IoUring uring, Ended ended) {
        this.uring = uring;
        this.ended = ended;
        this.reads = new Read[uring.capacity()];
        for (int i = 0; i < reads.length; i++) {
            reads[i] = new Read(i);
        }
        this.free = reads.clone();
        this.freeCount = free.length;
        uring.announce(false);
        Memory count = new Memory(8);
        reactor.watch(uring.eventFd(), Posix.EPOLLIN, events -> Posix.read(uring.eventFd(), Pointer.nativeValue(count), 8));
    }

    /** Before the reactor runs; empty where the kernel has no io_uring for this process. */
    static Optional<DiskReads> open(Reactor reactor, Ended ended) {
        return IoUring.open(DEPTH).map(uring -> new DiskReads(reactor, uring, ended));
    }

    /** Begins, with the next {@link #poll}, what is left of a read; false where too many are under way. */
    boolean begin(Request request, Descriptor d, int flags, long address, long offset, long length, long done) {
        if (freeCount == 0 || length - done > LONGEST) {
            return false;
        }
        Read read = free[freeCount - 1];
        if (!uring.read(d.fd, address + done, (int) (length - done), offset + done, read.number)) {
            return false;
        }
        freeCount--;
        read.request = request;
        read.descriptor = d;
        read.flags = flags;
        read.address = address;
        read.offset = offset;
        read.length = length;
        read.done = done;
        return true;
    }

    /** Begins what is queued and tells of what has ended; how many that was. */
    int poll() {
        if (uring.hasQueued()) {
            int errno = uring.submit();
            if (errno != 0 && errno != Errno.EAGAIN && errno != Errno.EBUSY) {
                throw new IllegalStateException("io_uring_enter: " + Errno.text(errno));
            }
        }
        return uring.reap(completion);
    }

    /** The reactor is about to sleep, and looks once more after this; or it woke up. */
    void announce(boolean sleeps) {
        uring.announce(sleeps);
    }

    private void completed(int number, int result) {
        Read read = reads[number];
        try {
            ended.ended(read, result);
        } finally {
            read.request = null;
            read.descriptor = null;
            free[freeCount++] = read;
        }
    }

    /** When the reactor has ended. */
    void close() {
        uring.close();
    }
}
