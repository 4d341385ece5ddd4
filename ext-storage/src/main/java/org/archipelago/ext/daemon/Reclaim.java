package org.archipelago.ext.daemon;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import org.archipelago.config.Configuration;
import org.archipelago.config.EndpointSettings.Device;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * The kernel, short of memory, writes dirty pages of a volume's device to make room, and waits for the daemon that serves
 * the device. So the daemon must not wait for that room: its memory is not swapped out, and what the kernel allocates for
 * it causes no such writes (PR_SET_IO_FLUSHER).
 *
 * <pre>
 *                          set by                      reaches
 *  I/O flusher             root, before the start      what the thread starts, over fork, exec and a change of the user;
 *                                                      all threads of those
 *  RLIMIT_MEMLOCK          root, before the start      the same
 *  mlockall                the daemon itself           its own memory alone: exec ends it
 * </pre>
 */
final class Reclaim {
    private static final System.Logger LOG = System.getLogger(Reclaim.class.getName());
    private static final Path STAT = Path.of("/proc/thread-self/stat");
    /** PF_MEMALLOC_NOIO of the kernel's task flags, the 9th field. */
    private static final long NO_IO = 0x80000;
    private static final int FLAGS_AFTER_NAME = 6;

    private Reclaim() {}

    /** Whether the kernel may wait for the daemon, through a block device. */
    static boolean wanted(Configuration configuration) {
        return configuration.endpoint().device() != Device.NONE;
    }

    /** Gives what this thread starts from now on the right to {@link #holdMemory}, where this process may. */
    static void prepareChildren() {
        Posix.prctl(Posix.PR_SET_IO_FLUSHER, 1, 0, 0, 0);
        try (Memory limit = new Memory(16)) {
            limit.setLong(0, Posix.RLIM_INFINITY);
            limit.setLong(8, Posix.RLIM_INFINITY);
            Posix.prlimit(0, Posix.RLIMIT_MEMLOCK, Pointer.nativeValue(limit), 0);
        }
    }

    /**
     * Where volumes are block devices: keeps all memory of this process that is or will be in use from being swapped out, and
     * tells the log what it lacks. Not with a limit: then what is mapped later could fail.
     */
    static void holdMemory(Configuration configuration) {
        if (!wanted(configuration)) {
            return;
        }
        int result = limited() ? -1 : Posix.mlockall(Posix.MCL_CURRENT | Posix.MCL_FUTURE | Posix.MCL_ONFAULT);
        String locked = result == 0 ? "" : limited() ? "memory is not locked (RLIMIT_MEMLOCK is not unlimited)"
            : "memory is not locked (" + Errno.text(Posix.errno()) + ")";
        String flusher = isIoFlusher() ? "" : "it is no I/O flusher";
        if (locked.isEmpty() && flusher.isEmpty()) {
            LOG.log(Level.INFO, "memory is locked, I/O flusher");
        } else {
            LOG.log(Level.WARNING, "{0}: do not swap to a volume of this node (archipelago start, as root with CAP_SYS_RESOURCE, gives both)",
                locked.isEmpty() || flusher.isEmpty() ? locked + flusher : locked + ", " + flusher);
        }
    }

    private static boolean limited() {
        try (Memory limit = new Memory(16)) {
            return Posix.prlimit(0, Posix.RLIMIT_MEMLOCK, 0, Pointer.nativeValue(limit)) != 0
                || limit.getLong(0) != Posix.RLIM_INFINITY;
        }
    }

    /** Of this thread; prctl tells it to root alone. */
    static boolean isIoFlusher() {
        try {
            String stat = Files.readString(STAT);
            return (Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[FLAGS_AFTER_NAME]) & NO_IO) != 0;
        } catch (IOException e) {
            return false;
        }
    }
}
