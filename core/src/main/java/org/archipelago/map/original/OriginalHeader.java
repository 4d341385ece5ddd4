package org.archipelago.map.original;

import org.archipelago.map.DamagedMapException;
import org.archipelago.map.VolumeHeader;

/**
 * What a map of the original says about itself.
 *
 * @param object of blockerm that it was read from
 * @param size bytes, 1 to {@link VolumeHeader#MAX_SIZE}; of a deleted one anything
 * @param readOnly a snapshot or an image
 * @param deleted the original removed it, and keeps its epoch here
 * @param epoch 0 where the format has none
 */
public record OriginalHeader(Format format, String object, long size, boolean readOnly, boolean deleted, long epoch) {
    /** Formats in the order of their age. */
    public enum Format { V0, V1, V2 }

    /** Bytes of a block: those of our maps, and the only ones that the original's commands make. */
    static final int BLOCK = 1 << VolumeHeader.BLOCK_SHIFT;

    /** The size takes as many blocks, the last one perhaps in part. */
    public int blocks() {
        return Math.toIntExact((size + BLOCK - 1) >>> VolumeHeader.BLOCK_SHIFT);
    }

    static void checkSize(String volume, String what, long size) {
        if (size <= 0 || size > VolumeHeader.MAX_SIZE) {
            throw new DamagedMapException(volume, what + " says that it has " + Long.toUnsignedString(size) + " bytes; 1 to "
                + VolumeHeader.MAX_SIZE + " are possible");
        }
    }
}
