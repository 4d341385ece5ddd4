package org.archipelago.map;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.archipelago.xseg.Target;

/**
 * The objects that one volume made in one epoch.
 *
 * <pre>
 *   object name:  5f0c...32 hex digits of the volume's id...-0000000a-000001ff
 *                                                           epoch    block
 * </pre>
 */
public final class VolumeLayer implements Layer {
    /** Bytes of an object's name. */
    public static final int NAME_LENGTH = 50;
    /** Bytes of the name before the block's number. */
    public static final int PREFIX_LENGTH = NAME_LENGTH - 8;

    private final String id;
    private final int epoch;
    private final byte[] prefix;

    /**
     * @param id of the volume that made the objects: 32 hex digits, never used again
     * @param epoch of that volume when it made them, from 1
     */
    public VolumeLayer(String id, int epoch) {
        if (!id.matches("[0-9a-f]{32}")) {
            throw new IllegalArgumentException("a volume's id has 32 hex digits: id=" + id);
        }
        this.id = id;
        this.epoch = epoch;
        this.prefix = "%s-%08x-".formatted(id, epoch).getBytes(StandardCharsets.US_ASCII);
    }

    public String id() {
        return id;
    }

    public int epoch() {
        return epoch;
    }

    @Override
    public boolean has(int block) {
        return true;
    }

    @Override
    public Target object(int block) {
        return Target.of("%s-%08x-%08x".formatted(id, epoch, block));
    }

    @Override
    public int writeName(ByteBuffer to, int at, int block) {
        writeName(to, at, prefix, block);
        return NAME_LENGTH;
    }

    @Override
    public boolean hasWholeBlocks() {
        return true;
    }

    /** The same for a layer of which only the prefix of its names is known. */
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

    @Override
    public boolean equals(Object other) {
        return other instanceof VolumeLayer layer && layer.epoch == epoch && layer.id.equals(id);
    }

    @Override
    public int hashCode() {
        return 31 * id.hashCode() + epoch;
    }

    @Override
    public String toString() {
        return id + " epoch " + epoch;
    }
}
