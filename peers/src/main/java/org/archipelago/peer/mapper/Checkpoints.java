package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.util.Arrays;
import java.util.Optional;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Checkpoint;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.VolumeHeader;

/**
 * Checkpoints as the objects that they are: each is there twice, so that one that is damaged can be read, and repaired, from the
 * other. Where both look sound and are not the same, none is believed. Thread-safe; waits for the store.
 */
final class Checkpoints {
    private static final System.Logger LOG = System.getLogger(Checkpoints.class.getName());
    private static final int CHECKSUM = 4;

    private final ObjectStore maps;
    private final LayerTables tables;

    Checkpoints(ObjectStore maps, LayerTables tables) {
        this.maps = maps;
        this.tables = tables;
    }

    /**
     * The map as a header's checkpoint has it; empty when both copies are missing.
     *
     * @throws DamagedMapException where neither can be read, or they differ
     */
    Optional<BlockMap> read(String volume, VolumeHeader header) {
        String object = header.checkpoint();
        if (object.equals(VolumeHeader.NONE)) {
            return Optional.of(new BlockMap(header.blocks()));
        }
        Optional<byte[]> first = maps.read(object);
        Optional<DamagedMapException> damage = Optional.empty();
        Optional<BlockMap> map = Optional.empty();
        try {
            map = first.map(bytes -> decode(volume, header, bytes));
        } catch (DamagedMapException e) {
            damage = Optional.of(e);
        }
        if (map.isPresent()) {
            compare(volume, header, first.get());
            return map;
        }
        Optional<byte[]> second = maps.read(Checkpoint.secondName(object));
        if (second.isEmpty() && first.isEmpty()) {
            return Optional.empty();
        }
        DamagedMapException problem = damage.orElseGet(() -> new DamagedMapException(volume, "its checkpoint " + object + " is missing"));
        BlockMap other = readSecond(volume, header, second, problem);
        LOG.log(Level.WARNING, "{0}; its second copy is used: ''vlmc check --repair {1}'' mends it", problem.getMessage(), volume);
        return Optional.of(other);
    }

    private BlockMap readSecond(String volume, VolumeHeader header, Optional<byte[]> second, DamagedMapException damage) {
        try {
            return decode(volume, header, second.orElseThrow(() -> damage));
        } catch (DamagedMapException both) {
            throw damage;
        }
    }

    private BlockMap decode(String volume, VolumeHeader header, byte[] bytes) {
        return Checkpoint.decode(volume, header.checkpoint(), bytes, header.blocks(), tables);
    }

    /** Whether the second copy ends as the first does, with the checksum of all before; else it must be damaged, and not another. */
    private void compare(String volume, VolumeHeader header, byte[] first) {
        String name = Checkpoint.secondName(header.checkpoint());
        long size = maps.size(name);
        if (size == first.length) {
            byte[] end = maps.read(name, size - CHECKSUM, CHECKSUM, true);
            if (Arrays.equals(end, 0, CHECKSUM, first, first.length - CHECKSUM, first.length)) {
                return;
            }
        }
        try {
            maps.read(name).ifPresent(second -> decode(volume, header, second));
        } catch (DamagedMapException e) {
            LOG.log(Level.WARNING, "{0} (in its second copy, which is not used: ''vlmc check --repair {1}'' mends it)", e.getMessage(), volume);
            return;
        }
        if (size >= 0) {
            throw new DamagedMapException(volume, "its checkpoint " + header.checkpoint() + " and the second copy " + name + " differ");
        }
        LOG.log(Level.WARNING, "the second copy of checkpoint {0} of volume {1} is missing: ''vlmc check --repair {1}'' makes it anew",
            header.checkpoint(), volume);
    }

    /** Makes the checkpoint of a map, durably, in both copies; returns its name. */
    String put(BlockMap map, String id, int generation) {
        String object = Checkpoint.name(id, generation);
        byte[] bytes = Checkpoint.encode(map, id, generation);
        maps.put(Checkpoint.secondName(object), bytes);
        maps.put(object, bytes);
        return object;
    }

    /** Removes one that nothing names any more. */
    void delete(String object) {
        maps.delete(object);
        maps.delete(Checkpoint.secondName(object));
    }
}
