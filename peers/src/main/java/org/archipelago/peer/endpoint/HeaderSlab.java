package org.archipelago.peer.endpoint;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Native memory for the headers of replies: places of {@value #SIZE} bytes, each one reply's for good. */
final class HeaderSlab {
    /** More than any header of {@link NbdProtocol} needs; a cache line. */
    static final int SIZE = 64;

    final ByteBuffer bytes;
    final long address;
    private final Memory memory;

    HeaderSlab(int places) {
        memory = new Memory((long) places * SIZE);
        address = Pointer.nativeValue(memory);
        bytes = memory.getByteBuffer(0, memory.size()).order(ByteOrder.BIG_ENDIAN);
    }
}
