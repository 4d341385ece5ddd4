package org.archipelago.peer.mapper;

import com.google.gson.JsonObject;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.archipelago.map.BlockMap;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.Layer;
import org.archipelago.map.Sha256;
import org.archipelago.map.VolumeHeader;
import org.archipelago.posix.Errno;

/**
 * Makes the content-addressed form of a snapshot, block by block: in the end the snapshot's header names a checkpoint over the
 * image, and what only the snapshot used before is garbage. Or makes a snapshot out of a volume that nobody will use any
 * more: its whole objects then become the image's by a new name, and are not copied.
 */
final class Hashing implements LongRuns.Run {
    private final VolumeStore store;
    private final ObjectStore blocks;
    private final Hashers.Pass pass;
    private final String name;
    private final Optional<String> into;
    private final VolumeState source;
    private final BlockReader reader;
    private final ImageWriter writer;
    private final byte[] table;
    private int block;

    /**
     * @param pass the right to do this, which is given back at the end
     * @param into the snapshot to make of volume name; empty: name is a snapshot, and stays one
     */
    Hashing(VolumeStore store, ObjectStore blocks, Hashers.Pass pass, String run, String name, Optional<String> into) {
        this.store = store;
        this.blocks = blocks;
        this.pass = pass;
        this.name = name;
        this.into = into;
        if (into.isEmpty()) {
            store.headers().changeable(name);
        }
        this.source = store.load(name);
        if (source.header().readOnly() == into.isPresent()) {
            throw new Failure(Errno.EINVAL, into.isPresent() ? name + " is a snapshot already"
                : name + " is a volume, which changes: hash a snapshot of it (vlmc snapshot " + name + " NAME)");
        }
        into.ifPresent(store.headers()::refuseExisting);
        this.reader = new BlockReader(blocks);
        this.writer = new ImageWriter(blocks, Hashers.partName(run));
        this.table = new byte[Math.multiplyExact(source.map.blocks(), Sha256.BYTES)];
    }

    @Override
    public JsonObject step(JsonObject argument) {
        long begin = System.nanoTime();
        while (block < source.map.blocks() && System.nanoTime() - begin < LongRuns.STEP_NANOS) {
            hash(block);
            block++;
        }
        JsonObject answer = new JsonObject();
        answer.addProperty("blocks", block);
        answer.addProperty("of", source.map.blocks());
        if (block == source.map.blocks()) {
            ImageLayer image = ImageLayer.of(table);
            if (into.isPresent()) {
                store.imageOf(source, image, into.get());
            } else {
                store.becomeImage(name, source.header(), image);
            }
            answer.addProperty("root", image.root());
            answer.addProperty("done", true);
        }
        answer.addProperty("stored", writer.stored());
        answer.addProperty("found", writer.found());
        return answer;
    }

    private void hash(int number) {
        Optional<Layer> whole = source.map.wholeLayer(number);
        if (source.map.isZero(number)) {
            return;
        }
        if (whole.isPresent() && whole.get() instanceof ImageLayer image) {
            System.arraycopy(image.table(), Sha256.BYTES * number, table, Sha256.BYTES * number, Sha256.BYTES);
            return;
        }
        ByteBuffer bytes = reader.read(source.map, number);
        int length = Sha256.withoutTrailingZeros(bytes, bytes.limit());
        if (length == 0) {
            return;
        }
        byte[] hash = writer.hash(bytes, length);
        if (into.isPresent() && whole.equals(Optional.of(source.map.layerAt(source.map.own())))) {
            writer.take(whole.get().object(number).toString(), hash);
        } else {
            writer.copy(hash, bytes, length);
        }
        System.arraycopy(hash, 0, table, Sha256.BYTES * number, Sha256.BYTES);
    }

    @Override
    public void close() {
        try {
            writer.close();
        } finally {
            pass.close();
        }
    }
}
