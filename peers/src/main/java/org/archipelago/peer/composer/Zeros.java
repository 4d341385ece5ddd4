package org.archipelago.peer.composer;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import org.archipelago.posix.Posix;

/** Memory that is zeros, to compare with. */
final class Zeros {
    private static final int LENGTH = 64 << 10;
    private static final Memory MEMORY = new Memory(LENGTH);
    private static final long ADDRESS = Pointer.nativeValue(MEMORY);

    static {
        MEMORY.clear();
    }

    private Zeros() {}

    /** Whether they fill a range of this process's memory; length: bytes. */
    static boolean fill(long address, int length) {
        for (int done = 0; done < length; done += LENGTH) {
            if (Posix.memcmp(address + done, ADDRESS, Math.min(LENGTH, length - done)) != 0) {
                return false;
            }
        }
        return true;
    }
}
