package org.archipelago.map;

import java.io.ByteArrayOutputStream;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.CRC32C;
import org.archipelago.xseg.Target;

/**
 * Objects that the original made, under the names that they have; they are read and never changed. The names are an object of
 * blockerm. Little-endian:
 *
 * <pre>
 *   object names-ID     ID: 32 hex digits
 *    0  u64 magic "ARCNAMES"   8  u32 version = 1   12  u32 blocks   16  u8 id[16]
 *   32  blocks x { u8 length; u8 name[length] }       length 0: a block of zeros
 *       u32 crc32c of everything before
 * </pre>
 */
public final class ForeignLayer implements Layer {
    private static final long MAGIC = 0x53454D414E435241L;
    private static final int VERSION = 1;
    private static final int HEADER = 32;
    private static final byte[] ZERO = new byte[0];

    private final String id;
    private final byte[][] names;

    /**
     * @param id of the table: 32 hex digits
     * @param names for each block the object's name in ASCII, at most {@value Layer#NAME_MAX} bytes; empty: zeros; the layer's
     *     from then on
     */
    public ForeignLayer(String id, byte[][] names) {
        this.id = id;
        this.names = names;
    }

    public static String tableName(String id) {
        return "names-" + id;
    }

    public String id() {
        return id;
    }

    public int blocks() {
        return names.length;
    }

    @Override
    public boolean has(int block) {
        return block >= 0 && block < names.length && names[block].length > 0;
    }

    @Override
    public Target object(int block) {
        return Target.of(new String(names[block], StandardCharsets.US_ASCII));
    }

    @Override
    public int writeName(ByteBuffer to, int at, int block) {
        if (!has(block)) {
            return 0;
        }
        byte[] name = names[block];
        to.put(at, name);
        for (int end = name.length; end % 8 != 0; end++) {
            to.put(at + end, (byte) 0);
        }
        return name.length;
    }

    @Override
    public boolean hasWholeBlocks() {
        return false;
    }

    // --- the table

    public byte[] encode() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ByteBuffer header = ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN);
        header.putLong(MAGIC).putInt(VERSION).putInt(names.length).put(HexFormat.of().parseHex(id));
        bytes.writeBytes(header.array());
        for (byte[] name : names) {
            bytes.write(name.length);
            bytes.writeBytes(name);
        }
        byte[] table = Arrays.copyOf(bytes.toByteArray(), bytes.size() + 4);
        ByteBuffer.wrap(table).order(ByteOrder.LITTLE_ENDIAN).putInt(table.length - 4, crc(table));
        return table;
    }

    /** @throws IllegalArgumentException saying what is wrong */
    public static ForeignLayer decode(String id, byte[] table) {
        String object = "the table of names (object " + tableName(id) + ") ";
        ByteBuffer from = ByteBuffer.wrap(table).order(ByteOrder.LITTLE_ENDIAN);
        if (table.length < HEADER + 4 || from.getLong() != MAGIC) {
            throw new IllegalArgumentException(object + "is not one of Archipelago's, or is cut short");
        }
        int version = from.getInt();
        if (version != VERSION) {
            throw new IllegalArgumentException(object + "has format version " + version + "; this Archipelago reads " + VERSION);
        }
        if (from.getInt(table.length - 4) != crc(table)) {
            throw new IllegalArgumentException(object + "has a wrong checksum");
        }
        int blocks = from.getInt();
        byte[] itsId = new byte[16];
        from.get(itsId).limit(table.length - 4);
        if (blocks < 0 || blocks > from.remaining() || !HexFormat.of().formatHex(itsId).equals(id)) {
            throw new IllegalArgumentException(object + "contradicts itself");
        }
        byte[][] names = new byte[blocks][];
        try {
            for (int i = 0; i < blocks; i++) {
                int length = from.get() & 0xff;
                names[i] = length == 0 ? ZERO : new byte[length];
                from.get(names[i]);
                check(length <= NAME_MAX);
            }
            check(!from.hasRemaining());
        } catch (BufferUnderflowException e) {
            throw new IllegalArgumentException(object + "ends in the middle of a name", e);
        }
        return new ForeignLayer(id, names);
    }

    private static void check(boolean holds) {
        if (!holds) {
            throw new IllegalArgumentException("a table of names holds a name of more than " + NAME_MAX
                + " bytes, or more than its names");
        }
    }

    private static int crc(byte[] table) {
        CRC32C crc = new CRC32C();
        crc.update(table, 0, table.length - 4);
        return (int) crc.getValue();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ForeignLayer layer && layer.id.equals(id);
    }

    @Override
    public int hashCode() {
        return id.hashCode();
    }

    @Override
    public String toString() {
        return "names " + id;
    }
}
