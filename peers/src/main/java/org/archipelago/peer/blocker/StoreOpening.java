package org.archipelago.peer.blocker;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.Set;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * Finds out whether a directory is a store that can be used, or makes one of an empty directory, or beside what the original
 * Archipelago has in it.
 */
final class StoreOpening {
    private static final Set<String> MEMORY = Set.of("tmpfs", "ramfs");

    private final String name;
    private final ObjectPath paths;
    private final StoreLog log;
    private boolean readsWithoutWaiting = true;
    private boolean inMemory;
    private OptionalLong now = OptionalLong.empty();

    StoreOpening(String name, ObjectPath paths, StoreLog log) {
        this.name = name;
        this.paths = paths;
        this.log = log;
    }

    /**
     * The time by the clock of the store's file system, in milliseconds since 1970: that of a file that was just made there.
     * Times of its files can be compared with nothing else; this node's clock may be another, or have jumped. Empty where no
     * file could be made.
     */
    OptionalLong now() {
        return now;
    }

    /** Whether its file system knows reads that fail instead of waiting. */
    boolean readsWithoutWaiting() {
        return readsWithoutWaiting;
    }

    /** Whether no disk is behind it. */
    boolean inMemory() {
        return inMemory;
    }

    /**
     * @param direct whether O_DIRECT must work
     * @throws StoreException naming the directory and what to do
     */
    StoreMarker open(boolean direct) {
        Path root = Path.of(paths.root());
        if (!Files.isDirectory(root)) {
            boolean absent = Files.notExists(root);
            throw new StoreException(absent ? Errno.ENOENT : FileCalls.ENOTDIR, "store " + name + ": its directory "
                + root + (absent ? " does not exist" : " is no directory, or cannot be reached")
                + ": make it, mount what belongs there, or correct archip_dir");
        }
        StoreMarker marker = StoreMarker.read(paths.marker());
        boolean original = marker == null && isOriginals(root);
        if (marker == null && !original) {
            refuseForeign(root);
        }
        int errno = StoreFiles.makeDirectory(paths.temporaries());
        if (errno != 0 && errno != Errno.EEXIST) {
            throw cannotWrite(errno);
        }
        tryToWrite(direct);
        return marker != null ? marker : makeMarker(original);
    }

    private boolean isOriginals(Path root) {
        try {
            return OriginalPlaces.areBelow(root, StoreOpening::isHarmless);
        } catch (IOException e) {
            throw cannotList(root, e);
        }
    }

    private static boolean isHarmless(String file) {
        return file.startsWith(".") || file.equals("lost+found") || file.equals(ObjectPath.TEMPORARIES);
    }

    private StoreException cannotList(Path root, Exception e) {
        return new StoreException(Errno.EACCES, "store " + name + ": cannot list " + root + " (" + e.getMessage()
            + "): give the directory to the daemon's user");
    }

    /** A directory of something else does not become a store. */
    private void refuseForeign(Path root) {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(root)) {
            for (Path file : files) {
                String found = file.getFileName().toString();
                if (!isHarmless(found)) {
                    if (StoreMarker.read(paths.marker()) != null) {
                        return; // another node has just made it
                    }
                    throw new StoreException(Errno.EUCLEAN, "store " + name + ": " + root + " holds " + found
                        + " but no marker " + ObjectPath.MARKER + ", so it is no store of this or of the original Archipelago,"
                        + " or one that lost its marker: give archip_dir an empty directory, or restore the marker");
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            throw cannotList(root, e);
        }
    }

    private void tryToWrite(boolean direct) {
        String path = paths.temporary(StoreFiles.unique() + "-start");
        lookAtTheClock();
        int errno = StoreFiles.writeFile(path, new byte[1]);
        if (errno == Errno.ENOSPC || errno == Errno.EDQUOT) {
            log.say(Level.WARNING, "it is full: " + Errno.text(errno) + ": writes will fail until there is space");
            return;
        }
        if (errno != 0) {
            throw cannotWrite(errno);
        }
        try {
            inMemory = MEMORY.contains(Files.getFileStore(Path.of(path)).type());
        } catch (IOException e) {
            log.say(Level.WARNING, "cannot tell the kind of its file system: " + e);
        }
        int fd = FileCalls.open(path, direct ? Posix.O_RDWR | Posix.O_DIRECT : Posix.O_RDWR, 0);
        FileCalls.unlink(path);
        if (fd >= 0) {
            readsWithoutWaiting = inMemory || Nowait.isKnown(fd);
            FileCalls.close(fd);
        } else if (!direct) {
            throw cannotWrite(-fd);
        } else {
            throw new StoreException(-fd, "store " + name + ": direct is True, but the file system of " + paths.root()
                + " knows no direct I/O (" + Errno.text(-fd) + "): set direct to False or use another file system");
        }
    }

    /** Of an empty file, which a full store has room for as a rule. */
    private void lookAtTheClock() {
        String path = paths.temporary(StoreFiles.unique() + "-clock");
        if (StoreFiles.writeFile(path, new byte[0]) != 0) {
            return;
        }
        try {
            now = OptionalLong.of(Files.getLastModifiedTime(Path.of(path), LinkOption.NOFOLLOW_LINKS).toMillis());
        } catch (IOException e) {
            log.say(Level.WARNING, "cannot tell the time of its file system: " + e);
        }
        FileCalls.unlink(path);
    }

    private StoreException cannotWrite(int errno) {
        return StoreException.of(errno, "store " + name + ": cannot write to " + paths.root());
    }

    private StoreMarker makeMarker(boolean original) {
        String temporary = paths.temporary(StoreFiles.unique() + "-marker");
        int errno = StoreFiles.writeFile(temporary, StoreMarker.fresh(original));
        if (errno == 0) {
            errno = linkMarker(temporary);
            FileCalls.unlink(temporary);
        }
        if (errno == 0) {
            errno = FileCalls.fsyncDirectory(paths.root());
        }
        StoreMarker marker = errno == 0 ? StoreMarker.read(paths.marker()) : null;
        if (marker == null) {
            throw StoreException.of(errno == 0 ? Errno.EIO : errno, "store " + name + ": cannot make its marker "
                + paths.marker());
        }
        log.say(Level.INFO, (original ? "made a store beside the original Archipelago's objects, which are read and never changed, "
            : "made a new store, ") + marker.uuid());
        return marker;
    }

    /** Another node may make it at the same moment: then it is that one's. */
    private int linkMarker(String temporary) {
        if (FileCalls.link(temporary, paths.marker()) == 0) {
            return 0;
        }
        int errno = Posix.errno();
        if (errno == Errno.EPERM || errno == Errno.EOPNOTSUPP || errno == Errno.ENOSYS) {
            errno = Posix.renameat2(Posix.AT_FDCWD, temporary, Posix.AT_FDCWD, paths.marker(), Posix.RENAME_NOREPLACE)
                == 0 ? 0 : Posix.errno();
        }
        return errno == Errno.EEXIST ? 0 : errno;
    }
}
