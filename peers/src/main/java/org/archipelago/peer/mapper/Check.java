package org.archipelago.peer.mapper;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.archipelago.map.IdRecord;
import org.archipelago.map.Layer;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeLayer;

/**
 * Looks whether a volume is what it should be: header and record, checkpoint and tables in both copies, logs, and whether each
 * object that the map names is there and long enough. Mends what can be proven, and nothing else: a copy from
 * the other one, a header from its record and a record from its header. What the objects hold, {@link Verification} reads.
 */
final class Check implements LongRuns.Run {
    private static final int FINDINGS_MOST = 200;

    private final VolumeStore store;
    private final ObjectStore blocks;
    private final String name;
    private final boolean repair;
    /** Of the present step. */
    private JsonArray findings = new JsonArray();
    private Optional<VolumeState> source = Optional.empty();
    /** Layers whose objects another volume writes now, by its name, as long as none of them was told of. */
    private final Map<Layer, String> written = new HashMap<>();
    private boolean begun;
    private int block;

    Check(VolumeStore store, ObjectStore blocks, String name, boolean repair) {
        this.store = store;
        this.blocks = blocks;
        this.name = name;
        this.repair = repair;
    }

    @Override
    public JsonObject step(JsonObject argument) {
        long until = System.nanoTime() + LongRuns.STEP_NANOS;
        findings = new JsonArray();
        if (!begun) {
            begun = true;
            Optional<VolumeHeader> header = header();
            header.ifPresent(this::map);
        }
        int blocksOf = source.map(volume -> volume.map.blocks()).orElse(0);
        while (block < blocksOf && System.nanoTime() < until && findings.size() < FINDINGS_MOST) {
            objects(source.orElseThrow());
            block++;
        }
        JsonObject answer = new JsonObject();
        answer.addProperty("blocks", block);
        answer.addProperty("of", blocksOf);
        answer.add("findings", findings);
        answer.addProperty("done", block >= blocksOf);
        return answer;
    }

    private void tell(Finding finding) {
        findings.add(finding.json());
    }

    // --- the header, and its record

    /** The header; empty where there is none, and none was made. */
    private Optional<VolumeHeader> header() {
        String object = VolumeHeader.objectOf(name);
        String problem = "object " + object + " is missing";
        Optional<VolumeHeader> found = Optional.empty();
        try {
            found = store.headers().find(name);
        } catch (Failure e) {
            problem = e.getMessage();
        }
        if (found.isPresent()) {
            if (!Originals.isOne(name, found.get())) {
                record(found.get());
            }
            return found;
        }
        List<IdRecord> records = new ArrayList<>(store.records().ofName(name));
        records.removeIf(record -> record.state() != IdRecord.State.LIVE);
        if (records.isEmpty()) {
            store.headers().header(name); // says that there is none, or what is wrong with it
        }
        if (records.size() != 1) {
            tell(Finding.lost(object, problem + "; " + records.size() + " records say that it is theirs"));
            return Optional.empty();
        }
        VolumeHeader header = records.get(0).header();
        if (repair) {
            store.restoreHeader(name, header);
        }
        tell(Finding.mendable(object, problem, repair));
        return Optional.of(header).filter(there -> repair);
    }

    private void record(VolumeHeader header) {
        String object = IdRecord.objectOf(header.id());
        String problem = "";
        try {
            Optional<IdRecord> record = store.records().find(header.id());
            if (record.isPresent() && record.get().names(name)) {
                return;
            }
            problem = record.map(other -> "the record of " + name + " (object " + object + ") says that it is " + other.name()).orElse(
                "the record of " + name + " (object " + object + ") is missing");
            if (store.headers().twin(name, header).isPresent()) {
                tell(Finding.lost(VolumeHeader.objectOf(name), "volumes " + name + " and " + record.get().name() + " are one volume under two "
                    + "names, and both would write the same objects: one of their headers was copied by hand; remove the copy's"
                    + " object from the store, not the volume"));
                return;
            }
        } catch (Failure e) {
            problem = e.getMessage();
        }
        if (repair) {
            store.records().put(name, header);
        }
        tell(Finding.mendable(object, problem, repair));
    }

    // --- the map

    private void map(VolumeHeader header) {
        store.checkCheckpoint(name, header, repair).ifPresent(this::tell);
        try {
            source = Optional.of(store.load(name));
        } catch (Failure e) {
            tell(Finding.lost(header.log().equals(VolumeHeader.NONE) ? header.checkpoint() : header.log(), e.getMessage()));
            return;
        }
        for (Layer layer : Originals.isOne(name, header) ? List.<Layer>of() : source.get().map.layers()) {
            store.checkTable(layer, repair).ifPresent(this::tell);
            if (layer instanceof VolumeLayer of && !of.id().equals(header.id())) {
                writer(of).ifPresent(other -> written.put(of, other));
            }
        }
    }

    /** The volume that writes the objects of a layer: it has not left that epoch, so nobody else can have come to name them. */
    private Optional<String> writer(VolumeLayer layer) {
        try {
            return store.records().find(layer.id()).map(IdRecord::name).filter(other -> store.headers().findOurs(other).filter(found ->
                found.id().equals(layer.id()) && !found.readOnly() && found.epoch() <= layer.epoch()).isPresent());
        } catch (Failure e) {
            return Optional.empty(); // what is wrong with the other one is told by its own check
        }
    }

    private void objects(VolumeState volume) {
        volume.map.forEachNamed(block, (number, of) -> {
            Layer layer = volume.map.layerAt(number);
            String object = layer.object(block).toString();
            Optional.ofNullable(written.remove(layer)).ifPresent(other -> tell(Finding.lost(object, "block " + block + " of " + name
                + " lies in object " + object + ", which volume " + other + " writes: one of their maps was changed or copied by"
                + " hand; bring that of " + name + " back from a copy of the store, or remove it (vlmc remove -f " + name + ")")));
            long size = blocks.size(object);
            if (size < 0) {
                tell(Finding.lost(object, "block " + block + " is lost: object " + object + " is missing"));
            } else if (layer.hasWholeBlocks() && size < volume.header().blockSize()) {
                tell(Finding.lost(object, "block " + block + " is lost in part: object " + object + " has " + size + " bytes instead of "
                    + volume.header().blockSize()));
            }
        });
    }
}
