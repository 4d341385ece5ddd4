package org.archipelago.map;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Optional;
import java.util.zip.CRC32C;

/**
 * What changed in a map since its checkpoint: an append-only object. Little-endian.
 *
 * <pre>
 *   header, 128 bytes
 *     0  u64 magic "ARCLOG\0\0"    8  u32 version = 2    12  u32 generation
 *    16  u8 id[16] of the volume  32  u32 epoch          36  u32 reserved
 *    40  u8 boot[16]: boot id of the kernel that its writer runs on
 *    56  u8 writer[64]: identity of the daemon that writes it, zero padded
 *   120  u32 reserved            124  u32 crc32c of four zero bytes, then 0..123
 *
 *   record i at 128 + 32 i
 *     0  u32 crc32c of the header's crc and 4..31       4  u32 type
 *     8  u64 number = i                                16  u32 block
 *    20  u16 unit      22  u16 count of 4 KiB units    24  u64 upTo
 * </pre>
 *
 * <p>A record counts only when all before it do. OWN: the units are the own layer's; its data was
 * handed to the kernel before it. ZERO: the block lies nowhere, and reads as zeros; unit 0, all units. COMMIT: records 0 to upTo - 1, their data included, survive a power
 * cut if this record does; so many as block says had been made sure to before. END: the volume's map goes on elsewhere; read its header again.
 * SEAL: it goes on in the volume's log of generation upTo, which was durable before, in epoch block; in a log that is sealed only COMMITs
 * come later. A log whose SEAL is certain is whole, and then the next one counts too: where its writer's kernel lives, or where a COMMIT
 * vouches for the SEAL.
 */
public final class MapLog {
    public static final int HEADER = 128;
    public static final int RECORD = 32;

    public static final int OWN = 1;
    public static final int COMMIT = 2;
    public static final int END = 3;
    public static final int SEAL = 4;
    public static final int ZERO = 5;

    private static final long MAGIC = 0x0000474F4C435241L;
    private static final int VERSION = 2;

    private MapLog() {}

    /** boot: 32 hex digits; writer: at most 64 bytes; crc: ties the records to this very log. */
    public record Header(int generation, String id, int epoch, String boot, String writer, int crc) {}

    public static byte[] encodeHeader(int generation, VolumeLayer own, String boot, String writer) {
        ByteBuffer to = ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN);
        to.putLong(MAGIC).putInt(VERSION).putInt(generation);
        to.put(HexFormat.of().parseHex(own.id())).putInt(own.epoch()).putInt(0);
        to.put(HexFormat.of().parseHex(boot)).put(writer.getBytes(StandardCharsets.UTF_8));
        to.putInt(HEADER - 4, crc(0, to, 0, HEADER - 4));
        return to.array();
    }

    /** @throws DamagedMapException naming what is wrong */
    public static Header decodeHeader(String volume, ByteBuffer from) {
        if (from.remaining() < HEADER || from.getLong(0) != MAGIC) {
            throw new DamagedMapException(volume, "its log is not one of Archipelago's, or is cut short");
        }
        if (from.getInt(8) != VERSION) {
            throw new DamagedMapException(volume, "its log has format version " + from.getInt(8)
                + "; this Archipelago reads " + VERSION);
        }
        int crc = from.getInt(HEADER - 4);
        if (crc != crc(0, from, 0, HEADER - 4)) {
            throw new DamagedMapException(volume, "its log's checksum is wrong");
        }
        byte[] writer = new byte[64];
        from.get(56, writer);
        return new Header(from.getInt(12), hex(from, 16), from.getInt(32), hex(from, 40),
            new String(writer, StandardCharsets.UTF_8).replace("\0", ""), crc);
    }

    private static String hex(ByteBuffer from, int at) {
        byte[] bytes = new byte[16];
        from.get(at, bytes);
        return HexFormat.of().formatHex(bytes);
    }

    /** Where record i lies in the object, bytes. */
    public static long position(long record) {
        return HEADER + RECORD * record;
    }

    /** Writes a record; allocates nothing but a checksum. */
    public static void encode(ByteBuffer to, int at, int headerCrc, int type, long number, int block, int unit, int count,
            long upTo) {
        to.putInt(at + 4, type).putLong(at + 8, number).putInt(at + 16, block);
        to.putShort(at + 20, (short) unit).putShort(at + 22, (short) count).putLong(at + 24, upTo);
        to.putInt(at, crc(headerCrc, to, at + 4, RECORD - 4));
    }

    /** Makes a place hold no record of any log: what lies behind it counts no more. */
    public static void clear(ByteBuffer to, int at) {
        for (int i = 0; i < RECORD; i += 8) {
            to.putLong(at + i, 0);
        }
    }

    /** Whether the record at a place is number i of this log. */
    public static boolean valid(ByteBuffer from, int at, int headerCrc, long number) {
        return from.getLong(at + 8) == number && from.getInt(at) == crc(headerCrc, from, at + 4, RECORD - 4);
    }

    public static int type(ByteBuffer from, int at) {
        return from.getInt(at + 4);
    }

    public static int block(ByteBuffer from, int at) {
        return from.getInt(at + 16);
    }

    public static int unit(ByteBuffer from, int at) {
        return Short.toUnsignedInt(from.getShort(at + 20));
    }

    public static int count(ByteBuffer from, int at) {
        return Short.toUnsignedInt(from.getShort(at + 22));
    }

    /** How a log was sealed: the records up to the SEAL, that one included, and where the volume goes on. */
    public record Seal(long records, int generation, int epoch) {}

    /**
     * What a log says, as far as it holds: after the first {@code owned} records the map does not change, and the
     * first {@code committed} ones survived any power cut.
     * gap: valid records come after one that is not, as a power cut may leave them, and nothing else.
     */
    public record Contents(Header header, ByteBuffer bytes, long records, long owned, long committed, Optional<Seal> seal,
            boolean ended, boolean gap) {
        /** Its SEAL, when it is certain. writerLives: the kernel that took its records has them all. */
        public Optional<Seal> whole(boolean writerLives) {
            return seal.filter(certain -> writerLives || committed >= certain.records);
        }

        /** Applies the first records to a map; damage is a record that names what the map has not. */
        public void apply(String volume, BlockMap map, long upTo) {
            for (long i = 0; i < upTo; i++) {
                int at = (int) position(i);
                int type = type(bytes, at);
                if (type == OWN || type == ZERO) {
                    int block = block(bytes, at);
                    int unit = unit(bytes, at);
                    int count = count(bytes, at);
                    if (block < 0 || block >= map.blocks() || count == 0 || unit + count > BlockMap.UNITS) {
                        throw new DamagedMapException(volume, "record " + i + " of its log names block " + block
                            + ", units " + unit + "+" + count + ", which it has not");
                    }
                    if (type == ZERO) {
                        map.zero(block);
                    } else {
                        map.commit(block, unit, count);
                    }
                }
            }
        }
    }

    /**
     * Reads a whole log; what lies after the last valid record is not counted.
     *
     * @throws DamagedMapException also where a record is bad that was durable when a later one was written
     */
    public static Contents decode(String volume, byte[] object) {
        ByteBuffer bytes = ByteBuffer.wrap(object).order(ByteOrder.LITTLE_ENDIAN);
        Header header = decodeHeader(volume, bytes);
        long records = 0;
        long owned = 0;
        long committed = 0;
        Optional<Seal> seal = Optional.empty();
        boolean ended = false;
        while (!ended && isValid(bytes, header, records)) {
            int at = (int) position(records);
            int type = type(bytes, at);
            if (seal.isPresent() && type != COMMIT && type != END) {
                break;
            }
            committed = Math.max(committed, Math.min(upTo(bytes, records), records));
            records++;
            owned = type == OWN || type == ZERO ? records : owned;
            ended = type == END;
            if (type == SEAL) {
                seal = Optional.of(new Seal(records, (int) bytes.getLong(at + 24), block(bytes, at)));
            }
        }
        boolean gap = false;
        for (long later = records + 1; !ended && position(later + 1) <= object.length; later++) {
            if (isValid(bytes, header, later)) {
                gap = true;
                if (durable(bytes, later) > records) {
                    throw new DamagedMapException(volume, "record " + records + " of its log is damaged");
                }
            }
        }
        return new Contents(header, bytes, records, owned, committed, seal, ended, gap);
    }

    private static boolean isValid(ByteBuffer bytes, Header header, long record) {
        return position(record + 1) <= bytes.capacity() && valid(bytes, (int) position(record), header.crc, record);
    }

    /** Records that survive a power cut when this COMMIT does; 0 for other records. */
    private static long upTo(ByteBuffer bytes, long record) {
        int at = (int) position(record);
        return type(bytes, at) == COMMIT ? bytes.getLong(at + 24) : 0;
    }

    /** Records that had survived any power cut when this COMMIT was written; 0 for other records. */
    private static long durable(ByteBuffer bytes, long record) {
        int at = (int) position(record);
        return type(bytes, at) == COMMIT ? block(bytes, at) : 0;
    }

    private static int crc(int seed, ByteBuffer from, int at, int length) {
        CRC32C crc = new CRC32C();
        for (int shift = 0; shift < 32; shift += 8) {
            crc.update(seed >>> shift);
        }
        crc.update(from.slice(at, length));
        return (int) crc.getValue();
    }
}
