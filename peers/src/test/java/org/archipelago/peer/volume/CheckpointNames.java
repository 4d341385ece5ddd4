package org.archipelago.peer.volume;

import java.util.Set;
import java.util.TreeSet;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Checkpoint;
import org.archipelago.map.ForeignLayer;
import org.archipelago.map.ImageLayer;

/** What a checkpoint names, by its own words. */
final class CheckpointNames {
    private CheckpointNames() {}

    static Set<String> of(String object, byte[] bytes, MemoryStore store) {
        Set<String> names = new TreeSet<>();
        BlockMap map = Checkpoint.decode("test", object, bytes, 1 << 20, new Checkpoint.Tables() {
            @Override
            public ImageLayer image(String root) {
                names.add(ImageLayer.tableName(root));
                names.add(Checkpoint.secondName(ImageLayer.tableName(root)));
                MemoryStore.Content table = store.find(ImageLayer.tableName(root)).orElseThrow();
                return ImageLayer.read(root, store.read(table, 0, (int) store.size(table)));
            }

            @Override
            public ForeignLayer foreign(String id) {
                throw new AssertionError("there is none");
            }
        });
        map.forEachNamed((layer, block) -> names.add(map.layerAt(layer).object(block).toString()));
        return names;
    }
}
