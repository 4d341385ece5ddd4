package org.archipelago.peer.mapper;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.Optional;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Layer;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeLayer;
import org.archipelago.peer.mapper.LockRecord.Kind;

/** Describes volumes to people and programs, as JSON. */
final class VolumeDescriber {
    /** Nobody holds what the original left, and nothing is noted of it. */
    private static final Texts NOTHING = object -> Optional.empty();

    private final VolumeStore store;
    private final Leases leases;
    private final Texts maps;

    VolumeDescriber(VolumeStore store, Leases leases, Texts maps) {
        this.store = store;
        this.leases = leases;
        this.maps = maps;
    }

    /** A volume that is listed; one that cannot be read says so instead; empty: of its name the original left no volume. */
    Optional<JsonObject> describe(String name, VolumeListing listing) {
        try {
            return listing.isOriginal(name) ? store.originals().find(name).map(header -> describe(name, header, NOTHING))
                : Optional.of(describe(name, Headers.header(listing, name), listing));
        } catch (Failure e) {
            JsonObject json = new JsonObject();
            json.addProperty("name", name);
            json.addProperty("kind", "damaged");
            json.addProperty("problem", e.getMessage());
            return Optional.of(json);
        }
    }

    JsonObject describe(String name, VolumeHeader header) {
        return describe(name, header, maps);
    }

    private JsonObject describe(String name, VolumeHeader header, Texts texts) {
        JsonObject json = new JsonObject();
        json.addProperty("name", name);
        json.addProperty("kind", header.readOnly() ? "snapshot" : "volume");
        json.addProperty("size", header.size());
        json.addProperty("readOnly", header.readOnly());
        json.addProperty("id", header.id());
        json.addProperty("blockSize", header.blockSize());
        json.addProperty("format", store.originals().format(name, header));
        json.addProperty("epoch", header.epoch());
        if (!header.origin().equals(VolumeHeader.NONE)) {
            json.addProperty("origin", header.origin());
        }
        json.addProperty("created", header.created());
        if (!header.readOnly()) {
            lock(json, "lease", name, header, Kind.LEASE, texts);
        }
        lock(json, "lock", name, header, Kind.ADMIN, texts);
        JsonObject metadata = new JsonObject();
        try {
            Notes.read(texts, name, header.id()).forEach(metadata::addProperty);
        } catch (Failure e) {
            json.addProperty("problem", e.getMessage());
        }
        json.add("metadata", metadata);
        return json;
    }

    private void lock(JsonObject json, String field, String name, VolumeHeader header, Kind kind, Texts texts) {
        Optional<Leases.Holder> holder;
        try {
            holder = Leases.holder(texts, kind, name, header.id());
        } catch (Failure e) {
            json.addProperty("problem", e.getMessage());
            return;
        }
        if (holder.isPresent()) {
            JsonObject lock = new JsonObject();
            lock.addProperty("node", holder.get().record().node());
            lock.addProperty("daemon", holder.get().record().daemon());
            lock.addProperty("since", holder.get().record().since());
            lock.addProperty("shared", holder.get().shared());
            lock.addProperty("here", leases.mine(holder.get()));
            json.add(field, lock);
        }
    }

    /** What a volume's map consists of. */
    JsonObject map(String name) {
        VolumeState volume = store.load(name);
        BlockMap.Usage usage = volume.map.usage();
        JsonObject json = describe(name, volume.header());
        json.addProperty("checkpoint", volume.header().checkpoint());
        json.addProperty("log", volume.log.object.toString());
        json.addProperty("logRecords", volume.log.records);
        json.addProperty("blocks", usage.blocks());
        json.addProperty("zero", usage.zero());
        json.addProperty("whole", usage.whole());
        json.addProperty("partial", usage.partial());
        JsonArray layers = new JsonArray();
        for (Layer layer : volume.map.layers()) {
            JsonObject entry = new JsonObject();
            if (layer instanceof VolumeLayer objects) {
                entry.addProperty("id", objects.id());
                entry.addProperty("epoch", objects.epoch());
            }
            entry.addProperty("layer", layer.toString());
            entry.addProperty("blocks", usage.byLayer().getOrDefault(layer, 0));
            layers.add(entry);
        }
        json.add("layers", layers);
        return json;
    }
}
