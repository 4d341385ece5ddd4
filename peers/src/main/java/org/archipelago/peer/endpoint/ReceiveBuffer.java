package org.archipelago.peer.endpoint;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.archipelago.posix.Posix;

/**
 * What a connection received and has not yet looked at: the bytes from {@link #start} to
 * {@link #end} of native memory. Large, so that one call takes many requests; the pages that no
 * client's bytes ever reach cost nothing.
 */
final class ReceiveBuffer {
    static final int SIZE = 64 << 10;

    final ByteBuffer bytes;
    int start;
    int end;
    private final Memory memory = new Memory(SIZE);
    private final long address = Pointer.nativeValue(memory);

    ReceiveBuffer() {
        bytes = memory.getByteBuffer(0, SIZE).order(ByteOrder.BIG_ENDIAN);
    }

    int available() {
        return end - start;
    }

    void clear() {
        start = 0;
        end = 0;
    }

    /** How much the next call can take; makes it as much as possible by moving what is left to the front. */
    int makeRoom() {
        if (start == end) {
            clear();
        } else if (start > 0) {
            for (int i = start; i < end; i++) {
                bytes.put(i - start, bytes.get(i));
            }
            end -= start;
            start = 0;
        }
        return SIZE - end;
    }

    /** recv(2) behind what is there; most: not more than {@link #makeRoom} said. */
    long receive(int fd, int most) {
        long got = Posix.recv(fd, address + end, most, 0);
        if (got > 0) {
            end += (int) got;
        }
        return got;
    }

    /**
     * recvmsg(2) straight to where it belongs and, what is beyond that, into this buffer, which must
     * be empty.
     *
     * @param beyond most bytes for this buffer
     */
    long receive(int fd, MessageVector vector, long to, int length, int beyond) {
        vector.clear();
        vector.add(to, length);
        vector.add(address, beyond);
        clear();
        long got = Posix.recvmsg(fd, vector.message(), 0);
        if (got > length) {
            end = (int) (got - length);
        }
        return got;
    }
}
