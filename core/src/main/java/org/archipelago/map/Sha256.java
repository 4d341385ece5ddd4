package org.archipelago.map;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/** Names of contents: SHA-256, of blocks without their trailing zeros, and of the Merkle tree over a list of such. */
public final class Sha256 {
    /** Bytes of a hash. */
    public static final int BYTES = 32;
    /** Of nothing, so of a block of zeros. */
    public static final String ZERO = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    private final MessageDigest digest = digest();

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** Hashes what remains in the buffer, and takes it. One thread at a time. */
    public byte[] of(ByteBuffer bytes) {
        digest.update(bytes);
        return digest.digest();
    }

    /** How many bytes are left when the zeros at the end are cut off. */
    public static int withoutTrailingZeros(ByteBuffer bytes, int length) {
        int end = length;
        while (end >= 8 && bytes.getLong(end - 8) == 0) {
            end -= 8;
        }
        while (end > 0 && bytes.get(end - 1) == 0) {
            end--;
        }
        return end;
    }

    /**
     * The root of the Merkle tree over leaves of {@value #BYTES} bytes each, as the original names its images: the leaves are
     * padded with zero hashes to a power of two, and hashed in pairs. No leaf: the hash of nothing; one leaf: itself.
     */
    public byte[] merkleRoot(byte[] leaves) {
        int count = leaves.length / BYTES;
        if (count == 0) {
            return HexFormat.of().parseHex(ZERO);
        }
        int width = Integer.highestOneBit(Math.max(1, 2 * count - 1));
        byte[] level = Arrays.copyOf(leaves, width * BYTES);
        for (; width > 1; width /= 2) {
            for (int i = 0; i < width / 2; i++) {
                digest.update(level, 2 * i * BYTES, 2 * BYTES);
                System.arraycopy(digest.digest(), 0, level, i * BYTES, BYTES);
            }
        }
        return Arrays.copyOf(level, BYTES);
    }
}
