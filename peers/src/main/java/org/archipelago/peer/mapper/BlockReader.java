package org.archipelago.peer.mapper;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Layer;
import org.archipelago.map.VolumeHeader;
import org.archipelago.peer.host.Caller;
import org.archipelago.xseg.Op;

/** Reads blocks of a map from the objects that they consist of. One thread at a time; waits for the store. */
final class BlockReader {
    private static final int BLOCK = 1 << VolumeHeader.BLOCK_SHIFT;

    private final ObjectStore blocks;
    private final ByteBuffer bytes = ByteBuffer.allocate(BLOCK).order(ByteOrder.LITTLE_ENDIAN);

    BlockReader(ObjectStore blocks) {
        this.blocks = blocks;
    }

    /** The bytes of a block, little-endian, from position 0; until the next call. */
    ByteBuffer read(BlockMap map, int block) {
        map.locate(block, 0, BlockMap.UNITS, (layer, unit, count) -> {
            int from = unit << BlockMap.UNIT_SHIFT;
            int length = count << BlockMap.UNIT_SHIFT;
            if (layer < 0) {
                Arrays.fill(bytes.array(), from, from + length, (byte) 0);
            } else {
                read(map.layerAt(layer), block, from, length, 0);
            }
            return true;
        });
        return bytes.clear();
    }

    /** The same of the object that a layer has for a block, as the store has it now: not of one that was open while another took its place. */
    ByteBuffer readFresh(Layer layer, int block) {
        read(layer, block, 0, BLOCK, Op.FRESH);
        return bytes.clear();
    }

    /** flags: of the first request. */
    private void read(Layer layer, int block, int from, int length, int flags) {
        String object = layer.object(block).toString();
        int exact = layer.hasWholeBlocks() ? Op.EXACT : 0;
        for (int done = 0; done < length; ) {
            int piece = Math.min(Caller.PAYLOAD_MAX, length - done);
            byte[] read = blocks.read(object, from + done, piece, exact | (done == 0 ? flags : 0));
            System.arraycopy(read, 0, bytes.array(), from + done, piece);
            done += piece;
        }
    }
}
