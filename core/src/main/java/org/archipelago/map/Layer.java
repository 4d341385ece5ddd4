package org.archipelago.map;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.archipelago.xseg.Target;

/**
 * The objects that one volume made in one epoch: block i of a volume, of its snapshots and of their
 * clones can only ever lie in block i of some layer, so a map names a layer a block and nothing more.
 *
 * <pre>
 *   object name:  5f0c...32 hex digits of the volume's id...-0000000a-000001ff
 *                                                           epoch    block
 * </pre>
 *
 * @param id of the volume that made the objects: 32 hex digits, never used again
 * @param epoch of that volume when it made them, from 1
 */
public record Layer(String id, int epoch) {
    /** Bytes of an object's name. */
    public static final int NAME_LENGTH = 50;
    /** Bytes of the name before the block's number. */
    public static final int PREFIX_LENGTH = NAME_LENGTH - 8;
    /** Bytes that {@link #writeName} may touch. */
    public static final int NAME_ROOM = 56;

    public Layer {
        if (!id.matches("[0-9a-f]{32}")) {
            throw new IllegalArgumentException("a volume's id has 32 hex digits: id=" + id);
        }
    }

    /** The part that all its objects' names begin with. */
    public byte[] prefix() {
        return "%s-%08x-".formatted(id, epoch).getBytes(StandardCharsets.US_ASCII);
    }

    public Target object(int block) {
        return Target.of("%s-%08x-%08x".formatted(id, epoch, block));
    }

    /** Writes a name into a little-endian buffer, zero padded to whole words; allocates nothing. */
    public static void writeName(ByteBuffer to, int at, byte[] prefix, int block) {
        to.put(at, prefix, 0, PREFIX_LENGTH);
        to.putLong(at + PREFIX_LENGTH, hexDigits(block));
        to.putInt(at + NAME_LENGTH, 0);
        to.putShort(at + NAME_LENGTH + 4, (short) 0);
    }

    /** The eight hex digits of a number, the first one in the lowest byte. */
    static long hexDigits(int number) {
        long nibbles = Integer.toUnsignedLong(Integer.reverseBytes(number));
        nibbles = (nibbles | nibbles << 16) & 0x0000FFFF0000FFFFL;
        nibbles = (nibbles | nibbles << 8) & 0x00FF00FF00FF00FFL;
        nibbles = (nibbles >>> 4 | nibbles << 8) & 0x0F0F0F0F0F0F0F0FL;
        long letters = (nibbles + 0x0606060606060606L) >>> 4 & 0x0101010101010101L;
        return nibbles + 0x3030303030303030L + letters * ('a' - '0' - 10);
    }
}
