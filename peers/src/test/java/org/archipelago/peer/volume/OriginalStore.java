package org.archipelago.peer.volume;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** A directory as the file blocker of the original Archipelago left it. */
public final class OriginalStore {
    /** Where it puts objects: by the hash of their names (0.4), or by the names themselves (before, and Pithos). */
    public enum Layout { HASHED, NAMED }

    private final Path directory;
    private final Layout layout;

    public OriginalStore(Path directory, Layout layout) {
        this.directory = directory;
        this.layout = layout;
    }

    public OriginalStore put(String name, byte[] contents) {
        try {
            Path place = place(name);
            Files.createDirectories(place.getParent());
            Files.write(place, contents);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }

    /** The same for bytes in hex digits, with spaces. */
    public OriginalStore put(String name, String... hex) {
        return put(name, hex(hex));
    }

    public void delete(String name) {
        try {
            Files.delete(place(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path place(String name) {
        String digits = layout == Layout.HASHED ? sha256(name) : name.startsWith("archip_") ? name.substring(7) : name;
        return directory.resolve(digits.substring(0, 2)).resolve(digits.substring(2, 4)).resolve(digits.substring(4, 6)).resolve(name);
    }

    public static String sha256(String text) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.US_ASCII)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    public static byte[] hex(String... parts) {
        return HexFormat.of().parseHex(String.join("", parts).replace(" ", ""));
    }

    public static String ascii(String text) {
        return HexFormat.of().formatHex(text.getBytes(StandardCharsets.US_ASCII));
    }

    /** What it made, with its contents: path and hash of each file in two-character directories; to compare. */
    public Map<String, String> files() {
        Map<String, String> files = new TreeMap<>();
        try (Stream<Path> all = Files.walk(directory)) {
            for (Path file : (Iterable<Path>) all.filter(Files::isRegularFile)::iterator) {
                Path below = directory.relativize(file);
                if (below.getName(0).toString().length() == 2) {
                    files.put(below.toString(), sha256(Files.readString(file, StandardCharsets.ISO_8859_1))
                        + " " + Files.getLastModifiedTime(file));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return files;
    }
}
