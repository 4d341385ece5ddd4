package org.archipelago.map;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.archipelago.xseg.Target;

/**
 * The content-addressed objects of an image, which equal blocks share: each is named by the SHA-256 of its bytes without the
 * zeros at their end, and the image by the root of the Merkle tree over these. Its table is an object of blockerm:
 *
 * <pre>
 *   object img-ROOT   SHA-256 of block 0 (32 bytes), of block 1, ...; 32 zeros: a block of zeros
 *   object name       sha256-e3b0...64 hex digits
 * </pre>
 */
public final class ImageLayer implements Layer {
    /** What names of content-addressed objects begin with. */
    public static final String PREFIX = "sha256-";
    /** Bytes of an object's name. */
    public static final int NAME_LENGTH = PREFIX.length() + 2 * Sha256.BYTES;

    private static final byte[] PREFIX_BYTES = PREFIX.getBytes(StandardCharsets.US_ASCII);
    private static final byte[] DIGITS = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    private final String root;
    private final byte[] table;

    private ImageLayer(String root, byte[] table) {
        this.root = root;
        this.table = table;
    }

    /** The layer of a table whose root is computed; the array is the layer's from then on. */
    public static ImageLayer of(byte[] table) {
        return new ImageLayer(HexFormat.of().formatHex(new Sha256().merkleRoot(table)), table);
    }

    /**
     * The layer of a table that was read, which is the layer's from then on.
     *
     * @throws IllegalArgumentException where the table is not that of the root
     */
    public static ImageLayer read(String root, byte[] table) {
        if (table.length % Sha256.BYTES != 0 || !of(table).root.equals(root)) {
            throw new IllegalArgumentException("the table of image " + root + " (object " + tableName(root) + ") is damaged");
        }
        return new ImageLayer(root, table);
    }

    public static String tableName(String root) {
        return "img-" + root;
    }

    public static String objectName(byte[] hash) {
        return PREFIX + HexFormat.of().formatHex(hash);
    }

    /** 64 hex digits. */
    public String root() {
        return root;
    }

    /** The object that the table is kept in. */
    public String tableName() {
        return tableName(root);
    }

    /** What the table's object holds; not to be changed. */
    public byte[] table() {
        return table;
    }

    public int blocks() {
        return table.length / Sha256.BYTES;
    }

    /** Whether the image has the block, and it is not of zeros. */
    @Override
    public boolean has(int block) {
        if (block < 0 || block >= blocks()) {
            return false;
        }
        for (int i = 0; i < Sha256.BYTES; i++) {
            if (table[Sha256.BYTES * block + i] != 0) {
                return true;
            }
        }
        return false;
    }

    @Override
    public Target object(int block) {
        return Target.of(PREFIX + HexFormat.of().formatHex(table, Sha256.BYTES * block, Sha256.BYTES * (block + 1)));
    }

    @Override
    public int writeName(ByteBuffer to, int at, int block) {
        if (!has(block)) {
            return 0;
        }
        int next = at;
        for (byte b : PREFIX_BYTES) {
            to.put(next++, b);
        }
        for (int i = Sha256.BYTES * block; i < Sha256.BYTES * (block + 1); i++) {
            to.put(next++, DIGITS[table[i] >> 4 & 15]);
            to.put(next++, DIGITS[table[i] & 15]);
        }
        while ((next - at) % 8 != 0) {
            to.put(next++, (byte) 0);
        }
        return NAME_LENGTH;
    }

    @Override
    public boolean hasWholeBlocks() {
        return false;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ImageLayer layer && layer.root.equals(root);
    }

    @Override
    public int hashCode() {
        return root.hashCode();
    }

    @Override
    public String toString() {
        return "image " + root;
    }
}
