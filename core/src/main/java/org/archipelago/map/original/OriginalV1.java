package org.archipelago.map.original;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.Sha256;
import org.archipelago.map.original.OriginalHeader.Format;

/**
 * Maps of volumes of the versions 0.2 and 0.3. Little-endian, packed:
 *
 * <pre>
 *   object archip_VOLUME
 *    0  u32 version = 1    4  u64 size in bytes
 *   12  blocks x { u8 own; u8 hash[32] }
 *   block's object   own 1: archip_ and 64 hex digits;  own 0: 64 hex digits, content-addressed, or the hash of nothing: zeros
 * </pre>
 *
 * Writes past the page cache leave zeros behind the end, up to a multiple of 512 bytes.
 */
public final class OriginalV1 {
    /** What the names of its objects begin with. */
    public static final String PREFIX = "archip_";

    private static final int VERSION = 1;
    private static final int HEADER = 12;
    private static final int ENTRY = 1 + Sha256.BYTES;
    private static final int SECTOR = 512;

    private OriginalV1() {}

    public static String objectOf(String volume) {
        return PREFIX + volume;
    }

    /** Whether an object may be such a map, by its first bytes. */
    public static boolean begins(byte[] head) {
        return head.length >= HEADER && little(head).getInt(0) == VERSION;
    }

    private static ByteBuffer little(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** @throws DamagedMapException naming what is wrong */
    public static OriginalHeader header(String volume, byte[] head) {
        if (!begins(head)) {
            throw new DamagedMapException(volume, what(volume) + " is cut short, or has another version than " + VERSION);
        }
        long size = little(head).getLong(4);
        OriginalHeader.checkSize(volume, what(volume), size);
        return new OriginalHeader(Format.V1, objectOf(volume), size, false, false, 0);
    }

    private static String what(String volume) {
        return "the original's map (format 1) in object " + objectOf(volume);
    }

    /**
     * Reads a map.
     *
     * @param bytes of the whole object
     * @throws DamagedMapException naming what is wrong
     */
    public static OriginalMap decode(String volume, byte[] bytes) {
        OriginalHeader header = header(volume, bytes);
        long end = HEADER + (long) ENTRY * header.blocks();
        if (bytes.length < end || bytes.length >= end + SECTOR) {
            throw new DamagedMapException(volume, what(volume) + " has " + bytes.length + " bytes; " + header.blocks()
                + " blocks take " + end);
        }
        byte[][] names = new byte[header.blocks()][];
        ByteBuffer from = little(bytes).position(HEADER);
        byte[] hash = new byte[Sha256.BYTES];
        for (int block = 0; block < names.length; block++) {
            int own = from.get();
            from.get(hash);
            names[block] = name(volume, block, own, HexFormat.of().formatHex(hash));
        }
        while (from.hasRemaining()) {
            if (from.get() != 0) {
                throw new DamagedMapException(volume, what(volume) + " has something behind its last entry");
            }
        }
        return new OriginalMap(header, names);
    }

    private static byte[] name(String volume, int block, int own, String hash) {
        boolean zero = OriginalMap.isZeroName(hash.getBytes(StandardCharsets.US_ASCII));
        if (own < 0 || own > 1 || own == 1 && zero) {
            throw new DamagedMapException(volume, what(volume) + " has an entry of block " + block + " with flag " + own
                + (zero ? " and the hash of zeros" : ""));
        }
        if (zero) {
            return OriginalMap.ZERO;
        }
        return (own == 1 ? PREFIX + hash : hash).getBytes(StandardCharsets.US_ASCII);
    }
}
