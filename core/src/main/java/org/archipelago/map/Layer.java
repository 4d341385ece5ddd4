package org.archipelago.map;

import java.nio.ByteBuffer;
import org.archipelago.xseg.Target;

/**
 * Where some blocks of volumes lie. Block i of a volume, of its snapshots and of their clones can only ever lie in block i of
 * some layer, so a map names a layer a block and nothing more. Immutable; two that name the same objects are equal.
 */
public sealed interface Layer permits VolumeLayer, ImageLayer, ForeignLayer {
    /** Longest name of an object, bytes: that of the original's maps. */
    int NAME_MAX = 123;
    /** Bytes that {@link #writeName} may touch. */
    int NAME_ROOM = 128;

    /** Whether there is an object for the block; a map names no other. */
    boolean has(int block);

    /** The object that holds a block; the layer has it. */
    Target object(int block);

    /**
     * Writes an object's name into a little-endian buffer, zero padded to whole words; allocates nothing.
     *
     * @return its length in bytes; 0: the layer does not have the block
     */
    int writeName(ByteBuffer to, int at, int block);

    /** Whether each object has as many bytes as a block: else zeros follow its end. */
    boolean hasWholeBlocks();
}
