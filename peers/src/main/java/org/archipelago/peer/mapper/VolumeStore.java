package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.archipelago.map.BlockMap;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.MapLog;
import org.archipelago.map.TextObject;
import org.archipelago.map.VolumeHeader;
import org.archipelago.peer.mapper.Leases.Taken;
import org.archipelago.peer.mapper.Leases.Use;
import org.archipelago.peer.mapper.VolumeState.Lease;
import org.archipelago.posix.Errno;

/**
 * Volumes as the objects that they are: headers, checkpoints, logs. Everything here waits for the
 * store, so it runs on a control thread. Each change is one atomic step of a header, before which all
 * that it names is there; what a crash leaves over is named by nothing.
 */
final class VolumeStore {
    private static final System.Logger LOG = System.getLogger(VolumeStore.class.getName());
    private static final int RETRIES = 8;
    private static final int NOTES_VERSION = 1;
    /** What the names of objects begin with that hold notes. */
    static final String NOTES = "info-";
    private static final int COMPACT_RECORDS = 4096;

    private final ObjectStore maps;
    private final ObjectStore blocks;
    private final Leases leases;
    private final NodeIdentity me;
    private final LayerTables tables;
    private final Checkpoints checkpoints;
    private final Object snapshotChanges = new Object();
    private final SecureRandom random = new SecureRandom();
    /** Ids of volumes that are being renamed: the lease is this daemon's, and about to go. */
    private final Set<String> renamed = ConcurrentHashMap.newKeySet();

    VolumeStore(ObjectStore maps, ObjectStore blocks, Leases leases, NodeIdentity me) {
        this.maps = maps;
        this.blocks = blocks;
        this.leases = leases;
        this.me = me;
        this.tables = new LayerTables(maps);
        this.checkpoints = new Checkpoints(maps, tables);
    }

    // --- headers

    Optional<VolumeHeader> find(String volume) {
        return find(maps, volume);
    }

    private static Optional<VolumeHeader> find(Texts texts, String volume) {
        try {
            return texts.readText(VolumeHeader.objectOf(volume)).map(bytes -> VolumeHeader.decode(volume, bytes));
        } catch (DamagedMapException e) {
            throw damaged(e);
        }
    }

    VolumeHeader header(String volume) {
        return header(maps, volume);
    }

    static VolumeHeader header(Texts texts, String volume) {
        return find(texts, volume).orElseThrow(() -> new Failure(Errno.ENOENT, "volume " + volume
            + " does not exist (vlmc list shows those that do)"));
    }

    /** A failure leaves open which header it has now. */
    private void put(String volume, VolumeHeader header) {
        try {
            maps.put(VolumeHeader.objectOf(volume), header.encode());
        } catch (Failure e) {
            throw e.inHalfWay();
        }
    }

    private static Failure damaged(DamagedMapException e) {
        return new Failure(Errno.EUCLEAN, e.getMessage());
    }

    private static Failure exists(String name) {
        return new Failure(Errno.EEXIST, "volume " + name + " exists already");
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
    void create(String name, long size, Optional<String> origin, Map<String, String> metadata) {
        if (find(name).isPresent()) {
            throw exists(name);
        }
        String checkpoint = VolumeHeader.NONE;
        long wanted = size;
        if (origin.isPresent()) {
            VolumeHeader parent = header(origin.get());
            if (!parent.readOnly()) {
                throw new Failure(Errno.EINVAL, origin.get() + " is a volume, not a snapshot: clone a snapshot of it"
                    + " (vlmc snapshot " + origin.get() + " NAME)");
            }
            if (size != 0 && size < parent.size()) {
                throw new Failure(Errno.EINVAL, "a volume of " + size + " bytes cannot hold snapshot " + origin.get()
                    + ", which has " + parent.size());
            }
            wanted = size == 0 ? parent.size() : size;
            checkpoint = parent.checkpoint();
        }
        if (wanted <= 0 || wanted > VolumeHeader.MAX_SIZE) {
            throw new Failure(Errno.EINVAL, "volume " + name + " cannot have " + wanted + " bytes: 1 to "
                + VolumeHeader.MAX_SIZE + " are allowed");
        }
        VolumeHeader header = VolumeHeader.create(newId(), wholeUnits(wanted), checkpoint, origin.orElse(VolumeHeader.NONE), now());
        if (!metadata.isEmpty()) {
            putNotes(name, header.id(), metadata);
        }
        maps.put(header.log(), MapLog.encodeHeader(header.generation(), header.ownLayer(), me.boot(), me.daemon()));
        if (!maps.create(VolumeHeader.objectOf(name), header.encode())) {
            maps.delete(header.log());
            maps.delete(notesObject(header.id()));
            throw exists(name);
        }
    }

    private static long wholeUnits(long size) {
        return (size + BlockMap.UNIT - 1) & -BlockMap.UNIT;
    }

    /** Makes the name vanish; the caller then reclaims what the volume alone used. */
    void delete(VolumeState volume) {
        try {
            maps.delete(volume.headerObject.toString());
        } catch (Failure e) {
            throw e.inHalfWay();
        }
    }

    /** Removes the objects that nothing can name any more, after {@link #delete}; may take long. */
    void reclaim(VolumeState volume) {
        VolumeHeader header = volume.header();
        endLog(volume);
        for (int block : volume.map.ownBlocks()) {
            blocks.delete(header.ownLayer().object(block).toString());
        }
        if (!header.checkpointShared() && !header.checkpoint().equals(VolumeHeader.NONE)) {
            checkpoints.delete(header.checkpoint());
        }
        maps.delete(notesObject(header.id()));
        leases.forget(volume.name, header.id());
    }

    /** Makes a snapshot's name vanish; what it holds may be others' too. */
    void deleteSnapshot(String name, String id) {
        changeSnapshot(name, id, () -> {
            maps.delete(VolumeHeader.objectOf(name));
            maps.delete(notesObject(id));
        });
    }

    void renameSnapshot(String name, String id, String to) {
        changeSnapshot(name, id, () -> renameHeader(name, to));
    }

    /** Makes the name of something vanish that cannot be read; what it held is left over. */
    boolean deleteUnread(String name) {
        return maps.delete(VolumeHeader.objectOf(name));
    }

    private void renameHeader(String name, String to) {
        int result;
        try {
            result = maps.rename(VolumeHeader.objectOf(name), VolumeHeader.objectOf(to));
        } catch (Failure e) {
            throw e.inHalfWay();
        }
        if (result == Errno.EEXIST) {
            throw exists(to);
        }
        if (result != 0) {
            throw Failure.of(result, "volume " + name + " cannot be renamed").inHalfWay();
        }
    }

    /** Gives an open volume another name, and its lease back. */
    void rename(VolumeState volume, String to) {
        String id = volume.header().id();
        renamed.add(id);
        try {
            renameHeader(volume.name, to);
            touchLog(volume);
            releaseAfterFailure(volume.name, id, !volume.unclean);
        } finally {
            renamed.remove(id);
        }
    }

    // --- images

    void refuseExisting(String name) {
        if (find(name).isPresent()) {
            throw exists(name);
        }
    }

    /** Makes a snapshot that is an image, of the size of a volume. */
    void imageOf(VolumeState volume, ImageLayer image, String snapshot) {
        VolumeHeader old = volume.header();
        String id = newId();
        String checkpoint = putImage(image, id, 1, old.blocks());
        VolumeHeader header = new VolumeHeader(id, VolumeHeader.Kind.SNAPSHOT, old.size(), old.blockShift(), 0, 1, checkpoint, true,
            VolumeHeader.NONE, VolumeHeader.NONE, now());
        if (!maps.create(VolumeHeader.objectOf(snapshot), header.encode())) {
            checkpoints.delete(checkpoint);
            throw exists(snapshot);
        }
    }

    /** A snapshot goes on with the same contents in the objects of an image. */
    void becomeImage(String snapshot, VolumeHeader header, ImageLayer image) {
        String checkpoint = putImage(image, header.id(), header.generation() + 1, header.blocks());
        changeSnapshot(snapshot, header.id(), () -> {
            if (!find(snapshot).equals(Optional.of(header))) {
                checkpoints.delete(checkpoint);
                throw new Failure(Errno.ENOENT, "snapshot " + snapshot + " was removed, renamed or changed while it was hashed");
            }
            maps.put(VolumeHeader.objectOf(snapshot), header.inCheckpoint(checkpoint).encode());
        });
    }

    /** Makes a checkpoint over an image, and the image's table where that is not there. */
    private String putImage(ImageLayer image, String id, int generation, int blocksOfVolume) {
        try {
            tables.image(image.root());
        } catch (Failure | IllegalArgumentException absentOrDamaged) {
            maps.put(image.tableName(), image.table());
        }
        BlockMap map = new BlockMap(blocksOfVolume);
        map.base(image);
        return checkpoints.put(map, id, generation);
    }

    /** Changes a snapshot's header, or removes it, as nobody else does meanwhile. */
    private void changeSnapshot(String name, String id, Runnable change) {
        synchronized (snapshotChanges) {
            leases.acquire(name, id, Use.CONTROL);
            try {
                change.run();
            } finally {
                releaseAfterFailure(name, id, true);
            }
        }
    }

    // --- notes: what users and Ganeti want to have kept with a volume

    private static String notesObject(String id) {
        return NOTES + id;
    }

    private Map<String, String> notes(String name, String id) {
        return notes(maps, name, id);
    }

    static Map<String, String> notes(Texts texts, String name, String id) {
        try {
            return texts.readText(notesObject(id)).map(bytes -> TextObject.decode("info", NOTES_VERSION, bytes)).orElseGet(Map::of);
        } catch (IllegalArgumentException e) {
            throw new Failure(Errno.EUCLEAN, "the notes of volume " + name + " (object " + notesObject(id) + ") are damaged: "
                + e.getMessage());
        }
    }

    private void putNotes(String name, String id, Map<String, String> notes) {
        byte[] bytes = TextObject.encode("info", NOTES_VERSION, new TreeMap<>(notes));
        if (bytes.length > ObjectStore.TEXT_MAX) {
            throw new Failure(Errno.EMSGSIZE, "volume " + name + " would carry " + bytes.length + " bytes of notes; "
                + ObjectStore.TEXT_MAX + " are allowed");
        }
        maps.put(notesObject(id), bytes);
    }

    /** Adds notes; an empty value removes one. */
    void annotate(String name, Map<String, String> added) {
        String id = header(name).id();
        Map<String, String> notes = new TreeMap<>(notes(name, id));
        notes.putAll(added);
        notes.values().removeIf(String::isEmpty);
        putNotes(name, id, notes);
    }

    // --- opening and closing

    /** As {@link #load}; but what a former life of this daemon had open, it has open again. */
    VolumeState resume(String name) {
        VolumeHeader header = header(name);
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
            throw damaged(e);
        }
    }

    /** Takes the lease, then the map. Fails with EROFS on a snapshot, EBUSY where another has it. */
    VolumeState open(String name, Use use) {
        VolumeHeader header = header(name);
        if (header.readOnly()) {
            throw new Failure(Errno.EROFS, name + " is a snapshot: it cannot be written; clone it (vlmc create NEW --snap "
                + name + ")");
        }
        if (renamed.contains(header.id())) {
            throw new Failure(Errno.EBUSY, "volume " + name + " is just being given this name: try again");
        }
        Taken taken = leases.acquire(name, header.id(), use);
        try {
            VolumeState volume = load(name, taken.shared() ? Lease.SHARED : Lease.EXCLUSIVE);
            volume.unclean = !taken.clean();
            volume.resumed = taken.held();
            volume.committed = 0; // as far as this life knows: the last COMMIT may not have been synced
            VolumeState writable = volume.goesOn ? volume : nextGeneration(volume, volume.header().epoch(), false);
            endFormerLog(writable);
            return writable;
        } catch (DamagedMapException e) {
            giveUp(taken, name, header);
            throw damaged(e);
        } catch (Failure e) {
            giveUp(taken, name, header);
            throw e;
        }
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
            VolumeHeader header = header(name);
            Optional<BlockMap> found = checkpoints.read(name, header);
            if (found.isEmpty()) {
                problem = "its checkpoint " + header.checkpoint() + " is missing";
                continue; // its holder has just made another
            }
            BlockMap map = found.get();
            if (header.readOnly()) {
                return new VolumeState(name, header, map, 0, lease);
            }
            map.own(header.ownLayer());
            Optional<byte[]> logBytes = maps.read(header.log());
            problem = "its log " + header.log() + " is missing";
            if (logBytes.isEmpty()) {
                continue; // so too
            }
            MapLog.Contents log = MapLog.decode(name, logBytes.get());
            if (log.ended() && lease == Lease.NONE) {
                continue;
            }
            if (log.header().generation() != header.generation() || !log.header().id().equals(header.id())) {
                throw new DamagedMapException(name, "its log belongs to something else");
            }
            if (log.gap() && isOfThisBoot(log)) {
                problem = "record " + log.records() + " of its log is damaged";
                continue; // or it was written to while it was read
            }
            log.apply(name, map, applied(log, lease));
            VolumeState volume = new VolumeState(name, header, map, log.header().crc(), lease);
            volume.records = log.records();
            volume.lastRecord = log.records() == 0 ? 0 : log.bytes().getInt((int) MapLog.position(log.records() - 1));
            volume.owned = log.owned();
            volume.committed = log.committed();
            volume.goesOn = !log.ended() && isOurs(log) && isOfThisBoot(log);
            return volume;
        }
        throw new DamagedMapException(name, problem);
    }

    private boolean isOurs(MapLog.Contents log) {
        return log.header().writer().equals(me.daemon());
    }

    private boolean isOfThisBoot(MapLog.Contents log) {
        return log.header().boot().equals(me.boot());
    }

    /** Records that count: all, where their writer's kernel lives and has them; else those that survive its end. */
    private long applied(MapLog.Contents log, Lease lease) {
        boolean writerLives = isOurs(log) ? isOfThisBoot(log) : lease == Lease.NONE;
        return writerLives ? log.records() : log.committed();
    }

    /**
     * Goes on with a new checkpoint and an empty log; the volume's data must be durable. shared:
     * others will name the checkpoint. Needs the lease.
     */
    VolumeState nextGeneration(VolumeState volume, int epoch, boolean shared) {
        VolumeHeader old = volume.header();
        BlockMap map = volume.map;
        String checkpoint = old.checkpoint();
        boolean nowShared = old.checkpointShared() || shared;
        if (volume.records > 0 || checkpoint.equals(VolumeHeader.NONE) && shared) {
            checkpoint = checkpoints.put(map, old.id(), old.generation() + 1);
            nowShared = shared;
        }
        VolumeHeader header = old.nextGeneration(checkpoint, nowShared, epoch);
        byte[] log = MapLog.encodeHeader(header.generation(), header.ownLayer(), me.boot(), me.daemon());
        maps.put(header.log(), log);
        put(volume.name, header);
        endLog(volume);
        if (!checkpoint.equals(old.checkpoint()) && !old.checkpointShared() && !old.checkpoint().equals(VolumeHeader.NONE)) {
            tidyCheckpoint(old.checkpoint());
        }
        map.own(header.ownLayer());
        int crc = MapLog.decodeHeader(volume.name, ByteBuffer.wrap(log).order(ByteOrder.LITTLE_ENDIAN)).crc();
        VolumeState next = new VolumeState(volume.name, header, map, crc, volume.lease);
        next.resumed = volume.resumed;
        next.unclean = volume.unclean && epoch == old.epoch();
        if (volume.unclean && !next.unclean) {
            settle(header.id());
        }
        return next;
    }

    private void settle(String id) {
        try {
            leases.settle(id);
        } catch (Failure e) {
            LOG.log(Level.DEBUG, "blocks will be made whole before their first write, for nothing: {0}", e.getMessage());
        }
    }

    /** Removes a checkpoint that nothing names any more. */
    private void tidyCheckpoint(String object) {
        try {
            checkpoints.delete(object);
        } catch (Failure e) {
            LOG.log(Level.WARNING, "an object that nothing needs was not removed: {0}", e.getMessage());
        }
    }

    /**
     * Tells readers that still look at the old log that the volume goes on elsewhere. That has happened
     * already, so a failure changes nothing; the next to open the volume tries again.
     */
    private void endLog(VolumeState volume) {
        try {
            if (volume.goesOn || volume.resumed) {
                append(volume, MapLog.END);
                maps.delete(volume.header().log());
            } else {
                endFormerLog(volume.name, volume.header().log()); // whose writer may have gone on meanwhile
            }
        } catch (Failure e) {
            LOG.log(Level.WARNING, "other nodes may read {0} as it was: {1}", volume.name, e.getMessage());
        }
    }

    /** Ends the log before this one, where a crash came between. */
    private void endFormerLog(VolumeState volume) {
        VolumeHeader header = volume.header();
        if (header.generation() == 1) {
            return;
        }
        try {
            endFormerLog(volume.name, VolumeHeader.logName(header.id(), header.generation() - 1));
        } catch (Failure | DamagedMapException e) {
            LOG.log(Level.WARNING, "other nodes may read {0} as it was: {1}", volume.name, e.getMessage());
        }
    }

    private void endFormerLog(String volume, String object) {
        Optional<byte[]> bytes = maps.read(object);
        if (bytes.isPresent()) {
            MapLog.Contents log = MapLog.decode(volume, bytes.get());
            append(object, log.header().crc(), MapLog.END, log.records(), 0, 0);
            maps.delete(object);
        }
    }

    /** Makes readers on other nodes look at the volume anew. */
    private void touchLog(VolumeState volume) {
        try {
            volume.lastRecord = append(volume, MapLog.COMMIT);
            volume.records++;
            volume.refused = 0;
        } catch (Failure e) {
            LOG.log(Level.WARNING, "other nodes may read {0} as it was: {1}", volume.name, e.getMessage());
        }
    }

    private int append(VolumeState volume, int type) {
        int stale = (int) Math.max(0, volume.refused - volume.records - 1);
        return append(volume.header().log(), volume.logCrc, type, volume.records, volume.committed, stale);
    }

    /** stale: records that lie behind, and must not count. */
    private int append(String log, int crc, int type, long number, long durable, int stale) {
        ByteBuffer records = ByteBuffer.allocate((1 + stale) * MapLog.RECORD).order(ByteOrder.LITTLE_ENDIAN);
        MapLog.encode(records, 0, crc, type, number, Math.toIntExact(durable), 0, 0, durable);
        maps.write(log, MapLog.position(number), records.array());
        return records.getInt(0);
    }

    /** After the volume's data and log are durable: gives the lease back. */
    void close(VolumeState volume) {
        if (volume.lease == Lease.EXCLUSIVE && volume.records > COMPACT_RECORDS) {
            try {
                nextGeneration(volume, volume.header().epoch(), false);
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
        if (find(snapshot).isPresent()) {
            throw exists(snapshot);
        }
        VolumeState next = nextGeneration(volume, volume.header().epoch() + 1, true);
        VolumeHeader header = next.header().snapshot(newId(), next.header().checkpoint(), volume.name, now());
        try {
            if (!maps.create(VolumeHeader.objectOf(snapshot), header.encode())) {
                throw exists(snapshot);
            }
        } catch (Failure e) {
            throw e.inHalfWay();
        }
        return next;
    }

    void resize(VolumeState volume, long size) {
        VolumeHeader old = volume.header();
        if (size < old.size()) {
            throw new Failure(Errno.EINVAL, "volume " + volume.name + " has " + old.size() + " bytes and cannot shrink to " + size);
        }
        if (size > VolumeHeader.MAX_SIZE) {
            throw new Failure(Errno.EINVAL, "volume " + volume.name + " cannot have " + size + " bytes: "
                + VolumeHeader.MAX_SIZE + " are allowed");
        }
        VolumeHeader header = old.withSize(wholeUnits(size));
        put(volume.name, header);
        volume.header(header);
        volume.map.grow(header.blocks());
        touchLog(volume);
    }
}
