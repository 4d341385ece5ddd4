package org.archipelago.map.original;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import org.archipelago.map.ForeignLayer;
import org.archipelago.map.Layer;
import org.archipelago.map.Sha256;

/** A map of the original, decoded: what it says about itself, and which object holds which block. Immutable. */
public final class OriginalMap {
    static final byte[] ZERO = new byte[0];
    /** The names that a block of zeros has: the hash of nothing, and what stood for it before. */
    private static final byte[] ZERO_NAME = Sha256.ZERO.getBytes(StandardCharsets.US_ASCII);
    private static final byte[] OLD_ZERO_NAME = "0".repeat(2 * Sha256.BYTES).getBytes(StandardCharsets.US_ASCII);

    private final OriginalHeader header;
    private final byte[][] names;

    /** @param names of the blocks' objects, {@link #ZERO} for zeros; the map's from then on */
    OriginalMap(OriginalHeader header, byte[][] names) {
        this.header = header;
        this.names = names;
    }

    public OriginalHeader header() {
        return header;
    }

    public int blocks() {
        return names.length;
    }

    /** The object that holds a block; empty: zeros. */
    public String name(int block) {
        return new String(names[block], StandardCharsets.US_ASCII);
    }

    /**
     * Its objects as a layer of our maps. The layer's id comes from the names alone, so that all who make the layer of one
     * map make the same one.
     */
    public ForeignLayer layer() {
        MessageDigest digest = sha256();
        for (byte[] name : names) {
            digest.update((byte) name.length);
            digest.update(name);
        }
        return new ForeignLayer(id(digest), names);
    }

    /** What stands for the id of something of the original: none of ours ever has it. */
    public static String idOf(String volume) {
        MessageDigest digest = sha256();
        digest.update(("a volume of the original: " + volume).getBytes(StandardCharsets.UTF_8));
        return id(digest);
    }

    private static String id(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest(), 0, 16);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    static boolean isZeroName(byte[] name) {
        return Arrays.equals(name, ZERO_NAME) || Arrays.equals(name, OLD_ZERO_NAME);
    }

    /** Whether a blocker can have an object of this name, which then never leaves its folders. */
    static boolean isObjectName(byte[] name) {
        if (name.length == 0 || name.length > Layer.NAME_MAX || name[0] == '.') {
            return false;
        }
        for (byte b : name) {
            boolean letterOrDigit = b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9';
            if (!letterOrDigit && "._+:@-".indexOf(b) < 0) {
                return false;
            }
        }
        return true;
    }
}
