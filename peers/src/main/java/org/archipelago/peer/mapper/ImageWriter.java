package org.archipelago.peer.mapper;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.Sha256;
import org.archipelago.peer.host.Caller;
import org.archipelago.posix.Errno;

/**
 * Stores blocks under the names of their contents, each content once. An object gets its name when all of it is durable, so
 * what has such a name is whole. One thread at a time.
 */
final class ImageWriter {
    private final ObjectStore blocks;
    private final String part;
    private final Sha256 sha = new Sha256();
    private long stored;
    private long found;

    /** @param part name of the object that contents are written to first; nobody else's */
    ImageWriter(ObjectStore blocks, String part) {
        this.blocks = blocks;
        this.part = part;
    }

    /** Blocks that were stored, and those whose contents were there. */
    long stored() {
        return stored;
    }

    long found() {
        return found;
    }

    /** The hash of a block, from position 0, of which so many bytes are left without the zeros at its end. */
    byte[] hash(ByteBuffer block, int length) {
        return sha.of(block.duplicate().limit(length));
    }

    /** Stores a copy of a block, where there is none. */
    void copy(byte[] hash, ByteBuffer block, int length) {
        String object = ImageLayer.objectName(hash);
        if (blocks.exists(object)) {
            found++;
            return;
        }
        blocks.delete(part);
        for (int at = 0; at < length; at += Caller.PAYLOAD_MAX) {
            int end = Math.min(length, at + Caller.PAYLOAD_MAX);
            if (end == length || !isZero(block, at, end)) {
                blocks.write(part, at, Arrays.copyOfRange(block.array(), at, end));
            }
        }
        take(part, object);
    }

    /** Gives an object that holds a block, and that nobody writes or needs under its name any more, the name of its contents. */
    void take(String from, byte[] hash) {
        take(from, ImageLayer.objectName(hash));
    }

    private void take(String from, String object) {
        blocks.sync(from);
        switch (blocks.rename(from, object)) {
            case 0 -> stored++;
            case Errno.EEXIST -> {
                blocks.delete(from); // another was faster with the same contents
                found++;
            }
            default -> throw new Failure(Errno.EIO, "object " + from + " went away while it became " + object);
        }
    }

    private static boolean isZero(ByteBuffer block, int from, int end) {
        for (int i = from; i < end; i++) {
            if (block.get(i) != 0) {
                return false;
            }
        }
        return true;
    }

    /** Leaves nothing unnamed behind. */
    void close() {
        blocks.delete(part);
    }
}
