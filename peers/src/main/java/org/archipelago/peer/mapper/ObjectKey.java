package org.archipelago.peer.mapper;

import java.util.Optional;
import java.util.function.IntToLongFunction;
import org.archipelago.map.ForeignLayer;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.Layer;
import org.archipelago.map.Sha256;
import org.archipelago.map.VolumeLayer;

/**
 * 64 bits that stand for the name of an object of blockerb, the same whether it is read from the store or comes from a map:
 *
 * <pre>
 *   ID-EPOCH-BLOCK   mix(mix(mix(first half of ID) + second half) ^ mix(EPOCH * 2^32 + BLOCK))
 *   sha256-HASH      the first 64 bits of HASH
 *   any other        mix(FNV-1a of the name)
 * </pre>
 *
 * Evenly spread. That any two of a million objects have the same is as likely as 1 to 37 million; then one of them is taken for
 * the other.
 */
final class ObjectKey {
    private static final int KEY_DIGITS = 16;
    private static final int ID_DIGITS = 32;
    private static final long FNV_BEGIN = 0xcbf29ce484222325L;
    private static final long FNV_PRIME = 0x100000001b3L;

    private ObjectKey() {}

    static long of(String name) {
        return of(name, DataName.parse(name));
    }

    /** parsed: what the name says. */
    static long of(String name, Optional<DataName> parsed) {
        if (parsed.isPresent() && parsed.get() instanceof DataName.Own own) {
            return own(volume(own.id()), own.epoch(), own.block());
        } else if (parsed.isPresent() && parsed.get() instanceof DataName.Content content) {
            return hex(content.hash(), 0, KEY_DIGITS);
        }
        long hash = FNV_BEGIN;
        for (int i = 0; i < name.length(); i++) {
            hash = (hash ^ name.charAt(i)) * FNV_PRIME;
        }
        return mix(hash);
    }

    /** The keys of a layer's objects, by the block; which the layer must have. */
    static IntToLongFunction of(Layer layer) {
        if (layer instanceof VolumeLayer objects) {
            long volume = volume(objects.id());
            return block -> own(volume, objects.epoch(), block);
        } else if (layer instanceof ImageLayer image) {
            return block -> bigEndian(image.table(), Sha256.BYTES * block);
        } else if (layer instanceof ForeignLayer foreign) {
            return block -> of(foreign.object(block).toString());
        }
        throw new IllegalArgumentException(layer.toString());
    }

    /** Whether it is one of ours by its name: what no map names of these is garbage, all else is not for us to judge. */
    static boolean isOurs(Optional<DataName> parsed) {
        return parsed.filter(name -> name instanceof DataName.Own || name instanceof DataName.Content).isPresent();
    }

    private static long hex(String name, int from, int to) {
        return Long.parseUnsignedLong(name, from, to, 16);
    }

    /** Of the id that a text begins with. */
    private static long volume(String id) {
        return mix(mix(hex(id, 0, KEY_DIGITS)) + hex(id, KEY_DIGITS, ID_DIGITS));
    }

    private static long own(long volume, int epoch, int block) {
        return mix(volume ^ mix((long) epoch << 32 | Integer.toUnsignedLong(block)));
    }

    private static long bigEndian(byte[] bytes, int at) {
        long value = 0;
        for (int i = at; i < at + 8; i++) {
            value = value << 8 | bytes[i] & 0xff;
        }
        return value;
    }

    /** Spreads bits; no two numbers become the same (the last step of SplitMix64). */
    private static long mix(long bits) {
        long z = (bits ^ bits >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }
}
