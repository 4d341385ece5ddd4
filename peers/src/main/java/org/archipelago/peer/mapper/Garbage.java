package org.archipelago.peer.mapper;

import java.util.Optional;

/**
 * The rule: what is garbage after a marking, of the marked part. An object of an epoch that its volume writes no more, or of
 * a volume that is gone, is garbage unless a checkpoint names it. Nothing else can come to name it: docs/garbage-collection.md.
 * Looks up records of ids that the marking did not know; one thread at a time.
 */
final class Garbage {
    private final IdRecords records;
    private final Originals originals;
    private final Hashers hashers;
    private final Ids ids;
    private final Named named;
    private final boolean contents;
    /** The last id that is younger than the marking. */
    private String young = "";

    /** @param contents whether content-addressed objects, and tables, may be judged: since before the marking nobody makes any */
    Garbage(IdRecords records, Originals originals, Hashers hashers, Ids ids, Named named, boolean contents) {
        this.records = records;
        this.originals = originals;
        this.hashers = hashers;
        this.ids = ids;
        this.named = named;
        this.contents = contents;
    }

    // --- objects of blockerb

    boolean isData(String name) {
        Optional<DataName> parsed = DataName.parse(name);
        if (parsed.isEmpty()) {
            return false;
        }
        if (parsed.get() instanceof DataName.Own own) {
            return named.isInPart(own.id()) && !named.has(own) && isOver(own.id(), own.epoch());
        }
        if (parsed.get() instanceof DataName.Content content) {
            return contents && named.isInPart(content.hash()) && !named.hasContents(content.hash());
        }
        return parsed.get() instanceof DataName.Unfinished unfinished && !hashers.isAtWork(unfinished.run());
    }

    /** Whether an epoch is one in which no object is made any more. */
    private boolean isOver(String id, int epoch) {
        long found = find(id);
        return found == Ids.DEAD || found != Ids.UNKNOWN && epoch < Ids.epoch(found);
    }

    /** UNKNOWN: younger than the marking, which says nothing about it. */
    private long find(String id) {
        long found = ids.find(Named.high(id), Named.low(id));
        if (found != Ids.UNKNOWN || id.equals(young)) {
            return found;
        }
        if (records.exists(id)) {
            young = id;
            return Ids.UNKNOWN;
        }
        ids.dead(Named.high(id), Named.low(id)); // and will never come back
        return Ids.DEAD;
    }

    // --- objects of blockerm

    boolean isMap(String name) {
        Optional<MapName> parsed = MapName.parse(name);
        if (parsed.isEmpty()) {
            return false;
        }
        MapName map = parsed.get();
        if (map instanceof MapName.OfMap of) {
            return named.isInPart(of.id()) && !named.hasCheckpoint(of.id(), of.generation())
                && (isBefore(of.id(), of.generation() - 1) || contents && isSnapshot(of.id()));
        }
        if (map instanceof MapName.OfLog of) {
            return named.isInPart(of.id()) && isBefore(of.id(), of.generation());
        }
        if (map instanceof MapName.OfRecord of) {
            return named.isInPart(of.id()) && ids.find(Named.high(of.id()), Named.low(of.id())) == Ids.DEAD;
        }
        if (map instanceof MapName.Beside of) {
            return named.isInPart(of.id()) && (of.kind().equals("taken") || find(of.id()) == Ids.DEAD);
        }
        if (map instanceof MapName.OfImage of) {
            return contents && named.isInPart(of.root()) && !named.hasImage(of.root());
        }
        if (map instanceof MapName.OfNames of) {
            return contents && named.isInPart(of.id()) && !named.hasNames(of.id());
        }
        if (map instanceof MapName.OfHidden of) {
            return !originals.hasAny(of.name());
        }
        return map instanceof MapName.OfHasher of && hashers.isGivenUp(of.run());
    }

    /** Of which nobody makes a checkpoint but who makes an image of it. */
    private boolean isSnapshot(String id) {
        long found = find(id);
        return found != Ids.DEAD && found != Ids.UNKNOWN && Ids.epoch(found) == 0;
    }

    /** Whether a generation is one that its volume has left. */
    private boolean isBefore(String id, int generation) {
        long found = find(id);
        return found == Ids.DEAD || found != Ids.UNKNOWN && generation < Ids.generation(found);
    }
}
