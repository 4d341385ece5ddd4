package org.archipelago.peer.blocker;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * Where a store keeps what, below its directory:
 *
 * <pre>
 *   archipelago.store   the marker: that this is a store, and which ({@link StoreMarker})
 *   hhh/NAME            an object; hhh: three hex digits of a hash of its name but the last two characters,
 *                       so that blocks that are neighbours share a directory
 *   tmp/UNIQUE          contents that are not an object yet, or no more
 * </pre>
 *
 * Immutable.
 */
final class ObjectPath {
    /** Directories that objects are spread over. */
    static final int BUCKETS = 4096;
    /** Longest name of an object, bytes. */
    static final int NAME_MAX = 160;

    static final String MARKER = "archipelago.store";
    static final String TEMPORARIES = "tmp";

    private final String root;

    /** @param directory the store's, absolute */
    ObjectPath(Path directory) {
        this.root = directory.toString();
    }

    /** Whether an object can have this name: it then stays within the store's directory. */
    static boolean isName(String name) {
        int length = name.length();
        if (length == 0 || length > NAME_MAX || name.charAt(0) == '.') {
            return false;
        }
        for (int i = 0; i < length; i++) {
            char c = name.charAt(i);
            boolean letterOrDigit = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9';
            if (!letterOrDigit && "._+:@-".indexOf(c) < 0) {
                return false;
            }
        }
        return true;
    }

    /** The number of an object's directory. */
    static int bucket(String name) {
        byte[] bytes = name.getBytes(StandardCharsets.US_ASCII);
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, Math.max(0, bytes.length - 2));
        return (int) crc.getValue() & (BUCKETS - 1);
    }

    /** Whether a directory's name is one that objects are kept in. */
    static boolean isBucket(String name) {
        return name.length() == 3 && name.chars().allMatch(c -> c >= '0' && c <= '9' || c >= 'a' && c <= 'f');
    }

    String root() {
        return root;
    }

    String marker() {
        return root + "/" + MARKER;
    }

    String temporaries() {
        return root + "/" + TEMPORARIES;
    }

    String temporary(String unique) {
        return temporaries() + "/" + unique;
    }

    String bucket(int number) {
        return root + "/" + Integer.toHexString(BUCKETS | number).substring(1);
    }

    String object(String name) {
        return bucket(bucket(name)) + "/" + name;
    }
}
