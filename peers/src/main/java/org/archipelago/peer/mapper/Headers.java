package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.archipelago.map.Checkpoint;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.IdRecord;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.original.OriginalV2;
import org.archipelago.posix.Errno;

/**
 * The headers of volumes and snapshots, each with its record: found, made, replaced, renamed, removed. The record comes before the
 * header and goes after it. Thread-safe, as far as nobody changes one volume at a time; waits for the store.
 */
final class Headers {
    private static final System.Logger LOG = System.getLogger(Headers.class.getName());

    private final ObjectStore maps;
    private final IdRecords records;
    private final Originals originals;

    Headers(ObjectStore maps, IdRecords records, Originals originals) {
        this.maps = maps;
        this.records = records;
        this.originals = originals;
    }

    // --- finding

    /** Of ours, or else of what the original left. */
    Optional<VolumeHeader> find(String volume) {
        return find(maps, volume).or(() -> originals.find(volume));
    }

    Optional<VolumeHeader> findOurs(String volume) {
        return find(maps, volume);
    }

    Originals originals() {
        return originals;
    }

    private static Optional<VolumeHeader> find(Texts texts, String volume) {
        try {
            return texts.readText(VolumeHeader.objectOf(volume)).filter(bytes -> !OriginalV2.begins(bytes))
                .map(bytes -> VolumeHeader.decode(volume, bytes));
        } catch (DamagedMapException e) {
            throw damaged(e);
        }
    }

    VolumeHeader header(String volume) {
        return find(volume).orElseThrow(() -> absent(volume));
    }

    static VolumeHeader header(Texts texts, String volume) {
        return find(texts, volume).orElseThrow(() -> absent(volume));
    }

    private static Failure absent(String volume) {
        return new Failure(Errno.ENOENT, "volume " + volume + " does not exist (vlmc list shows those that do)");
    }

    /** Refuses what the original made, of which nothing is changed. */
    VolumeHeader changeable(String volume) {
        VolumeHeader header = header(volume);
        if (Originals.isOne(volume, header)) {
            throw originals.unchangeable(volume);
        }
        return header;
    }

    IdRecords records() {
        return records;
    }

    /** A failure leaves open which header it has now. */
    void put(String volume, VolumeHeader header) {
        try {
            maps.put(VolumeHeader.objectOf(volume), header.encode());
            records.put(volume, header);
        } catch (Failure e) {
            throw e.inHalfWay();
        }
    }

    static Failure damaged(DamagedMapException e) {
        return new Failure(Errno.EUCLEAN, e.getMessage());
    }

    static Failure exists(String name) {
        return new Failure(Errno.EEXIST, "volume " + name + " exists already");
    }

    void refuseExisting(String name) {
        if (find(name).isPresent()) {
            throw exists(name);
        }
    }

    /** Whether a name means the same still, and names the same checkpoint: a record that names it, too, has come in time. */
    boolean names(String name, VolumeHeader header) {
        return find(name).filter(now -> now.id().equals(header.id()) && now.checkpoint().equals(header.checkpoint())).isPresent();
    }

    /** Two headers of one id, one of which was copied by hand, would have two volumes write the same objects. */
    void refuseTwin(String name, VolumeHeader header) {
        Optional<String> twin = twin(name, header);
        if (twin.isPresent()) {
            throw new Failure(Errno.EUCLEAN, "volumes " + name + " and " + twin.get() + " are one volume under two names, and would write the "
                + "same objects: `vlmc check " + name + "` says what to do");
        }
    }

    /** The other volume that has the same id, and to which the id belongs. */
    Optional<String> twin(String name, VolumeHeader header) {
        try {
            return records.find(header.id()).filter(record -> !record.names(name)).map(IdRecord::name)
                .filter(other -> find(other).filter(found -> found.id().equals(header.id())).isPresent());
        } catch (Failure e) {
            if (e.errno() != Errno.EUCLEAN) {
                throw e;
            }
            return Optional.empty(); // what is damaged is told by who needs it
        }
    }

    // --- making

    /**
     * Makes a volume or snapshot: its record, then whatever else, then its header. Where that fails, nothing of it stays.
     *
     * @param rest makes all that the header names; false: not under these circumstances, so it shall not be made
     * @return whether it is there
     */
    boolean make(String name, VolumeHeader header, BooleanSupplier rest) {
        try {
            if (!makeAll(name, header, rest)) {
                return false;
            }
            if (!records.created(name, header)) {
                withdraw(name, header);
                throw new Failure(Errno.EAGAIN, "making " + name + " took so long that it was taken for given up: try again");
            }
            return true;
        } finally {
            records.endMaking(header.id()); // last: who finds it not being made finds what came of it
        }
    }

    private boolean makeAll(String name, VolumeHeader header, BooleanSupplier rest) {
        try {
            records.create(name, header);
            if (!rest.getAsBoolean()) {
                unmake(header);
                return false;
            }
            if (!maps.create(VolumeHeader.objectOf(name), header.encode())) {
                throw exists(name);
            }
            return true;
        } catch (Failure e) {
            unmakeAfter(e, name, header);
            throw e;
        }
    }

    /** A header may be there although the store said that it could not be made: then all stays, and a collection sees to it. */
    private void unmakeAfter(Failure failure, String name, VolumeHeader header) {
        try {
            if (findOurs(name).filter(found -> found.id().equals(header.id())).isEmpty()) {
                unmake(header);
            }
        } catch (Failure e) {
            LOG.log(Level.WARNING, "what was made of {0} is left to garbage collection: {1}", name, e.getMessage());
            failure.addSuppressed(e);
        }
    }

    /** Takes back what nobody was told of. */
    private void withdraw(String name, VolumeHeader header) {
        if (findOurs(name).filter(found -> found.id().equals(header.id())).isPresent()) {
            maps.delete(VolumeHeader.objectOf(name));
        }
        unmake(header);
    }

    /** What there is of a volume that has no header; the record goes last. */
    private void unmake(VolumeHeader header) {
        if (!header.log().equals(VolumeHeader.NONE)) {
            tidy(header.log());
        }
        tidy(Notes.objectOf(header.id()));
        if (header.checkpoint().equals(Checkpoint.name(header.id(), 1))) {
            tidy(header.checkpoint());
            tidy(Checkpoint.secondName(header.checkpoint()));
        }
        tidy(IdRecord.objectOf(header.id()));
    }

    /** Removes an object that nothing names; garbage collection would, too. */
    private void tidy(String object) {
        try {
            maps.delete(object);
        } catch (Failure e) {
            LOG.log(Level.WARNING, "an object that nothing needs was not removed: {0}", e.getMessage());
        }
    }

    // --- removing and renaming

    /** Makes a name vanish; what the volume used is still there, and its record says so. */
    void remove(String name, VolumeHeader header) {
        originals.hide(name);
        try {
            records.putRemoving(name, header);
            maps.delete(VolumeHeader.objectOf(name));
        } catch (Failure e) {
            settle(name, header);
            throw e.inHalfWay();
        }
    }

    /** The last of what is removed; where a collection wants to see it, it says that the volume is gone. */
    void forget(String name, VolumeHeader header) {
        if (!records.forget(header.id())) {
            records.putRemoving(name, header);
        }
    }

    /** Makes the name of something vanish that cannot be read; what it held is left to garbage collection. */
    boolean removeUnread(String name) {
        originals.hide(name);
        List<IdRecord> found = recordsOf(name);
        found.forEach(record -> records.putRemoving(name, record.header()));
        boolean removed = maps.delete(VolumeHeader.objectOf(name));
        found.forEach(record -> forget(name, record.header())); // says as much as one that says that it goes, and needs no space
        return removed;
    }

    /** Of what has this name, though the header does not say so. */
    private List<IdRecord> recordsOf(String name) {
        try {
            return findOurs(name).map(header -> List.of(IdRecord.live(name, header))).orElseGet(List::of);
        } catch (Failure e) {
            return records.ofName(name);
        }
    }

    void rename(String name, VolumeHeader header, String to) {
        refuseExisting(to);
        originals.hide(name);
        int result;
        try {
            records.put(IdRecord.renaming(name, to, header));
            result = maps.rename(VolumeHeader.objectOf(name), VolumeHeader.objectOf(to));
        } catch (Failure e) {
            throw e.inHalfWay();
        }
        if (result == 0) {
            settle(to, header);
            return;
        }
        settle(name, header);
        throw result == Errno.EEXIST ? exists(to) : Failure.of(result, "volume " + name + " cannot be renamed").inHalfWay();
    }

    /** After a rename, or none; a record with two names does as well. */
    private void settle(String name, VolumeHeader header) {
        try {
            records.put(name, header);
        } catch (Failure e) {
            LOG.log(Level.DEBUG, "the next change of the volume writes it: {0}", e.getMessage());
        }
    }
}
