package org.archipelago.peer.powercut;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.powercut.History.Subject;
import org.archipelago.peer.powercut.History.Version;
import org.archipelago.peer.volume.Node;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;

/** Looks at all volumes and snapshots that a node finds, and whether they are what their history allows. */
final class Inspection {
    private static final int PIECE = 64 << 10;
    private static final int PIECE_UNITS = PIECE / Stamp.UNIT;
    private static final int WAITS = 3;

    private final Node node;
    private final History history;
    private final boolean afterCut;
    private final Map<String, Long> sizes = new TreeMap<>();
    private final Map<String, Map<Integer, int[]>> contents = new HashMap<>();

    Inspection(Node node, History history, boolean afterCut) {
        this.node = node;
        this.history = history;
        this.afterCut = afterCut;
    }

    /** whole: also where nothing was ever written. */
    void look(boolean whole) {
        lookAtNames();
        sizes.forEach((name, size) ->
            contents.put(name, subject(name).isSpent() ? Map.of() : look(name, subject(name), size, whole)));
        if (whole) {
            sizes.keySet().stream().filter(name -> !subject(name).isSpent()).forEach(this::verify);
        }
    }

    /** Contents of images are what their names say. */
    private void verify(String name) {
        JsonObject argument = run();
        JsonObject answer;
        do {
            answer = step(Op.VERIFY, name, argument);
            require(answer.getAsJsonArray("damaged").isEmpty(), "%s is damaged: %s", name, answer);
        } while (!answer.get("done").getAsBoolean());
    }

    /** Collects garbage, unless another node's collection, which may live, is marking; returns how many objects were removed. */
    int collect() {
        JsonObject argument = run();
        JsonObject answer;
        int waits = 0;
        do {
            answer = step(Op.COLLECT, "*", argument);
            waits += answer.get("phase").getAsString().startsWith("waiting") ? 1 : 0;
            if (waits > WAITS) {
                argument.addProperty("end", true);
                step(Op.COLLECT, "*", argument);
                return 0;
            }
        } while (!answer.get("done").getAsBoolean());
        require(answer.getAsJsonArray("damage").isEmpty(), "a collection finds damage: %s", answer.get("damage"));
        return answer.get("removed").getAsInt() + answer.get("mapsRemoved").getAsInt();
    }

    private static JsonObject run() {
        JsonObject argument = new JsonObject();
        argument.addProperty("run", UUID.randomUUID().toString());
        return argument;
    }

    private JsonObject step(int op, String name, JsonObject argument) {
        Reply reply = node.caller.call(Caller.Call.of(Node.MAPPER, op, name).data(argument.toString().getBytes(StandardCharsets.UTF_8)));
        require(reply.status() == 0, "%s of %s fails: %s %s", Op.name(op), name, Errno.text(reply.status()), reply.message());
        return JsonParser.parseString(reply.message()).getAsJsonObject();
    }

    /** The daemon that had them open is dead, and this is another one. */
    void takeOver() {
        lookAtNames();
        for (String name : sizes.keySet()) {
            Reply unlock = node.call(Op.UNLOCK, Op.FORCE, name);
            require(unlock.status() == 0, "%s cannot be unlocked: %s", name, unlock.message());
            if (!subject(name).snapshot) {
                Reply open = node.call(Op.OPEN, Op.EXCLUSIVE, name);
                require(open.status() == 0, "%s cannot be opened: %s", name, open.message());
            }
        }
    }

    /** What was found is what is true from now on. */
    void settle() {
        history.settle(afterCut, sizes.keySet(), sizes, contents);
    }

    private Subject subject(String name) {
        return history.there().getOrDefault(name, history.perhaps().get(name));
    }

    private static void require(boolean condition, String problem, Object... details) {
        if (!condition) {
            throw new AssertionError(problem.formatted(details));
        }
    }

    private void lookAtNames() {
        Reply list = node.json(Op.LIST, "*", "{}");
        require(list.status() == 0, "no list: %s", list.message());
        for (JsonElement element : JsonParser.parseString(list.message()).getAsJsonObject().getAsJsonArray("volumes")) {
            JsonObject json = element.getAsJsonObject();
            String name = json.get("name").getAsString();
            require(!json.has("problem"), "%s: %s", name, json.get("problem"));
            Subject subject = subject(name);
            require(subject != null, "%s is there, and should not", name);
            long size = json.get("size").getAsLong();
            require(subject.sizes.contains(size), "%s has %s bytes, and not %s", name, size, subject.sizes);
            String kind = subject.snapshot ? "snapshot" : "volume";
            require(json.get("kind").getAsString().equals(kind), "%s is no %s, but a %s", name, kind, json.get("kind"));
            sizes.put(name, size);
        }
        for (String name : history.there().keySet()) {
            require(sizes.containsKey(name), "%s is missing", name);
        }
        for (String[] rename : history.renames()) {
            require(sizes.containsKey(rename[0]) != sizes.containsKey(rename[1]),
                "%s should have been renamed to %s: there are %s", rename[0], rename[1], sizes.keySet());
        }
    }

    private Map<Integer, int[]> look(String name, Subject subject, long size, boolean whole) {
        Map<Integer, int[]> found = new HashMap<>();
        long from = 0;
        long to = Long.MAX_VALUE;
        for (int first = 0; first < size / Stamp.UNIT; first += PIECE_UNITS) {
            if (whole || subject.units.ceilingKey(first) != null && subject.units.ceilingKey(first) < first + PIECE_UNITS) {
                byte[] bytes = read(name, first, (int) Math.min(PIECE_UNITS, size / Stamp.UNIT - first));
                for (int i = 0; i < bytes.length / Stamp.UNIT; i++) {
                    int unit = first + i;
                    int[] steps = Stamp.read(bytes, i * Stamp.UNIT, unit);
                    List<Version> allowed = subject.allowed(unit, afterCut);
                    List<Version> fitting = allowed.stream().filter(version -> version.is(steps)).toList();
                    require(!fitting.isEmpty(), "%s, unit %s (block %s) holds%s, and not %s", name, unit, unit / 1024,
                        Stamp.describe(bytes, i * Stamp.UNIT), describe(allowed));
                    if (subject.units.containsKey(unit)) {
                        found.put(unit, steps);
                        from = Math.max(from, fitting.get(0).begin);
                        to = Math.min(to, fitting.get(fitting.size() - 1).until());
                    }
                }
            }
        }
        if (subject.snapshot) {
            require(from <= to, "%s was never so: it holds what was begun at %s, and not what was answered at %s",
                name, from, to);
        }
        return found;
    }

    private byte[] read(String name, int unit, int count) {
        Reply reply = node.read(name, (long) unit * Stamp.UNIT, count * Stamp.UNIT);
        require(reply.status() == 0, "%s cannot be read at %s+%s: %s %s", name, unit * (long) Stamp.UNIT, count * Stamp.UNIT,
            Errno.text(reply.status()), reply.message());
        return reply.data();
    }

    private static String describe(List<Version> versions) {
        return versions.stream().flatMap(version -> version.contents.stream()).map(Arrays::toString)
            .collect(Collectors.joining(" or "));
    }

    // --- going on

    /** Writes to each volume, and finds it, and nothing else changed. */
    void goOn(Random random) {
        int step = history.nextStep() + 1_000_000;
        for (String name : sizes.keySet()) {
            if (!subject(name).snapshot && !subject(name).isSpent()) {
                List<Integer> units = new ArrayList<>(new TreeSet<>(contents.get(name).keySet()));
                int unit = units.isEmpty() ? 0 : units.get(random.nextInt(units.size()));
                if (unit < sizes.get(name) / Stamp.UNIT) {
                    writeInto(name, unit, step++, random);
                }
            }
        }
    }

    private void writeInto(String name, int unit, int step, Random random) {
        int first = unit / PIECE_UNITS * PIECE_UNITS;
        int count = (int) Math.min(PIECE_UNITS, sizes.get(name) / Stamp.UNIT - first);
        byte[] before = read(name, first, count);
        long offset = (long) unit * Stamp.UNIT + random.nextInt(Stamp.SECTORS) * Stamp.SECTOR;
        byte[] written = Stamp.contents(step, offset, Stamp.SECTOR);
        System.arraycopy(written, 0, before, (int) (offset - (long) first * Stamp.UNIT), written.length);
        Reply reply = node.write(name, offset, written, random.nextBoolean() ? Op.FUA : 0);
        require(reply.status() == 0, "%s cannot be written: %s %s", name, Errno.text(reply.status()), reply.message());
        byte[] after = read(name, first, count);
        require(Arrays.equals(before, after), "%s: a write to unit %s changed byte %s", name, unit,
            first * (long) Stamp.UNIT + Arrays.mismatch(before, after));
        Reply flush = node.call(Op.FLUSH, name);
        require(flush.status() == 0, "%s cannot be flushed: %s", name, Errno.text(flush.status()));
    }
}
