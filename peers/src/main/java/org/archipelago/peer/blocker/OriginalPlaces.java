package org.archipelago.peer.blocker;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.archipelago.posix.Errno;

/**
 * Where the original Archipelago kept its objects, below a directory that has become one of our stores:
 *
 * <pre>
 *   aa/bb/cc/NAME      aabbcc: six hex digits, the first ones of SHA-256 of the name (version 0.4); or the first six characters of
 *                      the name, or of what follows archip_ in it (before, and for the objects of Pithos)
 *   NAME_lock          a lock, where locks have no directory of their own
 * </pre>
 *
 * Its objects are read; nothing is ever written, made or removed there. No name of ours looks like these directories'.
 * Immutable; blocks.
 */
final class OriginalPlaces {
    /** A store that was always ours. */
    static final OriginalPlaces NONE = new OriginalPlaces("");

    private static final String PREFIX = "archip_";
    private static final String LOCK = "_lock";
    /** Characters of a name that choose its directory, and of each directory's name. */
    private static final int DIGITS = 6;
    private static final int PAIR = 2;
    private static final int LEVELS = 3;
    /** Directories that are looked into at most before it counts as none of the original's. */
    private static final int MOST_LOOKS = 4096;

    private final String root;

    /** @param root the store's directory */
    OriginalPlaces(String root) {
        this.root = root;
    }

    /** Where an object of this name may be, the likeliest place first; the name is that of an object. */
    List<String> of(String name) {
        List<String> places = new ArrayList<>(4);
        if (root.isEmpty()) {
            return places;
        }
        add(places, sha256(name), name);
        add(places, name, name);
        if (name.startsWith(PREFIX)) {
            add(places, name.substring(PREFIX.length()), name);
        }
        if (name.endsWith(LOCK)) {
            places.add(root + "/" + name);
        }
        return places;
    }

    private void add(List<String> places, String digits, String name) {
        StringBuilder place = new StringBuilder(root);
        for (int at = 0; at < DIGITS; at += PAIR) {
            if (digits.length() < DIGITS || !isDirectory(digits.substring(at, at + PAIR))) {
                return;
            }
            place.append('/').append(digits, at, at + PAIR);
        }
        places.add(place.append('/').append(name).toString());
    }

    /** A dot at its beginning could lead out of the store. */
    private static boolean isDirectory(String name) {
        return name.length() == PAIR && name.charAt(0) != '.' && ObjectPath.isName(name);
    }

    private static String sha256(String name) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.US_ASCII));
            return HexFormat.of().formatHex(hash, 0, DIGITS / 2);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** Opens an object for reading: a descriptor, or a negative errno. */
    int open(String name, int flags) {
        for (String place : of(name)) {
            int fd = FileCalls.open(place, flags, 0);
            if (fd != -Errno.ENOENT && fd != -FileCalls.ENOTDIR) {
                return fd;
            }
        }
        return -Errno.ENOENT;
    }

    boolean has(String name) {
        return of(name).stream().anyMatch(place -> Files.exists(Path.of(place), LinkOption.NOFOLLOW_LINKS));
    }

    /** Names all objects that are at their places, in any order. Errors: {@link StoreException}. */
    void forEach(Consumer<String> told) {
        if (root.isEmpty()) {
            return;
        }
        try {
            new Walk(Integer.MAX_VALUE, name -> {
                told.accept(name);
                return true;
            }).into(Path.of(root), 0);
        } catch (IOException e) {
            throw new StoreException(Errno.EIO, "cannot list what the original has in " + root + ": " + e);
        }
    }

    /**
     * Whether a directory that is no store holds objects of the original at their places, and nothing else but what may be
     * beside a store.
     *
     * @param harmless names that do not matter
     */
    static boolean areBelow(Path directory, Predicate<String> harmless) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                String name = file.getFileName().toString();
                boolean its = name.contains(LOCK) ? Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                    : isDirectory(name) && Files.isDirectory(file);
                if (!its && !harmless.test(name)) {
                    return false;
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        boolean[] found = new boolean[1];
        new OriginalPlaces(directory.toString()).new Walk(MOST_LOOKS, name -> {
            found[0] = true;
            return false;
        }).into(directory, 0);
        return found[0];
    }

    /** Goes through all places. */
    private final class Walk {
        private final Predicate<String> told;
        private int looks;

        /** @param told of each object's name; false: that is enough */
        Walk(int looks, Predicate<String> told) {
            this.looks = looks;
            this.told = told;
        }

        /** Returns false when it is enough. */
        boolean into(Path directory, int level) throws IOException {
            if (looks-- <= 0) {
                return false;
            }
            try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
                for (Path file : files) {
                    String name = file.getFileName().toString();
                    boolean goesOn = level == LEVELS
                        ? !ObjectPath.isName(name) || !of(name).contains(file.toString()) || told.test(name)
                        : !isDirectory(name) || into(file, level + 1);
                    if (!goesOn) {
                        return false;
                    }
                }
            } catch (DirectoryIteratorException e) {
                throw e.getCause();
            } catch (NoSuchFileException | NotDirectoryException e) {
                // Removed in the meantime, or no directory: it holds no objects.
            }
            return true;
        }
    }
}
