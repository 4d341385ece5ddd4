package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Function;
import org.archipelago.map.Checkpoint;
import org.archipelago.map.DamagedMapException;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;

/**
 * Objects of blockerm that are never changed, and are there twice: one that is damaged is read, and repaired, from the other. Where
 * both look sound and are not the same, none is believed. What decodes them throws IllegalArgumentException or
 * {@link DamagedMapException}, saying what is wrong. Thread-safe; waits for the store.
 */
final class Copies {
    private static final System.Logger LOG = System.getLogger(Copies.class.getName());
    private static final int END = 4;

    private final ObjectStore maps;

    Copies(ObjectStore maps) {
        this.maps = maps;
    }

    static String second(String object) {
        return Checkpoint.secondName(object);
    }

    /** One of the two; problem: why it has no value. */
    private record Copy<T>(Optional<byte[]> bytes, Optional<T> value, String problem) {}

    private <T> Copy<T> look(String name, Function<byte[], T> decode) {
        Optional<byte[]> bytes = maps.read(name);
        if (bytes.isEmpty()) {
            return new Copy<>(bytes, Optional.empty(), "object " + name + " is missing");
        }
        try {
            return new Copy<>(bytes, Optional.of(decode.apply(bytes.get())), "");
        } catch (DamagedMapException | IllegalArgumentException e) {
            return new Copy<>(bytes, Optional.empty(), e.getMessage());
        }
    }

    /** Empty when both are missing; IllegalArgumentException where neither can be read, or they differ. */
    <T> Optional<T> read(String object, Function<byte[], T> decode) {
        Copy<T> first = look(object, decode);
        if (first.value.isPresent() && endsAlike(object, first.bytes.orElseThrow())) {
            return first.value;
        }
        Copy<T> other = look(second(object), decode);
        if (first.bytes.isEmpty() && other.bytes.isEmpty()) {
            return Optional.empty();
        }
        if (first.value.isPresent() == other.value.isPresent()) {
            throw new IllegalArgumentException(first.value.isEmpty() ? first.problem : differ(object));
        }
        LOG.log(Level.WARNING, "object {0}: one of its two copies is damaged, and the other is used; ''vlmc check --repair'' mends it: {1}", object,
            first.value.isEmpty() ? first.problem : other.problem);
        return first.value.isPresent() ? first.value : other.value;
    }

    /** Whether the second copy is as long and ends in the same bytes: where the checksum is. Anything else is looked into. */
    private boolean endsAlike(String object, byte[] first) {
        String second = second(object);
        if (maps.size(second) != first.length || first.length < END) {
            return false;
        }
        try {
            byte[] end = maps.read(second, first.length - END, END, Op.EXACT | Op.FRESH);
            return Arrays.equals(end, 0, END, first, first.length - END, first.length);
        } catch (Failure e) {
            if (e.errno() != Errno.ENOENT) {
                throw e;
            }
            return false; // it is just being removed
        }
    }

    private static String differ(String object) {
        return "object " + object + " and its second copy " + second(object) + " differ, and both look sound";
    }

    /** Compares all of both; tells of what is wrong, and mends one from the other. */
    <T> Optional<Finding> check(String object, Function<byte[], T> decode, boolean repair) {
        Copy<T> first = look(object, decode);
        Copy<T> other = look(second(object), decode);
        if (first.value.isEmpty() && other.value.isEmpty()) {
            return Optional.of(Finding.lost(object, first.problem));
        }
        if (first.value.isPresent() && other.value.isPresent()) {
            boolean same = Arrays.equals(first.bytes.orElseThrow(), other.bytes.orElseThrow());
            return same ? Optional.empty() : Optional.of(Finding.lost(object, differ(object)));
        }
        boolean firstIsGood = first.value.isPresent();
        String bad = firstIsGood ? second(object) : object;
        if (repair) {
            maps.put(bad, (firstIsGood ? first : other).bytes.orElseThrow());
        }
        return Optional.of(Finding.mendable(bad, firstIsGood ? other.problem : first.problem, repair));
    }

    /** Makes both, durably. */
    void put(String object, byte[] bytes) {
        maps.put(second(object), bytes);
        maps.put(object, bytes);
    }

    /** Removes one that nothing names any more. */
    void delete(String object) {
        maps.delete(object);
        maps.delete(second(object));
    }
}
