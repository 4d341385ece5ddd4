package org.archipelago.peer.blocker;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.IntUnaryOperator;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * The names of a store's objects: opens, makes, replaces, renames and removes them, and makes those
 * changes durable. Safe among several processes and nodes that share the directory: what becomes an
 * object is written under a name of its own first, and linked or renamed. Thread-safe; blocks.
 *
 * <p>Methods throw {@link StoreException}, or return a negative errno where they say so.
 */
final class StoreFiles {
    private static final int FILE_MODE = 0640;
    private static final int DIRECTORY_MODE = 0750;
    /** How often others may make and remove a name under our hands before that is an error. */
    private static final int ATTEMPTS = 8;
    /** In {@link #durable}: names that were made are lost, and it can not be told which. */
    private static final long LOST = Long.MAX_VALUE;

    private final ObjectPath paths;
    private final OriginalPlaces originals;
    private final StoreMarker marker;
    private final StoreLog log;
    private final int openFlags;
    private final String unique;
    private final AtomicLong temporaries = new AtomicLong();
    /** For each bucket: how many names were made there, and how many of these are durable. */
    private final AtomicLongArray made = new AtomicLongArray(ObjectPath.BUCKETS);
    private final AtomicLongArray durable = new AtomicLongArray(ObjectPath.BUCKETS);
    /**
     * Objects of which a sync failed and that were not made anew since: the kernel tells of a failure once, and calls what
     * it lost clean. At most all objects that this process has written.
     */
    private final Set<String> lost = ConcurrentHashMap.newKeySet();
    private volatile IntUnaryOperator syncContents = FileCalls::fdatasync;
    /** Buckets that may have been made and are not durable yet. */
    private final AtomicInteger bucketsInTheMaking = new AtomicInteger();

    /** @param openFlags to open objects with */
    StoreFiles(ObjectPath paths, StoreMarker marker, StoreLog log, int openFlags) {
        this.paths = paths;
        this.originals = marker.isOriginal() ? new OriginalPlaces(paths.root()) : OriginalPlaces.NONE;
        this.marker = marker;
        this.log = log;
        this.openFlags = openFlags;
        this.unique = unique();
    }

    /** A name for temporary files that no other process has. */
    static String unique() {
        return HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
    }

    ObjectPath paths() {
        return paths;
    }

    /** The objects that the original left; their names are taken. */
    OriginalPlaces originals() {
        return originals;
    }

    // --- opening

    /**
     * Opens an object for reading and writing; for reading alone where the file system is read-only, or the object the
     * original's.
     *
     * @param make makes it where it is absent
     * @param size of one that is made: zeros, which nobody finds before they are all there
     * @return a descriptor, the caller's to close; or a negative errno: ENOENT, EIO where the store is not there, EROFS where the
     *     object is the original's and make is set
     */
    int open(String name, boolean make, long size) {
        String path = paths.object(name);
        for (int i = 0; i < ATTEMPTS; i++) {
            int fd = FileCalls.open(path, openFlags, 0);
            if (fd == -Errno.EROFS) {
                fd = FileCalls.open(path, openFlags & ~Posix.O_RDWR, 0);
            }
            if (fd != -Errno.ENOENT && fd != -FileCalls.ENOTDIR) {
                return fd;
            }
            if (!isThere() || fd == -FileCalls.ENOTDIR) {
                return -Errno.EIO;
            }
            int original = openOriginal(name, make);
            if (original != -Errno.ENOENT || !make) {
                return original;
            }
            fd = size == 0 ? FileCalls.open(path, openFlags | Posix.O_CREAT | Posix.O_EXCL, FILE_MODE) : make(path, size);
            if (fd >= 0) {
                made.incrementAndGet(ObjectPath.bucket(name));
                return fd;
            }
            if (fd == -Errno.ENOENT) {
                int errno = makeBucket(ObjectPath.bucket(name));
                if (errno != 0) {
                    return -errno;
                }
            } else if (fd != -Errno.EEXIST) {
                return fd;
            }
        }
        return -Errno.EIO;
    }

    private int openOriginal(String name, boolean make) {
        int fd = originals.open(name, openFlags & ~Posix.O_RDWR);
        if (make && fd >= 0) {
            FileCalls.close(fd);
            return -Errno.EROFS;
        }
        return fd;
    }

    /** Makes a file of a size under another name first: whatever crashes, none is shorter. As {@link FileCalls#open}. */
    private int make(String path, long size) {
        String temporary = temporary();
        int fd = openTemporary(temporary, openFlags);
        if (fd < 0) {
            return fd == -Errno.ENOENT ? -Errno.EIO : fd;
        }
        int errno = Posix.ftruncate(fd, size) == 0 ? renameOnce(temporary, path) : Posix.errno();
        if (errno != 0) {
            FileCalls.close(fd);
            FileCalls.unlink(temporary);
            return -errno;
        }
        return fd;
    }

    /** Whether the store is there; says so in the log if it is not. */
    boolean isThere() {
        if (marker.isThere()) {
            return true;
        }
        log.say(Level.ERROR, "it has gone: the marker " + paths.marker()
            + " is missing or another store's; mount the store there again, or restart the daemon for the other store");
        return false;
    }

    // --- making durable

    /**
     * Makes an object's contents durable, and its name. Once that has failed it goes on failing, with EIO, since what was
     * lost is not known.
     *
     * @param giveUp goes on with what is there: what was lost is lost, and reads show it
     * @return 0 or an errno
     */
    int sync(int fd, String name, boolean giveUp) {
        boolean wasLost = !lost.isEmpty() && lost.contains(name);
        if (wasLost && !giveUp) {
            return Errno.EIO;
        }
        int errno = syncOnce(fd, ObjectPath.bucket(name));
        if (StoreLog.isLoss(errno)) {
            lose(name, "sync", errno);
        }
        if (errno == 0 && wasLost) {
            FileCalls.posix_fadvise(fd, 0, 0, FileCalls.POSIX_FADV_DONTNEED);
            lost.remove(name);
            log.say(Level.WARNING, "object " + name + " is used as it is on the disk: what could not be made durable is given up");
        }
        return errno;
    }

    /** What was written to an object since its last sync may be lost, since something failed. */
    void lose(String name, String what, int errno) {
        if (lost.add(name)) {
            log.say(Level.ERROR, what + " of object " + name + " failed: " + Errno.text(errno) + ": what was written to it since"
                + " its last sync may be lost, so flushes of its volume fail until that has been closed, which takes two"
                + " attempts, and opened again; before, " + StoreLog.hint(Errno.EIO));
        }
    }

    private int syncOnce(int fd, int bucket) {
        if (made.get(bucket) == durable.get(bucket) && bucketsInTheMaking.get() == 0) {
            return syncContents.applyAsInt(fd);
        }
        int errno = FileCalls.fsync(fd);
        return errno != 0 ? errno : syncNames(bucket);
    }

    /** How many objects' syncs have failed. */
    int lost() {
        return lost.size();
    }

    /** For tests: as on a disk that fails. */
    void syncWith(IntUnaryOperator sync) {
        syncContents = sync;
    }

    private int syncNames(int bucket) {
        if (durable.get(bucket) == LOST) {
            return Errno.EIO;
        }
        long before = made.get(bucket);
        int errno = FileCalls.fsyncDirectory(paths.bucket(bucket));
        if (errno == 0 && bucketsInTheMaking.get() > 0) {
            errno = FileCalls.fsyncDirectory(paths.root());
        }
        if (errno == 0) {
            durable.accumulateAndGet(bucket, before, Math::max);
        } else {
            namesFailed(bucket, errno);
        }
        return present(errno);
    }

    private void namesFailed(int bucket, int errno) {
        if (StoreLog.isLoss(errno) && durable.getAndSet(bucket, LOST) != LOST) {
            log.say(Level.ERROR, "a sync of directory " + paths.bucket(bucket) + " failed: " + Errno.text(errno)
                + ": names in it may be lost, so every sync there fails until the daemon has been restarted: "
                + StoreLog.hint(Errno.EIO));
        }
    }

    /** Makes a bucket, durably; one that exists is fine. 0 or an errno. */
    private int makeBucket(int bucket) {
        if (!isThere()) {
            return Errno.EIO;
        }
        bucketsInTheMaking.incrementAndGet();
        boolean done = false;
        try {
            int errno = makeDirectory(paths.bucket(bucket));
            if (errno != 0 && errno != Errno.EEXIST) {
                done = true;
                return present(errno);
            }
            errno = FileCalls.fsyncDirectory(paths.root());
            done = errno == 0;
            if (!done) {
                namesFailed(bucket, errno);
            }
            return present(errno);
        } finally {
            if (done) {
                bucketsInTheMaking.decrementAndGet(); // else each sync tries again, from now on
            }
        }
    }

    // --- whole objects

    /** Bytes. */
    long size(String name) {
        int fd = open(name, false, 0);
        if (fd < 0) {
            throw failure(-fd, "cannot look at", name);
        }
        try {
            long size = Posix.lseek(fd, 0, FileCalls.SEEK_END);
            if (size < 0) {
                throw failure(Posix.errno(), "cannot look at", name);
            }
            return size;
        } finally {
            FileCalls.close(fd);
        }
    }

    /** Makes an object of length bytes at an address of this process. EEXIST. */
    void create(String name, long address, long length) {
        refuseOriginal(Errno.EEXIST, "cannot create", name);
        String temporary = write(name, address, length);
        try {
            linkAs(temporary, name);
        } finally {
            FileCalls.unlink(temporary);
        }
        lost.remove(name);
        syncAfter("cannot create", name);
    }

    private void linkAs(String temporary, String name) {
        String path = paths.object(name);
        for (int i = 0; ; i++) {
            if (FileCalls.link(temporary, path) == 0) {
                return;
            }
            int errno = Posix.errno();
            if (errno == Errno.EEXIST && isLinked(temporary)) {
                return; // a file server that did it twice
            }
            if (errno == Errno.EPERM || errno == Errno.EOPNOTSUPP || errno == Errno.ENOSYS) {
                errno = rename(temporary, path, Posix.RENAME_NOREPLACE); // no hard links there
                if (errno == 0) {
                    return;
                }
            }
            if (errno != Errno.ENOENT || i > 0) {
                throw failure(present(errno), "cannot create", name);
            }
            makeBucketFor("cannot create", name);
        }
    }

    private static boolean isLinked(String temporary) {
        try {
            return (int) Files.getAttribute(Path.of(temporary), "unix:nlink", LinkOption.NOFOLLOW_LINKS) > 1;
        } catch (java.io.IOException e) {
            return false;
        }
    }

    /** Replaces an object, or makes it: at any crash there is the old one or the new one. */
    void put(String name, long address, long length) {
        refuseOriginal(Errno.EROFS, "cannot replace", name);
        String temporary = write(name, address, length);
        int errno = rename(temporary, paths.object(name), 0);
        if (errno == Errno.ENOENT) {
            try {
                makeBucketFor("cannot replace", name);
                errno = rename(temporary, paths.object(name), 0);
            } catch (StoreException e) {
                FileCalls.unlink(temporary);
                throw e;
            }
        }
        if (errno != 0) {
            FileCalls.unlink(temporary);
            throw failure(present(errno), "cannot replace", name);
        }
        lost.remove(name);
        syncAfter("cannot replace", name);
    }

    private void refuseOriginal(int errno, String what, String name) {
        if (originals.has(name)) {
            throw new StoreException(errno, what + " object " + name + " of the store in " + paths.root()
                + ": the original Archipelago has made an object of this name, and what it made is never changed");
        }
    }

    /** ENOENT. lazily: not durably. */
    void delete(String name, boolean lazily) {
        if (FileCalls.unlink(paths.object(name)) != 0) {
            throw failure(absent(Posix.errno()), "cannot delete", name);
        }
        lost.remove(name);
        if (!lazily) {
            syncAfter("cannot delete", name);
        }
    }

    /**
     * ENOENT, EEXIST. Atomic where the file system can rename without replacing; elsewhere (NFS) a crash
     * can leave both names, and the next try ends it.
     */
    void rename(String from, String to) {
        String what = "cannot rename " + from + " to";
        refuseOriginal(Errno.EEXIST, what, to);
        String source = paths.object(from);
        String target = paths.object(to);
        int errno = renameOnce(source, target);
        if (errno == Errno.ENOENT && Files.exists(Path.of(source), LinkOption.NOFOLLOW_LINKS)) {
            makeBucketFor(what, to);
            errno = renameOnce(source, target);
        }
        if (errno != 0) {
            throw failure(absent(errno), what, to);
        }
        syncAfter(what, to);
        syncAfter(what, from);
    }

    /** Of paths; 0 or an errno: EEXIST. */
    private static int renameOnce(String source, String target) {
        int errno = rename(source, target, Posix.RENAME_NOREPLACE);
        if (errno != Errno.EINVAL && errno != Errno.ENOSYS && errno != Errno.EOPNOTSUPP) {
            return errno;
        }
        if (FileCalls.link(source, target) != 0) {
            errno = Posix.errno();
            if (errno != Errno.EEXIST || source.equals(target) || !isSame(source, target)) {
                return errno;
            }
        }
        return FileCalls.unlink(source) == 0 ? 0 : Posix.errno();
    }

    private static boolean isSame(String a, String b) {
        try {
            return Files.isSameFile(Path.of(a), Path.of(b));
        } catch (java.io.IOException e) {
            return false;
        }
    }

    private static int rename(String from, String to, int flags) {
        return Posix.renameat2(Posix.AT_FDCWD, from, Posix.AT_FDCWD, to, flags) == 0 ? 0 : Posix.errno();
    }

    private String temporary() {
        return paths.temporary(unique + "-" + temporaries.incrementAndGet());
    }

    /** A descriptor of a new temporary file, or a negative errno. */
    private int openTemporary(String path, int flags) {
        int fd = FileCalls.open(path, flags | Posix.O_CREAT | Posix.O_EXCL, FILE_MODE);
        if (fd == -Errno.ENOENT && isThere()) {
            FileCalls.mkdir(paths.temporaries(), DIRECTORY_MODE);
            fd = FileCalls.open(path, flags | Posix.O_CREAT | Posix.O_EXCL, FILE_MODE);
        }
        return fd;
    }

    /** A new temporary file with these bytes, durable; name: of the object that it is for. */
    private String write(String name, long address, long length) {
        String path = temporary();
        int fd = openTemporary(path, Posix.O_RDWR | Posix.O_NOFOLLOW);
        int errno = fd < 0 ? -fd : fill(fd, path, address, length);
        if (errno != 0) {
            throw failure(present(errno), "cannot write", name);
        }
        return path;
    }

    /** Makes a file durable under a name that was free; leaves none after a failure. 0 or an errno. */
    static int writeFile(String path, long address, long length) {
        int fd = FileCalls.open(path, Posix.O_RDWR | Posix.O_CREAT | Posix.O_EXCL | Posix.O_NOFOLLOW, FILE_MODE);
        return fd < 0 ? -fd : fill(fd, path, address, length);
    }

    private static int fill(int fd, String path, long address, long length) {
        int errno = FileCalls.write(fd, address, 0, length);
        if (errno == 0) {
            errno = FileCalls.fsync(fd);
        }
        int closed = FileCalls.close(fd);
        if (errno == 0) {
            errno = closed;
        }
        if (errno != 0) {
            FileCalls.unlink(path);
        }
        return errno;
    }

    /** The same for bytes of the heap. */
    static int writeFile(String path, byte[] contents) {
        try (Memory memory = new Memory(Math.max(1, contents.length))) {
            memory.write(0, contents, 0, contents.length);
            return writeFile(path, Pointer.nativeValue(memory), contents.length);
        }
    }

    static int makeDirectory(String path) {
        return FileCalls.mkdir(path, DIRECTORY_MODE) == 0 ? 0 : Posix.errno();
    }

    private void makeBucketFor(String what, String name) {
        int errno = makeBucket(ObjectPath.bucket(name));
        if (errno != 0) {
            throw failure(errno, what, name);
        }
    }

    private void syncAfter(String what, String name) {
        int errno = syncNames(ObjectPath.bucket(name));
        if (errno != 0) {
            throw failure(errno, what + " durably", name);
        }
    }

    /** What a missing name means: ENOENT, or EIO where the whole store is missing. */
    private int absent(int errno) {
        return errno == Errno.ENOENT && !isThere() ? Errno.EIO : errno;
    }

    /** For what the store itself must have: its absence is a fault. */
    private static int present(int errno) {
        return errno == Errno.ENOENT || errno == FileCalls.ENOTDIR ? Errno.EIO : errno;
    }

    private StoreException failure(int errno, String what, String name) {
        StoreException e = StoreException.of(errno, what + " object " + name + " of the store in " + paths.root());
        if (StoreLog.isStoresFault(errno)) {
            log.say(Level.ERROR, e.getMessage());
        }
        return e;
    }
}
