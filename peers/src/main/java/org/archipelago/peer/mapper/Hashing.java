package org.archipelago.peer.mapper;

import com.google.gson.JsonObject;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
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
 *
 * <p>Such a volume may still be written. A step then begins while no write is under way, and is told from where on there may have
 * been any since the last such step began: what was hashed from there on is hashed again. So once all is written, one more such
 * step leaves no hash that is not of what is there, in whatever order it was written. It pays where that is mostly upwards. One
 * such run of a volume at a time. No object gets its new name before the first step of the other kind: until then the volume is
 * whole, and removing it leaves nothing.
 */
final class Hashing implements LongRuns.Run {
    /** In a step's argument: the first byte that may have been written since the last one. Absent: it is not written any more. */
    static final String CHANGED_FROM = "changedFrom";
    /** Blocks below the last one that is written which are left to a later step: they may be written again. */
    private static final int MARGIN = 9;

    private final VolumeStore store;
    private final ObjectStore blocks;
    private final Hashers.Pass pass;
    private final String name;
    private final Optional<String> into;
    private VolumeState source;
    private final BlockReader reader;
    private final ImageWriter writer;
    private final byte[] table;
    private int block;
    /** Blocks below it are hashed as they are now. */
    private int end;
    /** Blocks that are hashed and not the image's yet; blocks below named have been looked at for that. */
    private final BitSet toName = new BitSet();
    private int named;

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
        boolean follows = argument.has(CHANGED_FROM);
        long begin = System.nanoTime();
        if (follows) {
            look();
            block = (int) Math.min(block, argument.get(CHANGED_FROM).getAsLong() >>> source.header().blockShift());
            end = Math.max(block, lastWritten() - MARGIN);
        } else if (end < source.map.blocks()) {
            look();
            end = source.map.blocks();
        }
        while (block < end && System.nanoTime() - begin < LongRuns.STEP_NANOS) {
            hash(block);
            block++;
        }
        boolean hashed = !follows && block == end;
        while (hashed && into.isPresent() && named < end && System.nanoTime() - begin < LongRuns.STEP_NANOS) {
            if (toName.get(named)) {
                name(named);
            }
            named++;
        }
        return answer(hashed && (into.isEmpty() || named == end));
    }

    private JsonObject answer(boolean done) {
        JsonObject answer = new JsonObject();
        answer.addProperty("blocks", into.isPresent() ? (block + named) / 2 : block);
        answer.addProperty("of", source.map.blocks());
        if (done) {
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

    /** The map as it is now. */
    private void look() {
        VolumeState now = store.load(name);
        if (!now.header().id().equals(source.header().id()) || now.map.blocks() != source.map.blocks()) {
            throw new Failure(Errno.ENOENT, name + " was removed, renamed or changed while it was hashed");
        }
        source = now;
    }

    private int lastWritten() {
        int last = source.map.blocks() - 1;
        while (last > block && source.map.isZero(last)) {
            last--;
        }
        return last;
    }

    private void hash(int number) {
        Optional<Layer> whole = source.map.wholeLayer(number);
        Arrays.fill(table, Sha256.BYTES * number, Sha256.BYTES * (number + 1), (byte) 0);
        toName.clear(number);
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
        System.arraycopy(hash, 0, table, Sha256.BYTES * number, Sha256.BYTES);
        if (into.isEmpty()) {
            writer.copy(hash, bytes, length);
        } else {
            toName.set(number);
        }
    }

    /** A block whose hash is known becomes the image's. */
    private void name(int number) {
        byte[] hash = Arrays.copyOfRange(table, Sha256.BYTES * number, Sha256.BYTES * (number + 1));
        Layer own = source.map.layerAt(source.map.own());
        if (source.map.wholeLayer(number).equals(Optional.of(own))) {
            writer.take(own.object(number).toString(), hash);
        } else {
            ByteBuffer bytes = reader.read(source.map, number);
            writer.copy(hash, bytes, Sha256.withoutTrailingZeros(bytes, bytes.limit()));
        }
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
