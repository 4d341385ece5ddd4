package org.archipelago.peer.composer;

import java.nio.ByteBuffer;
import java.util.BitSet;
import org.archipelago.map.VolumeLayer;

/** What a composer knows of the objects of one epoch of a volume that it wrote to, by the number of the block. */
final class Written {
    private static final byte[] NOTHING = new byte[0];

    /** What the objects' names begin with; empty: none was written yet. */
    private byte[] prefix = NOTHING;
    /** Written since the last flush began; and those that a flush is about to sync. */
    BitSet dirty = new BitSet();
    BitSet syncing = new BitSet();
    /** A failed write may have left something in them that no map names; the objects may be absent. */
    final BitSet doubtful = new BitSet();

    byte[] prefix() {
        return prefix;
    }

    boolean isNew() {
        return prefix.length == 0;
    }

    boolean isClean() {
        return dirty.isEmpty();
    }

    /** Whether it is of these objects; of any, as long as it is new. */
    boolean isOf(ByteBuffer name, int at) {
        boolean same = prefix.length == VolumeLayer.PREFIX_LENGTH;
        for (int i = VolumeLayer.PREFIX_LENGTH - 1; same && i >= 0; i--) {
            same = prefix[i] == name.get(at + i);
        }
        return same;
    }

    /** From now on it is of these objects. */
    void of(ByteBuffer name, int at) {
        prefix = new byte[VolumeLayer.PREFIX_LENGTH];
        name.get(at, prefix);
    }

    /** A flush begins: what is dirty so far is what it syncs. */
    void beginSync() {
        BitSet spare = syncing;
        syncing = dirty;
        dirty = spare;
    }

    /** It has ended. */
    void endSync(boolean durable) {
        if (!durable) {
            dirty.or(syncing);
        }
        syncing.clear();
    }
}
