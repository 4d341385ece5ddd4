package org.archipelago.peer.mapper;

import java.lang.ref.WeakReference;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.archipelago.map.Checkpoint;
import org.archipelago.map.ForeignLayer;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.Layer;
import org.archipelago.posix.Errno;

/** The tables of layers, from the store; all maps that use a table share one in memory. Thread-safe; waits for the store. */
final class LayerTables implements Checkpoint.Tables {
    private final ObjectStore maps;
    private final Map<String, WeakReference<Layer>> known = new ConcurrentHashMap<>();

    LayerTables(ObjectStore maps) {
        this.maps = maps;
    }

    @Override
    public ImageLayer image(String root) {
        String object = ImageLayer.tableName(root);
        return (ImageLayer) find(object, () -> ImageLayer.read(root, read(object)));
    }

    @Override
    public ForeignLayer foreign(String id) {
        String object = ForeignLayer.tableName(id);
        return (ForeignLayer) find(object, () -> ForeignLayer.decode(id, read(object)));
    }

    /** Two that look for one table at once may both read it: that is all the harm. */
    private Layer find(String object, Supplier<Layer> read) {
        WeakReference<Layer> reference = known.get(object);
        Layer layer = reference == null ? null : reference.get();
        if (layer == null) {
            layer = read.get();
            known.values().removeIf(other -> other.get() == null);
            known.put(object, new WeakReference<>(layer));
        }
        return layer;
    }

    private byte[] read(String object) {
        return maps.read(object).orElseThrow(() -> new Failure(Errno.EUCLEAN, "object " + object
            + " is missing, without which maps that use it cannot be read: restore it from a copy of the store"));
    }
}
