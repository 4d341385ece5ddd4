package org.archipelago.peer.endpoint;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.UUID;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * A listening Unix socket and its file. The socket is bound under another name and renamed when it
 * listens, so that its path leads at every moment to a server or to the predecessor's socket, which
 * it replaces. For control threads: these calls touch a file system.
 */
final class UnixListener {
    /** Longest path that a client can connect to: sun_path without its NUL. */
    static final int PATH_MAX = 107;
    private static final int BACKLOG = 128;
    private static final int ADDRESS_SIZE = 110;

    private final Path path;
    private final int fd;
    private final Object key;

    private UnixListener(Path path, int fd, Object key) {
        this.path = path;
        this.fd = fd;
        this.key = key;
    }

    /** Throws EndpointException where there can be no socket of that name. */
    static UnixListener open(Path socket) {
        Path path = socket.toAbsolutePath().normalize();
        int length = path.toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > PATH_MAX) {
            throw new EndpointException(Errno.ENAMETOOLONG, "cannot listen on " + path + ": its path has " + length
                + " bytes, a Unix socket's has at most " + PATH_MAX + "; use a shorter folder or volume name");
        }
        Path folder = path.getParent();
        if (folder == null || !Files.isDirectory(folder)) {
            throw new EndpointException(Errno.ENOENT, "cannot listen on " + path + ": its folder does not exist");
        }
        requireReplaceable(path);
        int folderFd = Posix.open(folder.toString(), Posix.O_RDONLY | Posix.O_DIRECTORY | Posix.O_CLOEXEC, 0);
        if (folderFd < 0) {
            throw failure(path, Posix.errno());
        }
        try {
            return open(path, folder, folderFd);
        } finally {
            Posix.close(folderFd);
        }
    }

    private static void requireReplaceable(Path path) {
        try {
            BasicFileAttributes there = Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            if (!there.isOther()) {
                throw new EndpointException(Errno.EEXIST, "cannot listen on " + path
                    + ": there is something that is not a socket; move it away");
            }
        } catch (IOException e) {
            // nothing is there
        }
    }

    private static UnixListener open(Path path, Path folder, int folderFd) {
        String name = temporaryName(path);
        Path temporary = folder.resolve(name);
        int fd = Posix.socket(Posix.AF_UNIX, Posix.SOCK_STREAM | Posix.SOCK_NONBLOCK | Posix.SOCK_CLOEXEC, 0);
        if (fd < 0) {
            throw failure(path, Posix.errno());
        }
        boolean done = false;
        try {
            Files.deleteIfExists(temporary);
            // with the temporary name the path may be longer than a socket's can be: go through the descriptor
            bind(path, fd, "/proc/self/fd/" + folderFd + "/" + name);
            Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rw-rw----"));
            check(path, Posix.listen(fd, BACKLOG));
            Object key = key(temporary);
            check(path, Posix.renameat2(Posix.AT_FDCWD, temporary.toString(), Posix.AT_FDCWD, path.toString(), 0));
            done = true;
            return new UnixListener(path, fd, key);
        } catch (IOException e) {
            throw new EndpointException(Errno.EIO, "cannot listen on " + path + ": " + e);
        } finally {
            if (!done) {
                Posix.close(fd);
                delete(temporary);
            }
        }
    }

    /** Short, and the same each time, so that what a crash left behind is found. */
    private static String temporaryName(Path path) {
        byte[] name = path.getFileName().toString().getBytes(StandardCharsets.UTF_8);
        return ".new-" + UUID.nameUUIDFromBytes(name);
    }

    private static void bind(Path path, int fd, String place) {
        byte[] bytes = place.getBytes(StandardCharsets.US_ASCII);
        try (Memory address = new Memory(ADDRESS_SIZE)) {
            address.clear();
            address.setShort(0, (short) Posix.AF_UNIX);
            address.write(2, bytes, 0, bytes.length);
            check(path, Posix.bind(fd, Pointer.nativeValue(address), ADDRESS_SIZE));
        }
    }

    /** Absolute. */
    Path path() {
        return path;
    }

    /** Non-blocking; whoever takes it closes it. */
    int fd() {
        return fd;
    }

    /** Removes the file, unless another socket has taken its place. */
    void removeFile() {
        if (key.equals(key(path))) {
            delete(path);
        }
    }

    /** Takes back what {@link #open} did; for one whose descriptor nobody took. */
    void discard() {
        removeFile();
        Posix.close(fd);
    }

    private static Object key(Path path) {
        try {
            Object key = Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).fileKey();
            return key == null ? path : key;
        } catch (IOException e) {
            return new Object(); // equal to no other
        }
    }

    private static void delete(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            System.getLogger(NbdEndpoint.class.getName())
                .log(System.Logger.Level.WARNING, "cannot remove socket {0}: {1}", path, e);
        }
    }

    private static void check(Path path, int result) {
        if (result < 0) {
            throw failure(path, Posix.errno());
        }
    }

    private static EndpointException failure(Path path, int errno) {
        return new EndpointException(errno, "cannot listen on " + path + ": " + Errno.text(errno));
    }
}
