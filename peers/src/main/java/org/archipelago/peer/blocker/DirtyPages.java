package org.archipelago.peer.blocker;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import org.archipelago.posix.Posix;

/**
 * How far the page cache is from where the kernel makes writers wait for the disk: midway between its
 * two thresholds for pages that are not written back. Reads {@code /proc/vmstat}, so not for reactors.
 * Thread-safe. A control group may have lower limits, which this does not know of.
 */
final class DirtyPages {
    private static final int ROOM = 32 << 10;

    private final String path;
    private final Memory memory = new Memory(ROOM);
    private final byte[] text = new byte[ROOM];
    private volatile boolean pretended;

    /** @param path of a file as {@code /proc/vmstat} is: lines of a name, a space and a number of pages */
    DirtyPages(String path) {
        this.path = path;
    }

    /** Whether writers will soon have to wait: an eighth of the way is left. False where that cannot be known. */
    synchronized boolean nearlyTooMany() {
        if (pretended) {
            return true;
        }
        int fd = FileCalls.open(path, Posix.O_RDONLY, 0);
        if (fd < 0) {
            return false;
        }
        long length = FileCalls.read(fd, Pointer.nativeValue(memory), 0, ROOM);
        FileCalls.close(fd);
        if (length <= 0) {
            return false;
        }
        memory.read(0, text, 0, (int) length);
        String stat = new String(text, 0, (int) length, StandardCharsets.US_ASCII);
        long dirty = number(stat, "nr_dirty ") + number(stat, "nr_writeback ");
        long waitingAt = (number(stat, "nr_dirty_threshold ") + number(stat, "nr_dirty_background_threshold ")) / 2;
        return waitingAt > 0 && dirty > waitingAt - waitingAt / 8;
    }

    /** For tests: as if there were. */
    void pretend(boolean tooMany) {
        pretended = tooMany;
    }

    private static long number(String stat, String name) {
        int at = stat.indexOf("\n" + name) + 1;
        if (at == 0) {
            return 0; // it is never the first line
        }
        long value = 0;
        for (int i = at + name.length(); i < stat.length() && Character.isDigit(stat.charAt(i)); i++) {
            value = 10 * value + stat.charAt(i) - '0';
        }
        return value;
    }
}
