package org.archipelago.peer.blocker;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;

/** Memory of one worker for I/O that needs aligned buffers; for that thread alone. */
final class Scratch {
    /** Bytes of the buffer; a multiple of {@link #ALIGNMENT}. */
    static final int SIZE = 256 << 10;
    /** What addresses, offsets and lengths of direct I/O are multiples of. */
    static final int ALIGNMENT = 4096;

    private Memory memory;
    private long address;

    /** Where the buffer begins. */
    long address() {
        if (memory == null) {
            memory = new Memory(SIZE + ALIGNMENT);
            address = (Pointer.nativeValue(memory) + ALIGNMENT - 1) & -ALIGNMENT;
        }
        return address;
    }
}
