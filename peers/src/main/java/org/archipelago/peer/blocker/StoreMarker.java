package org.archipelago.peer.blocker;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.UUID;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * The file that makes a directory a store: {@code {"format": 1, "uuid": "...", "created": "..."}}, and {@code "original": true}
 * where the original Archipelago's objects are beside ours ({@link OriginalPlaces}). It is
 * what tells a store that lacks an object from a directory whose store is not mounted. Immutable.
 */
final class StoreMarker {
    /** The layout of {@link ObjectPath}. */
    static final int FORMAT = 1;
    private static final int MOST_BYTES = 4096;

    private final String path;
    private final byte[] contents;
    private final String uuid;
    private final boolean original;

    private StoreMarker(String path, byte[] contents, String uuid, boolean original) {
        this.path = path;
        this.contents = contents;
        this.uuid = uuid;
        this.original = original;
    }

    /** Which store it is, whatever its path. */
    String uuid() {
        return uuid;
    }

    /** Whether the original's objects are beside ours. */
    boolean isOriginal() {
        return original;
    }

    /** What the marker of a new store says. */
    static byte[] fresh(boolean original) {
        JsonObject json = new JsonObject();
        json.addProperty("format", FORMAT);
        json.addProperty("uuid", UUID.randomUUID().toString());
        json.addProperty("created", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        if (original) {
            json.addProperty("original", true);
        }
        return (json + "\n").getBytes(StandardCharsets.UTF_8);
    }

    /**
     * @return null where there is none
     * @throws StoreException where it cannot be read or is not one that this version knows
     */
    static StoreMarker read(String path) {
        byte[] contents = new byte[MOST_BYTES];
        int length = read(path, contents);
        if (length == -Errno.ENOENT) {
            return null;
        }
        if (length < 0) {
            throw StoreException.of(-length, "cannot read the store's marker " + path);
        }
        contents = Arrays.copyOf(contents, length);
        try {
            JsonObject json = JsonParser.parseString(new String(contents, StandardCharsets.UTF_8)).getAsJsonObject();
            int format = json.get("format").getAsInt();
            if (format != FORMAT) {
                throw new StoreException(Errno.EPROTO, "the store's marker " + path + " says format " + format
                    + ", this version knows format " + FORMAT + ": use the version of Archipelago that wrote it, or a newer one");
            }
            boolean original = json.has("original") && json.get("original").getAsBoolean();
            return new StoreMarker(path, contents, json.get("uuid").getAsString(), original);
        } catch (JsonParseException | IllegalStateException | NullPointerException | UnsupportedOperationException
                | NumberFormatException e) {
            throw new StoreException(Errno.EUCLEAN, "the store's marker " + path + " is damaged: restore it from another "
                + "copy of the store; it holds {\"format\": " + FORMAT + ", \"uuid\": ..., \"created\": ...}");
        }
    }

    /** Whether the store that was opened is still there, under its path; blocks. */
    boolean isThere() {
        byte[] now = new byte[MOST_BYTES];
        int length = read(path, now);
        return length == contents.length && Arrays.equals(now, 0, length, contents, 0, length);
    }

    /** How many bytes, at most what the array holds; or a negative errno. */
    private static int read(String path, byte[] to) {
        int fd = FileCalls.open(path, Posix.O_RDONLY | Posix.O_NOFOLLOW, 0);
        if (fd < 0) {
            return fd;
        }
        try (Memory memory = new Memory(to.length)) {
            long n = FileCalls.read(fd, Pointer.nativeValue(memory), 0, to.length);
            memory.read(0, to, 0, (int) Math.max(0, n));
            return (int) n;
        } finally {
            FileCalls.close(fd);
        }
    }
}
