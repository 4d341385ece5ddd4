package org.archipelago.map.original;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.Sha256;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.original.OriginalHeader.Format;

/**
 * Maps of Pithos images: hashes, and nothing before them.
 *
 * <pre>
 *   object NAME       64 hex digits: the root of the Merkle tree over the hashes
 *    0  u8 sha256[32] of block 0    32  of block 1   ...   up to 32 zeros, or the end
 *   block's object    64 hex digits: its hash
 * </pre>
 *
 * An image has whole blocks of 4 MiB, and cannot be written.
 */
public final class OriginalV0 {
    /** Bytes that the largest map has. */
    private static final long MOST = (VolumeHeader.MAX_SIZE >>> VolumeHeader.BLOCK_SHIFT) * Sha256.BYTES;

    private OriginalV0() {}

    public static boolean isName(String name) {
        return name.length() == 2 * Sha256.BYTES && name.chars().allMatch(c -> c >= '0' && c <= '9' || c >= 'a' && c <= 'f');
    }

    /**
     * Reads a map.
     *
     * @param name of the image and of the object
     * @throws DamagedMapException naming what is wrong
     */
    public static OriginalMap decode(String name, byte[] bytes) {
        String what = "the Pithos map in object " + name;
        int count = 0;
        while ((count + 1) * Sha256.BYTES <= bytes.length && !isZero(bytes, count * Sha256.BYTES, (count + 1) * Sha256.BYTES)) {
            count++;
        }
        if (!isZero(bytes, count * Sha256.BYTES, bytes.length)) {
            throw new DamagedMapException(name, what + " has something behind its end, " + count + " hashes from its beginning");
        }
        if (count == 0 || (long) count * Sha256.BYTES > MOST) {
            throw new DamagedMapException(name, what + " has " + count + " hashes; 1 to " + MOST / Sha256.BYTES + " are possible");
        }
        byte[] leaves = Arrays.copyOf(bytes, count * Sha256.BYTES);
        String root = HexFormat.of().formatHex(new Sha256().merkleRoot(leaves));
        if (!root.equals(name)) {
            throw new DamagedMapException(name, what + " is damaged: its hashes are those of " + root);
        }
        byte[][] names = new byte[count][];
        for (int i = 0; i < count; i++) {
            byte[] its = HexFormat.of().formatHex(leaves, i * Sha256.BYTES, (i + 1) * Sha256.BYTES).getBytes(StandardCharsets.US_ASCII);
            names[i] = OriginalMap.isZeroName(its) ? OriginalMap.ZERO : its;
        }
        long size = (long) count << VolumeHeader.BLOCK_SHIFT;
        return new OriginalMap(new OriginalHeader(Format.V0, name, size, true, false, 0), names);
    }

    private static boolean isZero(byte[] bytes, int from, int to) {
        for (int i = from; i < to; i++) {
            if (bytes[i] != 0) {
                return false;
            }
        }
        return true;
    }
}
