package org.archipelago.ext.daemon;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.peer.mapper.NodeIdentity;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * Who this node is: an identity made once in the data folder, and a lock on its file. Whoever has the
 * lock knows that the former daemon of this identity is dead, so that what that one held is its own.
 *
 * <p>The lock is flock(2)'s: a lock of Java's would be lost as soon as anything in the process closes
 * another descriptor of the file.
 */
public final class Identity implements AutoCloseable {
    private static final Pattern ID = Pattern.compile("[0-9a-f]{32}");
    private static final long POLL_MILLIS = 20;
    private static final int SHORT = 8;

    private final String id;
    private final int lock;

    private Identity(String id, int lock) {
        this.id = id;
        this.lock = lock;
    }

    /**
     * Takes the identity, or makes one.
     *
     * @param waitMillis how long another process may still have it
     * @param holder who that is, for the message
     * @throws Failure with BUSY where it is held, DAMAGED where the file holds none
     */
    public static Identity acquire(Path data, long waitMillis, Supplier<String> holder) {
        Path file = file(data);
        try {
            if (!Files.exists(file)) {
                make(file);
            }
            int fd = Posix.open(file.toString(), Posix.O_RDWR | Posix.O_CLOEXEC, 0);
            if (fd < 0) {
                throw new Failure(ExitCode.FAILED, "cannot open the identity " + file + ": " + Errno.text(Posix.errno())
                    + ": run this as root, or as the user that archipelagod runs as");
            }
            if (!lock(fd, waitMillis)) {
                Posix.close(fd);
                throw new Failure(ExitCode.BUSY, "the identity " + file + " is held by " + holder.get());
            }
            return readLocked(file, fd);
        } catch (AccessDeniedException e) {
            throw new Failure(ExitCode.FAILED, "no permission to use the identity " + file + ": run this as root, or as the user that "
                + "archipelagod runs as", e);
        } catch (IOException e) {
            throw new Failure(ExitCode.FAILED, "cannot use the identity " + file + ": " + e, e);
        }
    }

    /** The identity without its lock; empty where there is none yet, or none that can be read. */
    public static Optional<String> peek(Path data) {
        try {
            return Optional.of(read(file(data)));
        } catch (IOException | Failure e) {
            return Optional.empty();
        }
    }

    private static Path file(Path data) {
        return data.resolve("identity");
    }

    /** Two processes may do this at once: the first file stays. */
    private static void make(Path file) throws IOException {
        Files.createDirectories(file.getParent());
        Path own = Files.createTempFile(file.getParent(), "identity.", ".new");
        try (FileChannel out = FileChannel.open(own, StandardOpenOption.WRITE)) {
            String id = UUID.randomUUID().toString().replace("-", "");
            out.write(StandardCharsets.US_ASCII.encode(id + "\n"));
            out.force(true);
        }
        try {
            Files.createLink(file, own);
        } catch (FileAlreadyExistsException e) {
            System.getLogger(Identity.class.getName()).log(System.Logger.Level.DEBUG, "{0} has just been made by another", file);
        } finally {
            Files.delete(own);
        }
    }

    private static boolean lock(int fd, long waitMillis) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(waitMillis);
        try {
            while (Posix.flock(fd, Posix.LOCK_EX | Posix.LOCK_NB) != 0) {
                if (System.nanoTime() - deadline > 0) {
                    return false;
                }
                Thread.sleep(POLL_MILLIS);
            }
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private static Identity readLocked(Path file, int fd) throws IOException {
        try {
            return new Identity(read(file), fd);
        } catch (IOException | Failure e) {
            Posix.close(fd);
            throw e;
        }
    }

    private static String read(Path file) throws IOException {
        String id = Files.readString(file).strip();
        if (!ID.matcher(id).matches()) {
            throw new Failure(ExitCode.DAMAGED, file + " holds no identity of 32 hexadecimal digits: put the right one back, or, if this "
                + "node holds no volume open (vlmc list on another node tells), remove the file and start again");
        }
        return id;
    }

    /** 32 hexadecimal digits. */
    public String id() {
        return id;
    }

    /** The first digits, for names. */
    public String shortId() {
        return shorten(id);
    }

    static String shorten(String id) {
        return id.substring(0, SHORT);
    }

    /** For locks and logs. */
    public NodeIdentity node() {
        return nodeOf(id);
    }

    static NodeIdentity nodeOf(String id) {
        return new NodeIdentity(id, proc("hostname"), proc("random/boot_id").replace("-", ""));
    }

    private static String proc(String name) {
        Path file = Path.of("/proc/sys/kernel").resolve(name);
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new Failure(ExitCode.FAILED, "cannot read " + file + ": is /proc mounted?", e);
        }
    }

    @Override
    public void close() {
        Posix.close(lock);
    }
}
