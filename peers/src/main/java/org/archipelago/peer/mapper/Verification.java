package org.archipelago.peer.mapper;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.Layer;
import org.archipelago.map.Sha256;

/**
 * Reads every object that a map names, and names those that are missing, too short, cannot be read, or hold other contents
 * than their names say. The map is that of the moment of the beginning; of a volume that is written
 * meanwhile, an object may have gone since: such a one is looked at in the present map again.
 */
final class Verification implements LongRuns.Run {
    private static final int DAMAGED_MOST = 200;

    private final VolumeStore store;
    private final String name;
    private final BlockReader reader;
    private final Sha256 sha = new Sha256();
    private VolumeState source;
    private int block;
    private long bytes;

    Verification(VolumeStore store, ObjectStore blocks, String name) {
        this.store = store;
        this.name = name;
        this.source = store.load(name);
        this.reader = new BlockReader(blocks);
    }

    @Override
    public JsonObject step(JsonObject argument) {
        long begin = System.nanoTime();
        JsonArray damaged = new JsonArray();
        while (block < source.map.blocks() && damaged.size() < DAMAGED_MOST && System.nanoTime() - begin < LongRuns.STEP_NANOS) {
            JsonArray here = verify();
            if (!here.isEmpty()) {
                source = store.load(name);
                here = block < source.map.blocks() ? verify() : here;
            }
            damaged.addAll(here);
            block++;
        }
        JsonObject answer = new JsonObject();
        answer.addProperty("blocks", block);
        answer.addProperty("of", source.map.blocks());
        answer.addProperty("bytes", bytes);
        answer.add("damaged", damaged);
        answer.addProperty("done", block >= source.map.blocks());
        return answer;
    }

    private JsonArray verify() {
        JsonArray damaged = new JsonArray();
        source.map.forEachNamed(block, (number, of) -> {
            Layer layer = source.map.layerAt(number);
            String problem = problem(layer);
            if (!problem.isEmpty()) {
                JsonObject one = new JsonObject();
                one.addProperty("block", block);
                one.addProperty("object", layer.object(block).toString());
                one.addProperty("problem", problem);
                damaged.add(one);
            }
        });
        return damaged;
    }

    private String problem(Layer layer) {
        try {
            ByteBuffer contents = reader.readFresh(layer, block);
            bytes += contents.limit();
            if (layer instanceof ImageLayer image) {
                int length = Sha256.withoutTrailingZeros(contents, contents.limit());
                byte[] hash = sha.of(contents.limit(length));
                boolean same = Arrays.equals(hash, 0, Sha256.BYTES, image.table(), Sha256.BYTES * block, Sha256.BYTES * (block + 1));
                return same ? "" : "its contents are not those that its name says";
            }
            return "";
        } catch (Failure e) {
            return e.getMessage();
        }
    }
}
