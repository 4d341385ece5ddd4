package org.archipelago.peer.mapper;

import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.archipelago.map.TextObject;
import org.archipelago.posix.Errno;

/** What users and Ganeti want to have kept with a volume: object {@code info-ID}, text. Thread-safe; waits for the store. */
final class Notes {
    /** What the names of these objects begin with. */
    static final String PREFIX = "info-";

    private static final int VERSION = 1;

    private final ObjectStore maps;

    Notes(ObjectStore maps) {
        this.maps = maps;
    }

    static String objectOf(String id) {
        return PREFIX + id;
    }

    static Map<String, String> read(Texts texts, String name, String id) {
        Optional<byte[]> text = texts.readText(objectOf(id));
        try {
            return text.map(bytes -> TextObject.decode("info", VERSION, bytes)).orElseGet(Map::of);
        } catch (IllegalArgumentException e) {
            throw new Failure(Errno.EUCLEAN, "the notes of volume " + name + " (object " + objectOf(id) + ") are damaged: "
                + e.getMessage());
        }
    }

    void put(String name, String id, Map<String, String> notes) {
        byte[] bytes = TextObject.encode("info", VERSION, new TreeMap<>(notes));
        if (bytes.length > ObjectStore.TEXT_MAX) {
            throw new Failure(Errno.EMSGSIZE, "volume " + name + " would carry " + bytes.length + " bytes of notes; "
                + ObjectStore.TEXT_MAX + " are allowed");
        }
        maps.put(objectOf(id), bytes);
    }

    /** Adds notes; an empty value removes one. */
    void add(String name, String id, Map<String, String> added) {
        Map<String, String> notes = new TreeMap<>(read(maps, name, id));
        notes.putAll(added);
        notes.values().removeIf(String::isEmpty);
        put(name, id, notes);
    }
}
