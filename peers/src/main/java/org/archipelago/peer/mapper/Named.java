package org.archipelago.peer.mapper;

import java.nio.ByteBuffer;
import org.archipelago.map.BlockMap;
import org.archipelago.map.ForeignLayer;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.Layer;
import org.archipelago.map.Sha256;
import org.archipelago.map.VolumeLayer;

/**
 * What maps name, of one {@link Part}: marks it, and looks it up.
 *
 * <pre>
 *   object of a volume     a, b: its id      c: epoch &lt;&lt; 32 | block / 64      bit: block % 64
 *   checkpoint             a, b: its id      c: 1 &lt;&lt; 63 | generation          bit: 0       of all parts
 *   table of names         a, b: its id      c: 1 &lt;&lt; 63                 bit: 1
 *   contents, by hash      a, b, c: the first 192 bits                        bit: 0
 *   table of an image      a, b, c: the first 192 bits of the root            bit: 1
 * </pre>
 */
final class Named {
    private final Marks marks;
    private final Part part;
    private boolean full;

    Named(Marks marks, Part part) {
        this.marks = marks;
        this.part = part;
    }

    Part part() {
        return part;
    }

    long count() {
        return marks.count();
    }

    /** Whether there was no room for something: then nothing that is looked up counts. */
    boolean isFull() {
        return full;
    }

    static long high(String hex) {
        return Long.parseUnsignedLong(hex, 0, 16, 16);
    }

    static long low(String hex) {
        return Long.parseUnsignedLong(hex, 16, 32, 16);
    }

    private static long third(String hex) {
        return Long.parseUnsignedLong(hex, 32, 48, 16);
    }

    boolean isInPart(String hex) {
        return part.has(high(hex), low(hex));
    }

    // --- marking

    void checkpoint(String id, int generation) {
        add(high(id), low(id), Long.MIN_VALUE | generation, 0);
    }

    /** All that a map names. */
    void map(BlockMap map) {
        int layers = map.layers().size();
        long[] a = new long[layers];
        long[] b = new long[layers];
        ByteBuffer[] tables = new ByteBuffer[layers];
        for (int i = 0; i < layers; i++) {
            Layer layer = map.layerAt(i);
            if (layer instanceof VolumeLayer of) {
                a[i] = high(of.id());
                b[i] = low(of.id());
            } else if (layer instanceof ImageLayer image) {
                tables[i] = ByteBuffer.wrap(image.table());
                inPart(high(image.root()), low(image.root()), third(image.root()), 1);
            } else if (layer instanceof ForeignLayer foreign) {
                inPart(high(foreign.id()), low(foreign.id()), Long.MIN_VALUE, 1);
            }
        }
        map.forEachNamed((number, block) -> {
            if (tables[number] != null) {
                int at = Sha256.BYTES * block;
                inPart(tables[number].getLong(at), tables[number].getLong(at + 8), tables[number].getLong(at + 16), 0);
            } else if (map.layerAt(number) instanceof VolumeLayer of) {
                inPart(a[number], b[number], word(of.epoch(), block), block & 63);
            }
        });
    }

    private static long word(int epoch, int block) {
        return (long) epoch << 32 | block >>> 6;
    }

    private void inPart(long a, long b, long c, int bit) {
        if (part.has(a, b)) {
            add(a, b, c, bit);
        }
    }

    private void add(long a, long b, long c, int bit) {
        full = full || !marks.add(a, b, c, bit);
    }

    // --- looking up

    boolean hasCheckpoint(String id, int generation) {
        return marks.has(high(id), low(id), Long.MIN_VALUE | generation, 0);
    }

    boolean has(DataName.Own own) {
        return marks.has(high(own.id()), low(own.id()), word(own.epoch(), own.block()), own.block() & 63);
    }

    boolean hasContents(String hash) {
        return marks.has(high(hash), low(hash), third(hash), 0);
    }

    boolean hasImage(String root) {
        return marks.has(high(root), low(root), third(root), 1);
    }

    boolean hasNames(String id) {
        return marks.has(high(id), low(id), Long.MIN_VALUE, 1);
    }
}
