package org.archipelago.ext.node;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.Collections;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A volume or snapshot as the mapper describes it.
 *
 * @param format of its map: native, or the original's and which
 * @param origin the snapshot that it began as, or the volume that it is a snapshot of; empty: none
 * @param lease who may write it
 * @param lock who has the administrator's lock of it
 * @param created seconds since 1970; 0: unknown
 * @param problem why it cannot be used; empty where it can
 */
public record Volume(String name, Kind kind, String id, long size, long blockSize, String format, String origin,
        Optional<Holder> lease, Optional<Holder> lock, long created, SortedMap<String, String> metadata, String problem) {

    public enum Kind { VOLUME, SNAPSHOT, DAMAGED }

    /**
     * Who holds a volume.
     *
     * @param here this node's daemon
     * @param shared another node may take over
     */
    public record Holder(String node, String daemon, long since, boolean shared, boolean here) {
        public String show() {
            return (here ? "this node" : node) + (shared ? " (shared)" : "");
        }
    }

    /** Names that begin so are temporary: no list shows them unless asked to. */
    public static final String TEMPORARY = "@";

    public boolean snapshot() {
        return kind == Kind.SNAPSHOT;
    }

    public boolean temporary() {
        return name.startsWith(TEMPORARY);
    }

    static Volume of(JsonObject json) {
        TreeMap<String, String> metadata = new TreeMap<>();
        object(json, "metadata").ifPresent(m -> m.entrySet().forEach(e -> metadata.put(e.getKey(), e.getValue().getAsString())));
        Kind kind = switch (text(json, "kind")) {
            case "snapshot" -> Kind.SNAPSHOT;
            case "damaged" -> Kind.DAMAGED;
            default -> Kind.VOLUME;
        };
        return new Volume(text(json, "name"), kind, text(json, "id"), number(json, "size"),
            number(json, "blockSize"), text(json, "format"), origin(json), holder(json, "lease"), holder(json, "lock"), number(json, "created"),
            Collections.unmodifiableSortedMap(metadata), text(json, "problem"));
    }

    /** What an import left behind for a moment was the origin of nothing. */
    private static String origin(JsonObject json) {
        String origin = text(json, "origin");
        return origin.startsWith(TEMPORARY) ? "" : origin;
    }

    private static Optional<Holder> holder(JsonObject json, String key) {
        return object(json, key).map(h -> new Holder(text(h, "node"), text(h, "daemon"), number(h, "since"),
            flag(h, "shared"), flag(h, "here")));
    }

    private static Optional<JsonObject> object(JsonObject json, String key) {
        JsonElement value = json.get(key);
        return value != null && value.isJsonObject() ? Optional.of(value.getAsJsonObject()) : Optional.empty();
    }

    private static String text(JsonObject json, String key) {
        JsonElement value = json.get(key);
        return value != null && value.isJsonPrimitive() ? value.getAsString() : "";
    }

    private static long number(JsonObject json, String key) {
        JsonElement value = json.get(key);
        return value != null && value.isJsonPrimitive() ? value.getAsLong() : 0;
    }

    private static boolean flag(JsonObject json, String key) {
        JsonElement value = json.get(key);
        return value != null && value.isJsonPrimitive() && value.getAsBoolean();
    }
}
