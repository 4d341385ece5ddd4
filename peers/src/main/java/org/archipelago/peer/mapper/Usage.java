package org.archipelago.peer.mapper;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.IntToLongFunction;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.Layer;
import org.archipelago.map.VolumeHeader;
import org.archipelago.posix.Errno;

/**
 * Tells what each volume and snapshot takes of the store: <em>used</em>, the bytes of all objects that its map names, those that
 * newer blocks cover among them; and <em>exclusive</em>, of those that no other's map names: what its removal frees, once
 * garbage is collected. First the store tells its objects and their sizes, then one map after another is read; where the objects do not
 * fit into the table, once more for each pass. What is written or removed meanwhile is counted as it was found.
 *
 * <p>Memory: the table's, one map at a time, and some 200 bytes for each volume. So one runs at a time; the next waits.
 */
final class Usage implements LongRuns.Run {
    private static final String VOLUME_PREFIX = VolumeHeader.objectOf("");
    private static final int ANSWER_ROOM = 240 << 10;
    private static final String DAMAGED = "damaged";

    private final VolumeStore store;
    private final ObjectStore maps;
    private final ObjectStore blocks;
    private final int placesMost;
    private final Semaphore turn;
    private final List<Row> rows = new ArrayList<>();
    private Phase phase = Phase.TURN;
    private Walk walk;
    private ObjectTable table = new ObjectTable(1);
    private ObjectTable.Totals totals = ObjectTable.Totals.NONE;
    private long[] used = {};
    private long[] exclusive = {};
    private long objects;
    private boolean listed;
    private int volume;

    private enum Phase { TURN, OBJECTS, VOLUMES, MAPS, ANSWER }

    /** What a volume is; kind: empty when it was gone before its map was read. */
    private record Row(String name, String kind, long size, String problem) {}

    /**
     * @param placesMost of the table of objects: a power of two
     * @param turn one permit for all runs of this process
     */
    Usage(VolumeStore store, ObjectStore maps, ObjectStore blocks, int placesMost, Semaphore turn) {
        this.store = store;
        this.maps = maps;
        this.blocks = blocks;
        this.placesMost = placesMost;
        this.turn = turn;
        this.walk = new Walk(blocks, "*", true, "");
    }

    @Override
    public JsonObject step(JsonObject argument) {
        long end = System.nanoTime() + LongRuns.STEP_NANOS;
        while (phase != Phase.ANSWER && System.nanoTime() < end) {
            switch (phase) {
                case TURN -> awaitTurn();
                case OBJECTS -> findObjects();
                case VOLUMES -> findVolumes();
                default -> readMap();
            }
        }
        return phase == Phase.ANSWER ? answer() : progress();
    }

    private void awaitTurn() {
        try {
            if (turn.tryAcquire(LongRuns.STEP_NANOS, TimeUnit.NANOSECONDS)) {
                table = new ObjectTable(placesMost);
                phase = Phase.OBJECTS;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Failure(Errno.ESHUTDOWN, "the daemon stops");
        }
    }

    private void findObjects() {
        if (walk.advance()) {
            Optional<DataName> parsed = DataName.parse(walk.name());
            table.add(ObjectKey.of(walk.name(), parsed), walk.size(), ObjectKey.isOurs(parsed));
            objects++;
        } else if (walk.isOver()) {
            walk = new Walk(maps, VOLUME_PREFIX, false, "");
            phase = listed ? Phase.MAPS : Phase.VOLUMES;
        }
    }

    private void findVolumes() {
        if (walk.advance()) {
            rows.add(new Row(walk.name().substring(VOLUME_PREFIX.length()), "", 0, ""));
        } else if (walk.isOver()) {
            rows.sort(Comparator.comparing(Row::name));
            listed = true;
            used = new long[rows.size()];
            exclusive = new long[rows.size()];
            phase = Phase.MAPS;
        }
    }

    private void readMap() {
        if (volume < rows.size()) {
            rows.set(volume, read(rows.get(volume).name));
            volume++;
            return;
        }
        totals = totals.plus(table.totals());
        phase = table.next() ? Phase.OBJECTS : Phase.ANSWER;
        walk = new Walk(blocks, "*", true, "");
        volume = 0;
    }

    private Row read(String name) {
        try {
            VolumeState state = store.load(name);
            IntToLongFunction[] keys = state.map.layers().stream().map(ObjectKey::of).toArray(IntToLongFunction[]::new);
            state.map.forEachNamed((layer, block) -> table.name(keys[layer].applyAsLong(block), volume, used, exclusive));
            return new Row(name, kind(state), state.header().size(), "");
        } catch (Failure e) {
            return switch (e.errno()) {
                case Errno.ENOENT -> new Row(name, "", 0, "");
                case Errno.EUCLEAN, Errno.EIO -> new Row(name, DAMAGED, 0, e.getMessage());
                default -> throw e;
            };
        }
    }

    private static String kind(VolumeState state) {
        if (!state.header().readOnly()) {
            return "volume";
        }
        List<Layer> layers = state.map.layers();
        boolean image = !layers.isEmpty() && layers.stream().allMatch(layer -> layer instanceof ImageLayer);
        return image ? "image" : "snapshot";
    }

    private JsonObject progress() {
        JsonObject answer = new JsonObject();
        answer.addProperty("objects", objects);
        answer.addProperty("volumes", volume);
        answer.addProperty("of", rows.size());
        answer.addProperty("done", false);
        return answer;
    }

    /** The next rows, as many as fit; with the last ones, what there is in all. */
    private JsonObject answer() {
        JsonArray page = new JsonArray();
        for (int room = ANSWER_ROOM; volume < rows.size(); volume++) {
            Row row = rows.get(volume);
            if (row.kind.isEmpty()) {
                continue;
            }
            JsonObject json = new JsonObject();
            json.addProperty("name", row.name);
            json.addProperty("kind", row.kind);
            json.addProperty("size", row.size);
            json.addProperty("used", used[volume]);
            json.addProperty("exclusive", exclusive[volume]);
            if (!row.problem.isEmpty()) {
                json.addProperty("problem", row.problem);
            }
            room -= json.toString().length() + 1;
            if (room < 0) {
                break;
            }
            page.add(json);
        }
        JsonObject answer = progress();
        answer.add("usage", page);
        if (volume == rows.size()) {
            JsonObject all = new JsonObject();
            all.addProperty("objects", totals.objects());
            all.addProperty("bytes", totals.bytes());
            all.addProperty("named", totals.named());
            all.addProperty("garbageObjects", totals.garbageObjects());
            all.addProperty("garbage", totals.garbage());
            answer.add("store", all);
            answer.addProperty("done", true);
        }
        return answer;
    }

    @Override
    public void close() {
        if (phase != Phase.TURN) {
            turn.release();
        }
    }
}
