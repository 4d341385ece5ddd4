package org.archipelago.map.original;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.Layer;
import org.archipelago.map.original.OriginalHeader.Format;

/**
 * Maps of volumes and snapshots of version 0.4. Big-endian, but for one field:
 *
 * <pre>
 *   object VOLUME            perhaps with zeros behind, up to 512 bytes
 *    0  u32 "AMF."    4  u32 version = 2   8  u64 size in bytes
 *   16  u32 bytes of a block              20  u32 flags: 1 read-only, 2 deleted      24  u64 epoch
 *
 *   objects VOLUME_0000000000000000, VOLUME_0000000000000001 ...   16 hex digits; 32768 entries each, of blocks of 4 MiB
 *   entries x { u8 flags; u32 length, little-endian; u8 name[123], zero padded }
 *            1 written in place    2 named by the volume    4 zeros, whatever the name    8 removed
 *   block's object           VOLUME_EPOCH_BLOCK, 16 hex digits each; or that of a map of format 1; or 64 hex digits,
 *                            content-addressed
 * </pre>
 *
 * An object of entries may have more than the size takes. The original makes blocks of other sizes only when a program asks
 * it to; such maps are refused.
 */
public final class OriginalV2 {
    /** Bytes of the header. */
    public static final int HEADER = 32;

    private static final int SIGNATURE = 0x414d462e;
    private static final int VERSION = 2;
    private static final int READ_ONLY = 1;
    private static final int DELETED = 2;
    private static final int SMALLEST_BLOCK = 128;

    private static final int ENTRY = 128;
    private static final int NAME = 5;
    /** Entries that one object has room for. */
    private static final int ENTRIES = OriginalHeader.BLOCK / ENTRY;
    private static final int NAMED_BY_VOLUME = 2;
    private static final int ZERO = 4;
    private static final int REMOVED = 8;
    private static final int ALL_FLAGS = 15;
    private static final Pattern OWN_NAME = Pattern.compile(".+_[0-9a-f]{16}_([0-9a-f]{16})");

    private OriginalV2() {}

    /** Whether an object is the header of such a map, by its first bytes. */
    public static boolean begins(byte[] head) {
        return head.length >= 4 && ByteBuffer.wrap(head).getInt(0) == SIGNATURE;
    }

    private static String entriesOf(String object, int block) {
        return "%s_%016x".formatted(object, block / ENTRIES);
    }

    /**
     * Reads the header.
     *
     * @param volume that it is of, for messages
     * @param object that it was read from: named as the volume, or as one of format 1 that was upgraded and not yet renamed
     * @throws DamagedMapException naming what is wrong
     */
    public static OriginalHeader header(String volume, String object, byte[] head) {
        String what = "the original's map (object " + object + ")";
        if (head.length < HEADER || !begins(head)) {
            throw new DamagedMapException(volume, what + " is cut short, or has no signature");
        }
        ByteBuffer from = ByteBuffer.wrap(head);
        int version = from.getInt(4);
        if (version != VERSION) {
            throw new DamagedMapException(volume, what + " has format version " + Integer.toUnsignedString(version)
                + "; this Archipelago reads 0, 1 and 2 of the original's");
        }
        int block = from.getInt(16);
        int flags = from.getInt(20);
        if (block <= SMALLEST_BLOCK || Integer.bitCount(block) != 1 || (flags & ~(READ_ONLY | DELETED)) != 0) {
            throw new DamagedMapException(volume, what + " says blocks of " + Integer.toUnsignedString(block) + " bytes and flags "
                + Integer.toUnsignedString(flags) + ", which cannot be");
        }
        boolean deleted = (flags & DELETED) != 0;
        if (!deleted) {
            OriginalHeader.checkSize(volume, what, from.getLong(8));
            checkBlock(volume, what, block);
        }
        return new OriginalHeader(Format.V2, object, from.getLong(8), (flags & READ_ONLY) != 0, deleted, from.getLong(24));
    }

    private static void checkBlock(String volume, String what, int block) {
        if (block != OriginalHeader.BLOCK) {
            throw new DamagedMapException(volume, what + " has blocks of " + block + " bytes, and this Archipelago knows blocks of "
                + OriginalHeader.BLOCK + " alone: copy the volume with the original into one that its vlmc create makes");
        }
    }

    /**
     * Reads a map.
     *
     * @param header of that map, not deleted
     * @param read the whole contents of an object; empty where it is absent
     * @throws DamagedMapException naming what is wrong
     */
    public static OriginalMap decode(String volume, OriginalHeader header, Function<String, Optional<byte[]>> read) {
        byte[][] names = new byte[header.blocks()][];
        for (int first = 0; first < names.length; first += ENTRIES) {
            String object = entriesOf(header.object(), first);
            byte[] entries = read.apply(object).orElseThrow(() -> new DamagedMapException(volume,
                "object " + object + " of the original's map is missing"));
            int count = Math.min(ENTRIES, names.length - first);
            if (entries.length < count * ENTRY || entries.length > ENTRIES * ENTRY) {
                throw new DamagedMapException(volume, "object " + object + " of the original's map has " + entries.length
                    + " bytes; " + count + " entries take " + count * ENTRY);
            }
            for (int i = 0; i < count; i++) {
                names[first + i] = name(volume, object, first + i, entries, i * ENTRY);
            }
        }
        return new OriginalMap(header, names);
    }

    private static byte[] name(String volume, String object, int block, byte[] entries, int at) {
        String what = "the entry of block " + block + " in object " + object + " of the original's map ";
        int flags = entries[at];
        int length = ByteBuffer.wrap(entries).order(ByteOrder.LITTLE_ENDIAN).getInt(at + 1);
        if ((flags & ~ALL_FLAGS) != 0 || length < 0 || length > Layer.NAME_MAX || !isPadded(entries, at + NAME + length, at + ENTRY)) {
            throw new DamagedMapException(volume, what + "has flags " + (flags & 0xff) + " and a name of "
                + Integer.toUnsignedString(length) + " bytes, or something behind it");
        }
        if ((flags & REMOVED) != 0) {
            throw new DamagedMapException(volume, what + "says that it was removed: the original has begun to remove the volume,"
                + " and can end it");
        }
        byte[] name = Arrays.copyOfRange(entries, at + NAME, at + NAME + length);
        if ((flags & ZERO) != 0 || OriginalMap.isZeroName(name)) {
            return OriginalMap.ZERO;
        }
        String text = new String(name, StandardCharsets.ISO_8859_1);
        if (!OriginalMap.isObjectName(name)) {
            throw new DamagedMapException(volume, what + "names no object that a blocker can have: "
                + text.replaceAll("[^ -~]", "?"));
        }
        Matcher own = OWN_NAME.matcher(text);
        if ((flags & NAMED_BY_VOLUME) != 0 && own.matches() && Long.parseUnsignedLong(own.group(1), 16) != block) {
            throw new DamagedMapException(volume, what + "names the object of another block: " + text);
        }
        return name;
    }

    private static boolean isPadded(byte[] entries, int from, int to) {
        for (int i = from; i < to; i++) {
            if (entries[i] != 0) {
                return false;
            }
        }
        return true;
    }
}
