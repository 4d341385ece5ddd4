package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Checkpoint;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.Layer;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeLayer;
import org.archipelago.peer.mapper.Leases.Taken;
import org.archipelago.peer.mapper.Leases.Use;
import org.archipelago.peer.mapper.VolumeState.Lease;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Target;

/**
 * Volumes as the objects that they are: headers, checkpoints, logs. Everything here waits for the
 * store, so it runs on a control thread. Each change is one atomic step of a header, before which all
 * that it names is there; what a crash leaves over is named by nothing.
 */
final class VolumeStore {
    private static final System.Logger LOG = System.getLogger(VolumeStore.class.getName());
    private static final int RETRIES = 8;
    private static final int COMPACT_RECORDS = 4096;

    private final ObjectStore maps;
    private final ObjectStore blocks;
    private final Leases leases;
    private final Hashers hashers;
    private final IdRecords records;
    private final Headers headers;
    private final Notes notes;
    private final Logs logs;
    private final LayerTables tables;
    private final Checkpoints checkpoints;
    private final Originals originals;
    private final Object snapshotChanges = new Object();
    private final SecureRandom random = new SecureRandom();
    /** Ids of volumes that are being renamed: the lease is this daemon's, and about to go. */
    private final Set<String> renamed = ConcurrentHashMap.newKeySet();

    VolumeStore(ObjectStore maps, ObjectStore blocks, Leases leases, Hashers hashers, NodeIdentity me, boolean upgradeOriginal) {
        this.maps = maps;
        this.blocks = blocks;
        this.leases = leases;
        this.hashers = hashers;
        this.records = new IdRecords(maps, me);
        this.logs = new Logs(maps, me);
        Copies copies = new Copies(maps);
        this.tables = new LayerTables(copies);
        this.checkpoints = new Checkpoints(copies, tables);
        this.originals = new Originals(maps, tables, upgradeOriginal);
        this.headers = new Headers(maps, records, originals);
        this.notes = new Notes(maps);
    }

    Logs logs() {
        return logs;
    }

    Headers headers() {
        return headers;
    }

    IdRecords records() {
        return records;
    }

    Originals originals() {
        return originals;
    }

    private String newId() {
        byte[] id = new byte[16];
        random.nextBytes(id);
        return HexFormat.of().formatHex(id);
    }

    private static long now() {
        return System.currentTimeMillis() / 1000;
    }

    // --- making and removing

    /** size: bytes, 0 = the origin's; origin: a snapshot, empty = zeros. */
    void create(String name, long size, Optional<String> origin, OptionalLong originSize, Map<String, String> metadata) {
        headers.refuseExisting(name);
        for (int attempt = 0; attempt < RETRIES; attempt++) {
            Optional<VolumeHeader> parent = origin.map(snapshot -> originOf(snapshot, originSize, size));
            long wanted = size == 0 ? parent.map(VolumeHeader::size).orElse(0L) : size;
            if (wanted <= 0 || wanted > VolumeHeader.MAX_SIZE) {
                throw new Failure(Errno.EINVAL, "volume " + name + " cannot have " + wanted + " bytes: 1 to "
                    + VolumeHeader.MAX_SIZE + " are allowed");
            }
            if (parent.isPresent() && Originals.isOne(origin.get(), parent.get())) {
                makeOver(origin.get(), name, wholeUnits(wanted), origin.get(), metadata);
                return;
            }
            VolumeHeader header = VolumeHeader.create(newId(), wholeUnits(wanted),
                parent.map(VolumeHeader::checkpoint).orElse(VolumeHeader.NONE), origin.orElse(VolumeHeader.NONE), now());
            boolean made = headers.make(name, header, () -> {
                if (parent.isPresent() && !headers.names(origin.get(), parent.get())) {
                    return false; // the snapshot went, or became an image, before the record was there
                }
                makeEmpty(name, header, metadata);
                return true;
            });
            if (made) {
                return;
            }
        }
        throw new Failure(Errno.EAGAIN, "snapshot " + origin.orElse("") + " changes again and again: try again");
    }

    private VolumeHeader originOf(String origin, OptionalLong originSize, long size) {
        VolumeHeader parent = originals.ofSize(origin, headers.header(origin), originSize);
        if (!parent.readOnly()) {
            throw new Failure(Errno.EINVAL, origin + " is a volume, not a snapshot: clone a snapshot of it"
                + " (vlmc snapshot " + origin + " NAME)");
        }
        if (size != 0 && size < parent.size()) {
            throw new Failure(Errno.EINVAL, "a volume of " + size + " bytes cannot hold snapshot " + origin
                + ", which has " + parent.size());
        }
        return parent;
    }

    private void makeEmpty(String name, VolumeHeader header, Map<String, String> metadata) {
        if (!metadata.isEmpty()) {
            notes.put(name, header.id(), metadata);
        }
        logs.create(name, header.id(), 0, header.epoch(), 1);
    }

    private static long wholeUnits(long size) {
        return (size + BlockMap.UNIT - 1) & -BlockMap.UNIT;
    }

    /** Makes the name vanish; the caller then reclaims what the volume alone used. */
    void delete(VolumeState volume) {
        headers.remove(volume.name, volume.header());
    }

    /** Removes the objects that nothing can name any more, after {@link #delete}; may take long. */
    void reclaim(VolumeState volume) {
        VolumeHeader header = volume.header();
        logs.end(volume, volume.log.generation + 1 + logs.successors(header.id(), volume.log.generation));
        for (int block : volume.map.ownBlocks()) {
            blocks.deleteLazily(new VolumeLayer(header.id(), volume.log.epoch).object(block).toString());
        }
        if (!header.checkpointShared() && !header.checkpoint().equals(VolumeHeader.NONE)) {
            checkpoints.delete(header.checkpoint());
        }
        maps.delete(Notes.objectOf(header.id()));
        leases.forget(volume.name, header.id());
        headers.forget(volume.name, header);
    }

    /** Makes a snapshot's name vanish; what it holds may be others' too, and is left to garbage collection. */
    void deleteSnapshot(String name, String id) {
        changeSnapshot(name, id, Use.REMOVE, () -> {
            VolumeHeader header = headers.header(name);
            headers.remove(name, header);
            maps.delete(Notes.objectOf(id));
            headers.forget(name, header);
        });
    }

    void renameSnapshot(String name, String id, String to) {
        changeSnapshot(name, id, Use.CONTROL, () -> headers.rename(name, headers.header(name), to));
    }

    /** Gives an open volume another name, and its lease back. */
    void rename(VolumeState volume, String to) {
        String id = volume.header().id();
        renamed.add(id);
        try {
            headers.rename(volume.name, volume.header(), to);
            logs.touch(volume);
            releaseAfterFailure(volume.name, id, !volume.unclean);
        } finally {
            renamed.remove(id);
        }
    }

    /** Adds notes; an empty value removes one. */
    void annotate(String name, Map<String, String> added) {
        notes.add(name, headers.changeable(name).id(), added);
    }

    // --- images

    /** Makes a snapshot that is an image, of the size of a volume. */
    void imageOf(VolumeState volume, ImageLayer image, String snapshot) {
        VolumeHeader old = volume.header();
        String id = newId();
        VolumeHeader header = new VolumeHeader(id, VolumeHeader.Kind.SNAPSHOT, old.size(), old.blockShift(), 0, 1,
            Checkpoint.name(id, 1), true, VolumeHeader.NONE, VolumeHeader.NONE, now());
        headers.make(snapshot, header, () -> {
            putImage(image, id, 1, old.blocks());
            return true;
        });
    }

    /** A snapshot goes on with the same contents in the objects of an image. */
    void becomeImage(String snapshot, VolumeHeader header, ImageLayer image) {
        String checkpoint = putImage(image, header.id(), header.generation() + 1, header.blocks());
        changeSnapshot(snapshot, header.id(), Use.CONTROL, () -> {
            if (!headers.find(snapshot).equals(Optional.of(header))) {
                checkpoints.delete(checkpoint);
                throw new Failure(Errno.ENOENT, "snapshot " + snapshot + " was removed, renamed or changed while it was hashed");
            }
            headers.put(snapshot, header.inCheckpoint(checkpoint));
        });
    }

    /** Makes a checkpoint over an image, and the image's table where that is not there. */
    private String putImage(ImageLayer image, String id, int generation, int blocksOfVolume) {
        tables.put(image);
        BlockMap map = new BlockMap(blocksOfVolume);
        map.base(image);
        return checkpoints.put(map, id, generation);
    }

    /** Changes a snapshot's header, or removes it, as nobody else does meanwhile. */
    private void changeSnapshot(String name, String id, Use use, Runnable change) {
        if (Originals.isOne(name, id)) {
            throw originals.unchangeable(name);
        }
        synchronized (snapshotChanges) {
            leases.acquire(name, id, use);
            try {
                change.run();
            } finally {
                releaseAfterFailure(name, id, true);
            }
        }
    }

    // --- what the original left

    /** Makes a volume over the objects of one of the original; origin: what its header says of where it is from. */
    private void makeOver(String original, String name, long size, String origin, Map<String, String> metadata) {
        Hashers.Pass pass = hashers.enter(UUID.randomUUID().toString(), name); // a table may be there that no map names yet
        try {
            BlockMap base = originals.base(original);
            String id = newId();
            VolumeHeader header = VolumeHeader.create(id, size, Checkpoint.name(id, 1), origin, now());
            headers.make(name, header, () -> {
                checkpoints.put(base, id, 1);
                makeEmpty(name, header, metadata);
                return true;
            });
        } finally {
            pass.close();
        }
    }

    /**
     * A volume of the original goes on as ours, over the objects that it has: there is the one or the other at any crash. What
     * the original wrote stays as it is, and does not come back should our header get lost.
     */
    private VolumeHeader upgrade(String name, VolumeHeader original) {
        if (original.readOnly()) {
            throw originals.unchangeable(name);
        }
        try {
            makeOver(name, name, original.size(), VolumeHeader.NONE, Map.of());
            LOG.log(Level.INFO, "{0} is upgraded: what the original Archipelago has of it is read from now on, and not used otherwise", name);
        } catch (Failure e) {
            if (e.errno() != Errno.EEXIST) {
                throw e; // else another node was faster
            }
        }
        originals.hide(name);
        return headers.header(name);
    }

    private VolumeState loadOriginal(String name, VolumeHeader header) {
        VolumeState volume = new VolumeState(name, header, originals.map(name), List.of(),
            new LogState(header.id(), 0, 0, 0), Lease.NONE);
        volume.hiddenObject = Optional.of(Target.of(Originals.hiddenObject(name)));
        return volume;
    }

    // --- opening and closing

    /** As {@link #load}; but what a former life of this daemon had open, it has open again. */
    VolumeState resume(String name) {
        VolumeHeader header = headers.header(name);
        if (header.readOnly() || !leases.isMine(name, header.id())) {
            return load(name);
        }
        try {
            return open(name, Use.WRITE);
        } catch (Failure e) {
            LOG.log(Level.WARNING, "{0} can only be read for now: {1}", name, e.getMessage());
            VolumeState volume = load(name);
            volume.unopened = true;
            return volume;
        }
    }

    /** The map as it is now, for reading. */
    VolumeState load(String name) {
        try {
            return load(name, Lease.NONE);
        } catch (DamagedMapException e) {
            throw Headers.damaged(e);
        }
    }

    /** Takes the lease, then the map. Fails with EROFS on a snapshot, EBUSY where another has it. */
    VolumeState open(String name, Use use) {
        VolumeHeader found = headers.header(name);
        VolumeHeader header = Originals.isOne(name, found) ? upgrade(name, found) : found;
        if (header.readOnly()) {
            throw new Failure(Errno.EROFS, name + " is a snapshot: it cannot be written; clone it (vlmc create NEW --snap "
                + name + ")");
        }
        if (renamed.contains(header.id())) {
            throw new Failure(Errno.EBUSY, "volume " + name + " is just being given this name: try again");
        }
        headers.refuseTwin(name, header);
        Taken taken = leases.acquire(name, header.id(), use);
        try {
            VolumeState volume = load(name, taken.shared() ? Lease.SHARED : Lease.EXCLUSIVE);
            volume.unclean = !taken.clean();
            volume.resumed = taken.held();
            VolumeState writable = volume.goesOn || use == Use.REMOVE ? volume : nextGeneration(volume, freshEpoch(volume), false);
            logs.endFormer(writable);
            return writable;
        } catch (DamagedMapException e) {
            giveUp(taken, name, header);
            throw Headers.damaged(e);
        } catch (Failure e) {
            giveUp(taken, name, header);
            throw e;
        }
    }

    /**
     * Where logs lie behind the last one that counts, objects of their epochs may hold what nobody named. Each of them
     * has an epoch that is at most by one greater than that of the one before.
     */
    private int freshEpoch(VolumeState volume) {
        int behind = logs.successors(volume.header().id(), volume.log.generation);
        return volume.log.epoch + (behind == 0 ? 0 : behind + 1);
    }

    /** Nothing was written under a lease that was taken in vain. */
    private void giveUp(Taken taken, String name, VolumeHeader header) {
        if (!taken.held()) {
            releaseAfterFailure(name, header.id(), taken.clean());
        }
    }

    /** As {@link Leases#release}, where another failure is to be told. */
    void releaseAfterFailure(String name, String id, boolean clean) {
        try {
            leases.release(name, id, clean);
        } catch (Failure e) {
            LOG.log(Level.WARNING, "{0} stays open: {1}", name, e.getMessage());
        }
    }

    private VolumeState load(String name, Lease lease) {
        String problem = "";
        for (int attempt = 0; attempt < RETRIES; attempt++) {
            VolumeHeader header = headers.header(name);
            if (Originals.isOne(name, header)) {
                return loadOriginal(name, header);
            }
            Optional<BlockMap> found = checkpoints.read(name, header);
            if (found.isEmpty()) {
                problem = "its checkpoint " + header.checkpoint() + " is missing";
                continue; // its holder has just made another
            }
            BlockMap map = found.get();
            if (header.readOnly()) {
                return new VolumeState(name, header, map, List.of(), new LogState(header.id(), 0, 0, 0), lease);
            }
            try {
                Logs.Chain chain = logs.apply(name, header, map, lease);
                VolumeState volume = new VolumeState(name, header, map, chain.sealed(), chain.last(), lease);
                volume.goesOn = !chain.ended() && chain.ours();
                return volume;
            } catch (Logs.Moved e) {
                problem = e.getMessage();
            }
        }
        throw new DamagedMapException(name, problem);
    }

    // --- checking

    /** Puts a header that was lost or damaged in its place; nobody may have the volume open. */
    void restoreHeader(String name, VolumeHeader header) {
        synchronized (snapshotChanges) {
            Taken taken = leases.acquire(name, header.id(), Use.CONTROL);
            try {
                maps.put(VolumeHeader.objectOf(name), header.encode());
            } finally {
                if (!taken.held()) { // else a former life of this daemon had it open, and has it again
                    releaseAfterFailure(name, header.id(), taken.clean());
                }
            }
        }
    }

    Optional<Finding> checkCheckpoint(String name, VolumeHeader header, boolean repair) {
        return checkpoints.check(name, header, repair);
    }

    Optional<Finding> checkTable(Layer layer, boolean repair) {
        return tables.check(layer, repair);
    }

    /** The map of a header's checkpoint; empty when it is missing. */
    Optional<BlockMap> checkpoint(String name, VolumeHeader header) {
        return checkpoints.read(name, header);
    }

    /**
     * Goes on with a new checkpoint and an empty log; the volume's data must be durable. shared:
     * others will name the checkpoint. Needs the lease, and the volume for itself.
     */
    VolumeState nextGeneration(VolumeState volume, int epoch, boolean shared) {
        VolumeHeader old = volume.header();
        BlockMap map = volume.map;
        String checkpoint = old.checkpoint();
        boolean nowShared = old.checkpointShared() || shared;
        if (volume.log.records > 0 || !volume.sealed.isEmpty() || checkpoint.equals(VolumeHeader.NONE) && shared) {
            checkpoint = checkpoints.put(map, old.id(), volume.log.generation + 1);
            nowShared = shared;
        }
        LogState log = logs.create(volume.name, old.id(), volume.log.generation, epoch, Integer.MAX_VALUE - volume.log.generation);
        log.base = volume.log.end();
        VolumeHeader header = old.goesOn(checkpoint, nowShared, log.generation, epoch);
        headers.put(volume.name, header);
        logs.end(volume, log.generation);
        tidyCheckpoint(old, header);
        map.own(header.ownLayer());
        VolumeState next = new VolumeState(volume.name, header, map, List.of(), log, volume.lease);
        next.backed = volume.backed;
        next.resumed = volume.resumed;
        next.unclean = volume.unclean && epoch == volume.log.epoch;
        if (volume.unclean && !next.unclean) {
            settle(header.id());
        }
        return next;
    }

    /**
     * Sums up a volume's logs before a generation in a checkpoint, while the volume goes on: these logs are sealed, and
     * they and the data that they name are durable. shared: others will name the checkpoint. A volume that has come so
     * far already is left so. Needs the lease.
     */
    VolumeHeader sumUp(VolumeState volume, int generation, int epoch, boolean shared) {
        leases.check(volume.name, volume.header().id());
        VolumeHeader old = headers.header(volume.name); // the newest: a former attempt may have come further than it said
        if (!old.id().equals(volume.header().id()) || old.generation() > generation) {
            throw new Failure(Errno.EAGAIN, "volume " + volume.name + " has gone on meanwhile: try again");
        }
        volume.header(old);
        VolumeHeader header = old;
        if (old.generation() < generation) {
            String checkpoint = checkpointBefore(volume.name, old, generation, shared);
            header = old.goesOn(checkpoint, checkpoint.equals(old.checkpoint()) && old.checkpointShared(), generation, epoch);
        }
        header = shared ? header.shared() : header;
        if (!header.equals(old)) {
            headers.put(volume.name, header);
            volume.header(header);
        }
        logs.tidy(header, old.generation(), generation);
        tidyCheckpoint(old, header);
        if (old.epoch() < epoch) {
            settle(header.id()); // nobody has written to the objects of a new epoch
        }
        return header;
    }

    /** The name of a checkpoint of what a volume's header and its sealed logs say; NONE only where nobody needs one. */
    private String checkpointBefore(String name, VolumeHeader old, int generation, boolean needed) {
        try {
            BlockMap map = checkpoints.read(name, old).orElseThrow(() ->
                new DamagedMapException(name, "its checkpoint " + old.checkpoint() + " is missing"));
            boolean changed = logs.applyBefore(name, old, map, generation);
            if (!changed && !(needed && old.checkpoint().equals(VolumeHeader.NONE))) {
                return old.checkpoint();
            }
            return checkpoints.put(map, old.id(), generation);
        } catch (DamagedMapException e) {
            throw Headers.damaged(e);
        }
    }

    private void settle(String id) {
        try {
            leases.settle(id);
        } catch (Failure e) {
            LOG.log(Level.DEBUG, "blocks will be made whole before their first write, for nothing: {0}", e.getMessage());
        }
    }

    /** Removes the checkpoint that a header named, when the next one names another and nobody else can. */
    private void tidyCheckpoint(VolumeHeader old, VolumeHeader header) {
        if (header.checkpoint().equals(old.checkpoint()) || old.checkpointShared() || old.checkpoint().equals(VolumeHeader.NONE)) {
            return;
        }
        try {
            checkpoints.delete(old.checkpoint());
        } catch (Failure e) {
            LOG.log(Level.WARNING, "an object that nothing needs was not removed: {0}", e.getMessage());
        }
    }

    /** After the volume's data and log are durable: gives the lease back. */
    void close(VolumeState volume) {
        if (volume.lease == Lease.EXCLUSIVE && (volume.log.records > COMPACT_RECORDS || !volume.sealed.isEmpty())) {
            try {
                nextGeneration(volume, volume.log.epoch, false);
            } catch (Failure e) {
                LOG.log(Level.WARNING, "the log of {0} stays long: {1}", volume.name, e.getMessage());
            }
        }
        leases.release(volume.name, volume.header().id(), !volume.unclean);
    }

    // --- changing an open volume

    /**
     * A snapshot of an open volume whose I/O is stopped and whose data is durable. First the volume
     * leaves its objects behind for good, then the snapshot names them: a crash in between costs the
     * snapshot, never what it would have held.
     *
     * @return how the volume goes on
     */
    VolumeState snapshot(VolumeState volume, String snapshot) {
        headers.refuseExisting(snapshot);
        VolumeState next = nextGeneration(volume, volume.log.epoch + 1, true);
        name(volume.name, next.header(), snapshot);
        return next;
    }

    /** The same of a volume that goes on, sealed as it was before a generation. */
    void snapshot(VolumeState volume, int generation, int epoch, String snapshot) {
        headers.refuseExisting(snapshot);
        name(volume.name, sumUp(volume, generation, epoch, true), snapshot);
    }

    /** Makes the log that an open volume shall go on in after one; snapshot: for what. */
    LogState prepare(String name, String id, int after, int epoch, Optional<String> snapshot) {
        snapshot.ifPresent(headers::refuseExisting);
        return logs.create(name, id, after, epoch, Logs.MOST);
    }

    /** Gives a volume's checkpoint the name of a snapshot. */
    private void name(String volume, VolumeHeader of, String snapshot) {
        VolumeHeader header = of.snapshot(newId(), of.checkpoint(), volume, now());
        try {
            if (!headers.make(snapshot, header, () -> headers.names(volume, of))) {
                throw new Failure(Errno.EBUSY, "volume " + volume + " was changed by another node while snapshot " + snapshot
                    + " was made of it: close it here (vlmc close " + volume + ")");
            }
        } catch (Failure e) {
            throw e.inHalfWay();
        }
    }

    void resize(VolumeState volume, long size) {
        VolumeHeader old = headers.header(volume.name); // the newest
        if (size < old.size()) {
            throw new Failure(Errno.EINVAL, "volume " + volume.name + " has " + old.size() + " bytes and cannot shrink to " + size);
        }
        if (size > VolumeHeader.MAX_SIZE) {
            throw new Failure(Errno.EINVAL, "volume " + volume.name + " cannot have " + size + " bytes: "
                + VolumeHeader.MAX_SIZE + " are allowed");
        }
        VolumeHeader header = old.withSize(wholeUnits(size));
        headers.put(volume.name, header);
        volume.header(header);
        volume.map.grow(header.blocks());
        logs.touch(volume);
    }
}
