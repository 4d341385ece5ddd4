package org.archipelago.peer.mapper;

import com.google.gson.JsonObject;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import org.archipelago.map.VolumeHeader;
import org.archipelago.peer.mapper.LockRecord.Kind;
import org.archipelago.posix.Errno;

/**
 * One run of garbage collection: marks what all maps name, then removes what they do not, from the data and from the maps; in
 * several {@link Part}s where the marks of all would take too much memory.
 *
 * <pre>
 *   WAIT ---&gt; MARK ---&gt; BLOCKS ---&gt; MAPS ---&gt; (next part: WAIT) ---&gt; done
 *     ^         | too many marks: half the part; or the lock was lost
 *     +---------+
 * </pre>
 *
 * A run that is cut off has left the store as any crash does; where its sweep was is kept, and the next one of this daemon goes
 * on there.
 */
final class Collection implements LongRuns.Run {
    private static final int ATTEMPTS = 100;

    private enum Phase { WAIT, MARK, BLOCKS, MAPS, DONE }

    /** What all runs of this process share. */
    record Context(ObjectStore maps, ObjectStore blocks, VolumeStore store, Leases leases, Hashers hashers, NodeIdentity me,
            ExecutorService helpers, Marks marks, Ids ids, Object lock) {}

    private final Context context;
    private final boolean dryRun;
    private final long rate;
    private final Tally tally = new Tally();
    private final Cursor cursor;
    private Phase phase = Phase.WAIT;
    private Part part;
    private String blocksFrom;
    private boolean resumed;
    private int attempts;
    private MarkLock markLock;
    private Marking marking;
    private Named named;
    private boolean contents;
    private Sweep sweep;
    private long sweptBefore;
    private String waitsFor = "";
    private volatile boolean displaced;

    /**
     * @param dryRun removes nothing
     * @param rate objects that are looked at a second, at most; 0: as many as can be
     */
    Collection(Context context, boolean dryRun, long rate) {
        this.context = context;
        this.dryRun = dryRun;
        this.rate = rate;
        this.cursor = new Cursor(context.maps(), context.me());
        Cursor.Place place = dryRun ? Cursor.Place.BEGIN : cursor.read();
        this.part = place.part();
        this.blocksFrom = place.cursor();
        this.resumed = !place.equals(Cursor.Place.BEGIN);
        newLock();
    }

    private void newLock() {
        markLock = new MarkLock(context.maps(), context.me(), UUID.randomUUID().toString());
    }

    /** Another run of this process has begun, and this one ends. */
    void displace() {
        displaced = true;
    }

    @Override
    public JsonObject step(JsonObject argument) {
        synchronized (context.lock()) {
            if (displaced) {
                throw new Failure(Errno.EBUSY, "another 'vlmc gc' of this node has taken over");
            }
            long begin = System.nanoTime();
            holdContents();
            try {
                step(begin + LongRuns.STEP_NANOS);
            } finally {
                context.hashers().endStep();
            }
            return answer(begin);
        }
    }

    /** Content-addressed objects are left alone from the moment on that somebody wants to make an image. */
    private void holdContents() {
        if (contents && (!context.hashers().beginStep() || context.hashers().others().isPresent())) {
            giveUpContents();
        }
    }

    private void giveUpContents() {
        contents = false;
        context.hashers().endCollection();
        sayContentsStay("images are being made");
        if (phase == Phase.BLOCKS || phase == Phase.MAPS) {
            sweep = sweep(phase, sweep.cursor());
        }
    }

    private void sayContentsStay(String why) {
        tally.note("content-addressed objects were left as they are: " + why);
    }

    private void step(long until) {
        switch (phase) {
            case WAIT -> await();
            case MARK -> mark(until);
            case BLOCKS -> sweepBlocks(until);
            case MAPS -> sweepMaps(until);
            default -> { }
        }
    }

    // --- marking

    private void await() {
        Optional<String> holder = markLock.tryTake();
        waitsFor = holder.orElse("");
        if (holder.isPresent()) {
            return;
        }
        context.marks().clear();
        context.ids().clear();
        named = new Named(context.marks(), part);
        contents = false;
        if (!dryRun) {
            Optional<String> hindrance = context.hashers().beginCollection();
            contents = hindrance.isEmpty();
            hindrance.ifPresent(this::sayContentsStay);
        }
        marking = new Marking(context.maps(), context.store(), context.ids(), named, !dryRun, tally::damage);
        phase = Phase.MARK;
    }

    private void mark(long until) {
        markLock.beat();
        boolean whole = marking.step(until);
        tally.marked = Math.max(tally.marked, named.count());
        if (named.isFull()) {
            again("the marks took too much memory", part.half());
        } else if (whole && !markLock.isHeld()) {
            again("marking took longer than another collection wanted to wait", part);
        } else if (whole) {
            markLock.release();
            phase = Phase.BLOCKS;
            sweep = sweep(phase, blocksFrom);
        }
    }

    private void again(String why, Part next) {
        if (++attempts > ATTEMPTS) {
            throw new Failure(Errno.EAGAIN, "garbage collection began " + attempts + " times, and each time " + why + ": try again later");
        }
        blocksFrom = next.equals(part) ? blocksFrom : "";
        part = next;
        markLock.release();
        newLock();
        context.hashers().endCollection();
        phase = Phase.WAIT;
    }

    // --- sweeping

    private Sweep sweep(Phase of, String from) {
        Garbage garbage = new Garbage(context.store().records(), context.store().originals(), context.hashers(), context.ids(),
            named, contents || dryRun);
        sweptBefore = 0;
        boolean data = of == Phase.BLOCKS;
        ObjectStore objects = data ? context.blocks() : context.maps();
        Sweep.Rule rule = data ? garbage::isData : name -> {
            boolean goes = garbage.isMap(name);
            if (!goes) {
                lookAtLease(name);
            }
            return goes;
        };
        Sweep.Removal removal = dryRun ? name -> true : data ? objects::deleteLazily : this::removeMap;
        return new Sweep(new Walk(objects, "*", true, from), rule, removal, context.helpers());
    }

    private boolean removeMap(String name) {
        Optional<MapName> parsed = MapName.parse(name);
        if (parsed.isPresent() && parsed.get() instanceof MapName.OfRecord record) {
            return context.store().records().forget(record.id());
        }
        return parsed.isPresent() && parsed.get() instanceof MapName.OfLog ? context.store().logs().remove(name) : context.maps().delete(name);
    }

    /** Notes which nodes hold volumes; whether they live only an administrator knows. */
    private void lookAtLease(String name) {
        boolean lease = MapName.parse(name).filter(parsed -> parsed instanceof MapName.Beside beside
            && (beside.kind().equals("lock") || beside.kind().equals("shared"))).isPresent();
        if (lease && part.equals(new Part(part.bits(), 0))) {
            context.leases().holderOf(name).filter(record -> record.kind() == Kind.LEASE && !record.daemon().equals(context.me().daemon()))
                .ifPresent(record -> tally.heldBy(record.node()));
        }
    }

    private void sweepBlocks(long until) {
        boolean over = sweepOn(until);
        if (over) {
            phase = Phase.MAPS;
            sweep = sweep(phase, "");
        } else if (!dryRun) {
            cursor.write(new Cursor.Place(part, sweep.cursor()));
        }
    }

    private void sweepMaps(long until) {
        if (!sweepOn(until)) {
            return;
        }
        context.hashers().endCollection();
        contents = false;
        if (part.isLast()) {
            cursor.delete();
            phase = Phase.DONE;
            return;
        }
        part = part.next();
        blocksFrom = "";
        newLock();
        phase = Phase.WAIT;
    }

    private boolean sweepOn(long until) {
        long scanned = sweep.scanned();
        long removed = sweep.removed();
        long bytes = sweep.bytes();
        try {
            return sweep.step(until, rate == 0 ? Long.MAX_VALUE / 2 : rate);
        } finally {
            boolean data = phase == Phase.BLOCKS;
            tally.scanned += data ? sweep.scanned() - scanned : 0;
            tally.removed += data ? sweep.removed() - removed : 0;
            tally.bytes += sweep.bytes() - bytes;
            tally.mapsScanned += data ? 0 : sweep.scanned() - scanned;
            tally.mapsRemoved += data ? 0 : sweep.removed() - removed;
        }
    }

    // --- telling

    private JsonObject answer(long begin) {
        JsonObject answer = new JsonObject();
        answer.addProperty("phase", phase == Phase.WAIT && !waitsFor.isEmpty() ? "waiting for " + waitsFor
            : phase == Phase.WAIT || phase == Phase.MARK ? "marking" : phase == Phase.DONE ? "done" : "sweeping");
        answer.addProperty("part", part.index() + 1);
        answer.addProperty("parts", part.count());
        answer.addProperty("volumes", context.ids().live());
        answer.addProperty("resumed", resumed);
        tally.put(answer);
        boolean done = phase == Phase.DONE;
        answer.addProperty("done", done);
        answer.addProperty("pause", pauseMillis(begin));
        if (done) {
            tally.putSentences(answer);
        }
        return answer;
    }

    /** How long to wait with the next step. */
    private long pauseMillis(long begin) {
        boolean waits = phase == Phase.WAIT && !waitsFor.isEmpty();
        boolean limited = rate > 0 && (phase == Phase.BLOCKS || phase == Phase.MAPS);
        long left = begin + LongRuns.STEP_NANOS - System.nanoTime();
        return waits || limited ? Math.max(0, left) / 1_000_000 : 0;
    }

    @Override
    public void close() {
        synchronized (context.lock()) {
            if (!displaced) {
                context.hashers().endCollection();
                markLock.release();
                context.marks().clear();
                context.ids().clear();
            }
        }
    }
}
