package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.archipelago.map.TextObject;

/**
 * The object {@code gc-mark}: one collection at a time marks, and as long as it does, no record of an id goes. It may be taken away
 * from whoever has it, at any time, because nothing is done on the strength of marks that were not all made under it: at the end
 * {@link #isHeld} is asked. So who seems dead loses it; to seem alive its holder writes something else to {@code gc-pulse}
 * now and then. Waits for the store.
 */
final class MarkLock {
    static final String OBJECT = "gc-mark";
    static final String PULSE = "gc-pulse";

    private static final System.Logger LOG = System.getLogger(MarkLock.class.getName());
    private static final int VERSION = 1;
    private static final long PATIENCE_NANOS = Long.getLong("archipelago.gc.patience", 60_000) * 1_000_000;
    private static final byte[] NONE = new byte[0];

    private final ObjectStore maps;
    private final NodeIdentity me;
    private final byte[] mine;
    private final String run;
    private int pulse;
    private boolean taken;
    /** What was seen of another's life, and since when. */
    private byte[] sign = NONE;
    private long since;

    /** @param run of the collection, and of this attempt to mark: never used again */
    MarkLock(ObjectStore maps, NodeIdentity me, String run) {
        this.maps = maps;
        this.me = me;
        this.run = run;
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("daemon", me.daemon());
        fields.put("node", me.node());
        fields.put("run", run);
        this.mine = TextObject.encode("gc", VERSION, fields);
    }

    /** Takes it if that can be done at once; returns who else has it. A former collection of this daemon has it no more. */
    Optional<String> tryTake() {
        if (maps.create(OBJECT, mine)) {
            taken = true;
            beat();
            return Optional.empty();
        }
        Optional<byte[]> found = maps.readText(OBJECT);
        if (found.isEmpty()) {
            return Optional.of("another node");
        }
        Map<String, String> holder = fields(found.get());
        if (holder.getOrDefault("daemon", "").equals(me.daemon()) || isStill(found.get())) {
            LOG.log(Level.INFO, "the collection of node {0} that was marking is given up", holder.getOrDefault("node", "?"));
            maps.delete(OBJECT);
        }
        return Optional.of("node " + holder.getOrDefault("node", "?"));
    }

    private static Map<String, String> fields(byte[] text) {
        try {
            return TextObject.decode("gc", VERSION, text);
        } catch (IllegalArgumentException damaged) {
            return Map.of();
        }
    }

    private boolean isStill(byte[] holder) {
        byte[] seen = Arrays.copyOf(holder, holder.length + 64);
        byte[] beat = maps.readText(PULSE).orElse(NONE);
        System.arraycopy(beat, 0, seen, holder.length, Math.min(beat.length, 64));
        if (!Arrays.equals(seen, sign)) {
            sign = seen;
            since = System.nanoTime();
        }
        return System.nanoTime() - since >= PATIENCE_NANOS;
    }

    /** Shows that the holder lives; where there is no room for that, another may take its place. */
    void beat() {
        maps.putIfRoom(PULSE, (++pulse + " " + run + "\n").getBytes(StandardCharsets.UTF_8));
    }

    /** Whether it has been this one's all the time. */
    boolean isHeld() {
        return taken && maps.readText(OBJECT).filter(found -> Arrays.equals(found, mine)).isPresent();
    }

    void release() {
        if (isHeld()) {
            maps.delete(PULSE);
            maps.delete(OBJECT);
        }
        taken = false;
    }
}
