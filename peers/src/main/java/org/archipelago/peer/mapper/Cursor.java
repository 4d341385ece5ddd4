package org.archipelago.peer.mapper;

import java.util.LinkedHashMap;
import java.util.Map;
import org.archipelago.map.TextObject;

/**
 * How far this daemon's collection has come, in an object {@code gc-cursor-DAEMON}: where it is killed, the next one goes on there.
 * What became garbage before that place meanwhile is left to the one after.
 */
final class Cursor {
    private static final int VERSION = 1;

    private final ObjectStore maps;
    private final String object;

    Cursor(ObjectStore maps, NodeIdentity me) {
        this.maps = maps;
        this.object = "gc-cursor-" + me.daemon().replaceAll("[^0-9A-Za-z]", "_");
    }

    /** A part, and what was walked through of the data. */
    record Place(Part part, String cursor) {
        static final Place BEGIN = new Place(Part.ALL, "");
    }

    Place read() {
        try {
            return maps.readText(object).map(bytes -> {
                Map<String, String> fields = TextObject.decode("gc-cursor", VERSION, bytes);
                return new Place(new Part(Integer.parseInt(fields.getOrDefault("bits", "0")), Integer.parseInt(fields.getOrDefault("part", "0"))),
                    fields.getOrDefault("cursor", ""));
            }).orElse(Place.BEGIN);
        } catch (IllegalArgumentException damaged) {
            return Place.BEGIN;
        }
    }

    /** A full store is no reason not to free space: then the next one begins at the beginning. */
    void write(Place place) {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("bits", Integer.toString(place.part.bits()));
        fields.put("part", Integer.toString(place.part.index()));
        fields.put("cursor", place.cursor);
        maps.putIfRoom(object, TextObject.encode("gc-cursor", VERSION, fields));
    }

    void delete() {
        maps.delete(object);
    }
}
