package org.archipelago.peer.endpoint;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A {@code struct msghdr} with its {@code struct iovec}s in native memory, for sendmsg and recvmsg.
 * One serves all connections of a reactor: it is filled and used in one go.
 *
 * <pre>
 *    0 +------------------+  struct msghdr (x86-64): name, name length, iovec, count, control, ...
 *   64 +------------------+
 *      | address | length |  iovec 0
 *   80 +------------------+
 *      | ...              |
 * </pre>
 */
final class MessageVector {
    private static final int IOVEC = 16;
    private static final int COUNT = 24;
    private static final int FIRST = 64;
    private static final int ENTRY = 16;

    private final Memory memory;
    private final ByteBuffer words;
    private final long address;
    private final int most;
    private int count;
    private long bytes;

    /** @param most entries, at most 1024 (IOV_MAX) */
    MessageVector(int most) {
        this.most = most;
        this.memory = new Memory(FIRST + (long) most * ENTRY);
        memory.clear();
        this.address = Pointer.nativeValue(memory);
        this.words = memory.getByteBuffer(0, memory.size()).order(ByteOrder.LITTLE_ENDIAN);
        words.putLong(IOVEC, address + FIRST);
    }

    void clear() {
        count = 0;
        bytes = 0;
    }

    /** Entries that can be added. */
    int room() {
        return most - count;
    }

    long bytes() {
        return bytes;
    }

    void add(long at, long length) {
        int entry = FIRST + count * ENTRY;
        words.putLong(entry, at);
        words.putLong(entry + 8, length);
        count++;
        bytes += length;
    }

    /** Address of the msghdr, ready for a call. */
    long message() {
        words.putLong(COUNT, count);
        return address;
    }
}
