package org.archipelago.peer.mapper;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.archipelago.map.BlockMap;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.IdRecord;
import org.archipelago.map.IdRecord.State;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeName;
import org.archipelago.posix.Errno;

/**
 * Finds all volumes and snapshots and marks what their checkpoints name; docs/garbage-collection.md says why nothing is missed. First
 * each header that has no record gets one; then all records are looked at, again and again until none is new. What is
 * damaged in a way that hides what it names ends the marking. Waits for the store; one thread at a time, under a {@link MarkLock}.
 */
final class Marking {
    private static final String HEADERS = VolumeHeader.objectOf("");
    private static final Pattern CHECKPOINT = Pattern.compile("map-([0-9a-f]{32})-([0-7][0-9a-f]{7})");
    private static final Pattern ID = Pattern.compile("[0-9a-f]{32}");
    private static final int ATTEMPTS = 8;
    private static final int DAMAGED_MOST = 1000;

    private final ObjectStore maps;
    private final VolumeStore store;
    private final Ids ids;
    private final Named named;
    private final boolean changes;
    private final Consumer<String> problems;
    private final Set<String> damagedHeaders = new TreeSet<>();
    private Walk walk;
    private boolean atRecords;
    private boolean news;

    /**
     * @param ids filled with what there is
     * @param changes gives records to headers that have none; else, and on a full store, they are marked as they are
     * @param problems told of what is damaged, and hides nothing
     */
    Marking(ObjectStore maps, VolumeStore store, Ids ids, Named named, boolean changes, Consumer<String> problems) {
        this.maps = maps;
        this.store = store;
        this.ids = ids;
        this.named = named;
        this.changes = changes;
        this.problems = problems;
        this.walk = new Walk(maps, HEADERS, false, "");
    }

    /** Works for a time; true: all is marked. */
    boolean step(long until) {
        while (System.nanoTime() < until && !named.isFull()) {
            if (walk.advance()) {
                if (atRecords) {
                    record(walk.name().substring(IdRecord.PREFIX.length()));
                } else {
                    header(walk.name().substring(HEADERS.length()));
                }
            } else if (walk.isOver()) {
                if (atRecords && !news) {
                    refuseHidden();
                    return true;
                }
                atRecords = true;
                news = false;
                walk = new Walk(maps, IdRecord.PREFIX, false, "");
            }
        }
        return false;
    }

    private void header(String name) {
        if (VolumeName.problem(name).isPresent()) {
            return;
        }
        try {
            Optional<VolumeHeader> found = store.headers().findOurs(name);
            boolean unrecorded = found.isPresent() && !store.records().exists(found.get().id());
            boolean adopted = unrecorded && changes && store.records().adopt(name, found.get());
            if (unrecorded && !adopted && !live(name, found.get())) {
                throw missing(name, found.get());
            }
        } catch (Failure e) {
            if (e.errno() != Errno.EUCLEAN || damagedHeaders.size() >= DAMAGED_MOST) {
                throw e;
            }
            damagedHeaders.add(name);
        }
    }

    private void record(String id) {
        if (!ID.matcher(id).matches() || ids.find(Named.high(id), Named.low(id)) != Ids.UNKNOWN) {
            return;
        }
        Optional<IdRecord> before = Optional.empty();
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            Optional<IdRecord> record = store.records().find(id);
            if (record.isEmpty()) {
                return; // of something that was not made after all
            }
            news = true;
            Optional<VolumeHeader> header = header(record.get());
            if (header.isPresent() && changes && store.records().isGivenUp(record.get())) {
                store.records().created(record.get().name(), header.get()); // there was no room for that before
            }
            boolean seenTwice = record.equals(before); // and no header under its names: it is not just being renamed
            if (header.isPresent() ? live(record.get().name(), header.get()) : seenTwice && withoutHeader(record.get())) {
                return;
            }
            if (header.isPresent() && attempt == ATTEMPTS) {
                throw missing(record.get().name(), header.get());
            }
            before = header.isPresent() ? Optional.empty() : record;
        }
        throw new Failure(Errno.EAGAIN, "volume " + before.map(IdRecord::name).orElse(id) + " is renamed again and again: try again");
    }

    /** The header that a record is of, wherever it is; where that is damaged, the record's copy. */
    private Optional<VolumeHeader> header(IdRecord record) {
        List<String> names = new ArrayList<>(List.of(record.name()));
        record.to().ifPresent(names::add);
        for (String name : names) {
            try {
                Optional<VolumeHeader> found = store.headers().findOurs(name).filter(header -> header.id().equals(record.header().id()));
                if (found.isPresent()) {
                    return found;
                }
            } catch (Failure e) {
                if (e.errno() != Errno.EUCLEAN || record.state() != State.LIVE) {
                    throw e;
                }
                damagedHeaders.remove(name);
                problems.accept(e.getMessage() + "; all that its record names is kept: `vlmc check --repair " + name + "` makes it anew");
                return Optional.of(record.header());
            }
        }
        return Optional.empty();
    }

    /** What there is no header of is gone, or is being made, or has lost it. */
    private boolean withoutHeader(IdRecord record) {
        boolean creating = record.state() == State.CREATING;
        boolean givenUp = creating && store.records().isGivenUp(record);
        if (givenUp && header(record).isPresent()) {
            return false; // it came after the last look, on a store that has no room to say so in the record
        }
        if (record.state() == State.REMOVING || givenUp) {
            ids.dead(Named.high(record.header().id()), Named.low(record.header().id()));
            return true;
        }
        if (creating && changes && store.records().giveUpIfStill(record)) {
            header(record).ifPresent(header -> store.records().put(record.name(), header)); // its maker lives, and was faster
        }
        if (record.state() == State.LIVE) {
            problems.accept("volume " + record.name() + " has lost its header (object " + VolumeHeader.objectOf(record.name())
                + "), and all that its record names is kept: `vlmc check --repair " + record.name() + "` makes it anew");
        }
        if (!live(record.name(), record.header())) {
            if (record.state() == State.LIVE) {
                throw missing(record.name(), record.header());
            }
            Matcher checkpoint = checkpoint(record.name(), record.header()); // an image: its maker holds the objects, and makes this only now
            named.checkpoint(checkpoint.group(1), generation(checkpoint));
            known(record.header());
        }
        return true;
    }

    /** Marks what a header names; false where its checkpoint is not there, perhaps because it names another by now. */
    private boolean live(String name, VolumeHeader header) {
        if (!header.checkpoint().equals(VolumeHeader.NONE)) {
            Matcher checkpoint = checkpoint(name, header);
            int generation = generation(checkpoint);
            if (!named.hasCheckpoint(checkpoint.group(1), generation)) {
                Optional<BlockMap> map = map(name, header);
                if (map.isEmpty()) {
                    return false;
                }
                named.map(map.get());
                named.checkpoint(checkpoint.group(1), generation);
            }
        }
        known(header);
        return true;
    }

    private static Matcher checkpoint(String name, VolumeHeader header) {
        Matcher checkpoint = CHECKPOINT.matcher(header.checkpoint());
        if (!checkpoint.matches()) {
            throw hidden("the header of volume " + name + " names checkpoint " + header.checkpoint());
        }
        return checkpoint;
    }

    private static int generation(Matcher checkpoint) {
        return Integer.parseInt(checkpoint.group(2), 16);
    }

    private void known(VolumeHeader header) {
        ids.live(Named.high(header.id()), Named.low(header.id()), header.epoch(), header.generation());
    }

    private Optional<BlockMap> map(String name, VolumeHeader header) {
        try {
            return store.checkpoint(name, header);
        } catch (DamagedMapException | IllegalArgumentException e) {
            throw hidden(e.getMessage());
        }
    }

    private void refuseHidden() {
        if (!damagedHeaders.isEmpty()) {
            throw hidden("volume " + damagedHeaders.iterator().next() + " cannot be read, and no record tells where its map is");
        }
    }

    private static Failure missing(String name, VolumeHeader header) {
        return hidden("the checkpoint of volume " + name + " (object " + header.checkpoint() + ") is missing");
    }

    /** What is damaged so that nobody knows what it names. */
    private static Failure hidden(String what) {
        return new Failure(Errno.EUCLEAN, what + ": garbage collection removes nothing as long as nobody can tell what that names; "
            + "`vlmc check --repair` mends what can be mended, `vlmc remove -f` gives it up");
    }
}
