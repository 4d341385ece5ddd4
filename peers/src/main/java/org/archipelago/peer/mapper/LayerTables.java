package org.archipelago.peer.mapper;

import java.lang.ref.WeakReference;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.archipelago.map.Checkpoint;
import org.archipelago.map.ForeignLayer;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.Layer;
import org.archipelago.posix.Errno;

/** The tables of layers, from the store; all maps that use a table share one in memory. Thread-safe; waits for the store. */
final class LayerTables implements Checkpoint.Tables {
    private final Copies copies;
    private final Map<String, WeakReference<Layer>> known = new ConcurrentHashMap<>();

    LayerTables(Copies copies) {
        this.copies = copies;
    }

    @Override
    public ImageLayer image(String root) {
        return (ImageLayer) find(ImageLayer.tableName(root), table -> ImageLayer.read(root, table));
    }

    @Override
    public ForeignLayer foreign(String id) {
        return (ForeignLayer) find(ForeignLayer.tableName(id), table -> ForeignLayer.decode(id, table));
    }

    /** Two that look for one table at once may both read it: that is all the harm. */
    private Layer find(String object, Function<byte[], Layer> decode) {
        WeakReference<Layer> reference = known.get(object);
        Layer layer = reference == null ? null : reference.get();
        if (layer == null) {
            layer = copies.read(object, decode).orElseThrow(() -> new Failure(Errno.EUCLEAN, "object " + object
                + " is missing, without which maps that use it cannot be read: restore it from a copy of the store"));
            known.values().removeIf(other -> other.get() == null);
            known.put(object, new WeakReference<>(layer));
        }
        return layer;
    }

    /** Looks into both copies of a layer's table, if it has one, and mends one from the other. */
    Optional<Finding> check(Layer layer, boolean repair) {
        if (layer instanceof ImageLayer image) {
            return copies.check(image.tableName(), table -> ImageLayer.read(image.root(), table), repair);
        } else if (layer instanceof ForeignLayer foreign) {
            return copies.check(ForeignLayer.tableName(foreign.id()), table -> ForeignLayer.decode(foreign.id(), table), repair);
        }
        return Optional.empty();
    }

    /** Makes an image's table where there is none that is sound; one that is in memory may be garbage collection's by now. */
    void put(ImageLayer image) {
        put(image.tableName(), table -> ImageLayer.read(image.root(), table), image.table());
    }

    /** The same of objects of the original. */
    void put(ForeignLayer layer) {
        put(ForeignLayer.tableName(layer.id()), table -> ForeignLayer.decode(layer.id(), table), layer.encode());
    }

    private void put(String object, Function<byte[], Layer> decode, byte[] table) {
        if (copies.check(object, decode, true).filter(finding -> finding.state() == Finding.State.LOST).isPresent()) {
            copies.put(object, table);
        }
    }
}
