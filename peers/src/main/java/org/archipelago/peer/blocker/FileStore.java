package org.archipelago.peer.blocker;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import org.archipelago.config.FileBlockerRole;
import org.archipelago.peer.host.Reactor;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.Segment;

/**
 * A directory of objects ({@link ObjectPath} draws it) and the threads that work on it: what the
 * {@link FileBlocker}s of a role share. Several processes and nodes may use one directory at a time.
 *
 * <p>The process before this one may have been killed, and what it wrote and did not sync is not known
 * here. So a store begins with one syncfs of its file system, in the background, and until it has
 * ended no sync is answered. Another follows whenever another process, of a composer, asks for it.
 *
 * <p>Thread-safe.
 */
public final class FileStore implements AutoCloseable {
    /** How old a temporary is when its maker counts as dead. */
    private static final long TEMPORARY_MILLIS = TimeUnit.HOURS.toMillis(1);

    /** How the sync of what a former life wrote goes. */
    enum Start { RUNNING, SYNCED, FAILED }

    private final ObjectPath paths;
    private final StoreLog log;
    private final StoreFiles files;
    private final ObjectIo io;
    private final WorkerPool pool;
    private final Closes closes = new Closes();
    private final DirtyPages dirtyPages = new DirtyPages("/proc/vmstat");
    private final int descriptors;
    private final IntSupplier syncAll;
    private final List<FileBlocker> blockers = new CopyOnWriteArrayList<>();
    private volatile Start start = Start.RUNNING;
    private final boolean inMemory;
    private final boolean direct;
    private volatile boolean readsWithoutWaiting;
    private boolean closed;

    private FileStore(String name, ObjectPath paths, StoreMarker marker, StoreLog log, int threads, int descriptors,
            boolean direct, StoreOpening opening, IntSupplier syncAll) {
        this.paths = paths;
        this.log = log;
        this.descriptors = descriptors;
        this.readsWithoutWaiting = opening.readsWithoutWaiting() && !direct;
        this.inMemory = opening.inMemory();
        this.direct = direct;
        this.io = direct ? new DirectIo() : new ObjectIo.Buffered();
        this.files = new StoreFiles(paths, marker, log, io.openFlags());
        this.pool = new WorkerPool(name, threads);
        this.syncAll = syncAll != null ? syncAll : this::syncFileSystem;
    }

    /**
     * Opens a role's store; makes it where the directory is empty.
     *
     * @throws StoreException naming the directory and what to do
     */
    public static FileStore open(FileBlockerRole role) {
        return open(role.name(), role.archipDir(), role.nrThreads(), role.fdCache(), role.direct());
    }

    /**
     * The same.
     *
     * @param name the role's
     * @param threads for I/O that would block, at least 1
     * @param descriptors files kept open, shared out among the reactors
     * @param direct past the page cache
     */
    public static FileStore open(String name, Path directory, int threads, int descriptors, boolean direct) {
        return open(name, directory, threads, descriptors, direct, null);
    }

    /** syncAll: instead of syncfs; 0 or an errno; null: syncfs. */
    static FileStore open(String name, Path directory, int threads, int descriptors, boolean direct,
            IntSupplier syncAll) {
        ObjectPath paths = new ObjectPath(directory.toAbsolutePath().normalize());
        StoreLog log = new StoreLog(name + " (" + paths.root() + ")");
        StoreOpening opening = new StoreOpening(name, paths, log);
        StoreMarker marker = opening.open(direct);
        FileStore store = new FileStore(name, paths, marker, log, threads, descriptors, direct,
            opening, syncAll);
        Thread thread = new Thread(() -> store.begin(opening.now()), name + "-start");
        thread.setDaemon(true);
        thread.start();
        return store;
    }

    /**
     * The peer that serves this store on a reactor, the same one for all ports of the role. It closes
     * with the host; the store with the last of them.
     *
     * @param segment that requests come from
     * @param reactors how many there are
     */
    public synchronized FileBlocker blocker(Reactor reactor, Segment segment, int reactors) {
        for (FileBlocker blocker : blockers) {
            if (blocker.reactor() == reactor) {
                return blocker;
            }
        }
        FileBlocker blocker = new FileBlocker(this, reactor, segment, Math.max(2, descriptors / reactors));
        blockers.add(blocker);
        return blocker;
    }

    // --- the start

    private int syncFileSystem() {
        int fd = FileCalls.open(paths.root(), Posix.O_RDONLY | Posix.O_DIRECTORY, 0);
        if (fd < 0) {
            return -fd;
        }
        int errno;
        do {
            errno = Posix.syncfs(fd) == 0 ? 0 : Posix.errno();
        } while (errno == Errno.EINTR);
        FileCalls.close(fd);
        return errno;
    }

    /** Makes durable what anybody has written to the file system: 0 or an errno. Blocks. */
    int syncAll() {
        int errno = syncAll.getAsInt();
        if (StoreLog.isLoss(errno)) {
            start = Start.FAILED; // whatever failed will not be told once more
        }
        return errno;
    }

    private void begin(OptionalLong now) {
        int errno = Errno.EIO;
        try {
            errno = syncAll();
        } catch (RuntimeException | Error e) {
            log.say(Level.ERROR, "a defect in the first sync", e);
        }
        if (errno != 0) {
            log.say(Level.ERROR, "what was written before the start could not be made durable: " + Errno.text(errno)
                + ": every sync is answered with an error until the daemon has been restarted: "
                + StoreLog.hint(Errno.EIO) + ", repair it, check the volumes that were in use, and restart the daemon");
        }
        start = errno == 0 ? Start.SYNCED : Start.FAILED;
        for (FileBlocker blocker : blockers) {
            blocker.reactor().execute(blocker::startEnded);
        }
        now.ifPresent(this::removeTemporaries);
    }

    /** now: by the clock of the file system, which all its users share. */
    private void removeTemporaries(long now) {
        try (DirectoryStream<Path> temporaries = Files.newDirectoryStream(Path.of(paths.temporaries()))) {
            for (Path temporary : temporaries) {
                removeIfOld(temporary, now);
            }
        } catch (IOException | DirectoryIteratorException e) {
            log.say(Level.WARNING, "cannot look for old temporary files: " + e + ": they only take space");
        }
    }

    private void removeIfOld(Path temporary, long now) throws IOException {
        try {
            long age = now - Files.getLastModifiedTime(temporary, LinkOption.NOFOLLOW_LINKS).toMillis();
            if (age > TEMPORARY_MILLIS && Files.isRegularFile(temporary, LinkOption.NOFOLLOW_LINKS)) {
                Files.delete(temporary);
            }
        } catch (NoSuchFileException e) {
            // Its maker, or another node, was faster.
        }
    }

    Start start() {
        return start;
    }

    // --- for the blockers

    StoreFiles files() {
        return files;
    }

    StoreLog log() {
        return log;
    }

    ObjectIo io() {
        return io;
    }

    WorkerPool pool() {
        return pool;
    }

    /** Whether a read can say that it would have to wait; else all reads and writes are the workers'. */
    boolean readsWithoutWaiting() {
        return readsWithoutWaiting;
    }

    /** Whether I/O goes past the page cache, and so in whole blocks. */
    boolean isDirect() {
        return direct;
    }

    /** Whether there is a disk to read from that the kernel can do something else beside. */
    boolean readsFromDisk() {
        return !inMemory && (direct || readsWithoutWaiting);
    }

    /** How a reactor reads without waiting. */
    Nowait nowait() {
        return new Nowait(inMemory);
    }

    /** The file system cannot say it: one of the network, or of an old kernel. */
    void readsAlwaysWait() {
        readsWithoutWaiting = false;
    }

    Closes closes() {
        return closes;
    }

    DirtyPages dirtyPages() {
        return dirtyPages;
    }

    /** Runs something on each reactor that has files of this store open, then, on the last one, done. */
    void onEachReactor(Consumer<FileBlocker> task, Runnable done) {
        List<FileBlocker> all = List.copyOf(blockers);
        AtomicInteger left = new AtomicInteger(all.size());
        for (FileBlocker blocker : all) {
            blocker.reactor().execute(() -> {
                task.accept(blocker);
                if (left.decrementAndGet() == 0) {
                    done.run();
                }
            });
        }
    }

    // --- the end

    /** A blocker will take no more requests; its reactor has ended. */
    void left() {
        if (blockers.stream().allMatch(FileBlocker::isClosed)) {
            close();
        }
    }

    /**
     * Ends the threads; waits at most five seconds for what they have at hand, and lets go of the files
     * then. The reactors must have ended.
     */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        pool.close();
        if (pool.isBusy()) {
            log.say(Level.WARNING, "a call into its file system hangs: it ends with the process");
            return;
        }
        blockers.forEach(FileBlocker::closeFiles);
    }
}
