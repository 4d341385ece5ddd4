package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.util.Optional;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Checkpoint;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.VolumeHeader;

/** Checkpoints as the objects that they are. Thread-safe; waits for the store. */
final class Checkpoints {
    private static final System.Logger LOG = System.getLogger(Checkpoints.class.getName());

    private final Copies copies;
    private final LayerTables tables;

    Checkpoints(Copies copies, LayerTables tables) {
        this.copies = copies;
        this.tables = tables;
    }

    /**
     * The map as a header's checkpoint has it; empty when both copies are missing.
     *
     * @throws DamagedMapException where neither can be read, or they differ
     */
    Optional<BlockMap> read(String volume, VolumeHeader header) {
        if (header.checkpoint().equals(VolumeHeader.NONE)) {
            return Optional.of(new BlockMap(header.blocks()));
        }
        try {
            return copies.read(header.checkpoint(), bytes -> decode(volume, header, bytes));
        } catch (IllegalArgumentException e) {
            throw new DamagedMapException(volume, e.getMessage());
        }
    }

    private BlockMap decode(String volume, VolumeHeader header, byte[] bytes) {
        return Checkpoint.decode(volume, header.checkpoint(), bytes, header.blocks(), tables);
    }

    /** Looks into both copies, and mends one from the other. */
    Optional<Finding> check(String volume, VolumeHeader header, boolean repair) {
        return header.checkpoint().equals(VolumeHeader.NONE) ? Optional.empty()
            : copies.check(header.checkpoint(), bytes -> decode(volume, header, bytes), repair);
    }

    /** Makes the checkpoint of a map, durably; returns its name. */
    String put(BlockMap map, String id, int generation) {
        String object = Checkpoint.name(id, generation);
        try {
            copies.put(object, Checkpoint.encode(map, id, generation));
        } catch (Failure e) {
            tidy(object); // nothing names it yet, and perhaps nobody tries again
            throw e;
        }
        return object;
    }

    private void tidy(String object) {
        try {
            delete(object);
        } catch (Failure e) {
            LOG.log(Level.WARNING, "an object that nothing needs was not removed: {0}", e.getMessage());
        }
    }

    /** Removes one that nothing names any more. */
    void delete(String object) {
        copies.delete(object);
    }
}
