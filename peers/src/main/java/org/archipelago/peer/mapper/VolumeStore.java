package org.archipelago.peer.mapper;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Checkpoint;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.Layer;
import org.archipelago.map.MapLog;
import org.archipelago.map.TextObject;
import org.archipelago.map.VolumeHeader;
import org.archipelago.peer.mapper.Leases.Taken;
import org.archipelago.peer.mapper.VolumeState.Lease;
import org.archipelago.posix.Errno;

/**
 * Volumes as the objects that they are: headers, checkpoints, logs. Everything here waits for the
 * store, so it runs on a control thread. Each change is one atomic step of a header, before which all
 * that it names is there; what a crash leaves over is named by nothing.
 */
final class VolumeStore {
    private static final int RETRIES = 8;
    private static final int NOTES_VERSION = 1;
    private static final int COMPACT_RECORDS = 4096;

    private final ObjectStore maps;
    private final ObjectStore blocks;
    private final Leases leases;
    private final NodeIdentity me;
    private final SecureRandom random = new SecureRandom();

    VolumeStore(ObjectStore maps, ObjectStore blocks, Leases leases, NodeIdentity me) {
        this.maps = maps;
        this.blocks = blocks;
        this.leases = leases;
        this.me = me;
    }

    // --- headers

    Optional<VolumeHeader> find(String volume) {
        try {
            return maps.readText(VolumeHeader.objectOf(volume)).map(bytes -> VolumeHeader.decode(volume, bytes));
        } catch (DamagedMapException e) {
            throw damaged(e);
        }
    }

    VolumeHeader header(String volume) {
        return find(volume).orElseThrow(() -> new Failure(Errno.ENOENT, "volume " + volume
            + " does not exist (vlmc list shows those that do)"));
    }

    private void put(String volume, VolumeHeader header) {
        maps.put(VolumeHeader.objectOf(volume), header.encode());
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
        maps.delete(VolumeHeader.objectOf(volume.name));
    }

    /** Removes the objects that nothing can name any more, after {@link #delete}; may take long. */
    void reclaim(VolumeState volume) {
        Layer own = volume.header.ownLayer();
        for (int block : volume.map.ownBlocks()) {
            blocks.delete(own.object(block).toString());
        }
        maps.delete(volume.header.log());
        if (!volume.header.checkpointShared() && !volume.header.checkpoint().equals(VolumeHeader.NONE)) {
            maps.delete(volume.header.checkpoint());
        }
        maps.delete(notesObject(volume.header.id()));
        leases.release(volume.name, volume.header.id());
    }

    /** Makes a snapshot's name vanish; what it holds may be others' too. */
    void deleteSnapshot(String name, String id) {
        maps.delete(VolumeHeader.objectOf(name));
        maps.delete(notesObject(id));
    }

    /** Makes the name of something vanish that cannot be read; what it held is left over. */
    boolean deleteUnread(String name) {
        return maps.delete(VolumeHeader.objectOf(name));
    }

    void rename(String name, String to) {
        int result = maps.rename(VolumeHeader.objectOf(name), VolumeHeader.objectOf(to));
        if (result == Errno.EEXIST) {
            throw exists(to);
        }
        if (result == Errno.ENOENT) {
            header(name);
        }
    }

    // --- notes: what users and Ganeti want to have kept with a volume

    private static String notesObject(String id) {
        return "info-" + id;
    }

    Map<String, String> notes(String name, String id) {
        try {
            return maps.readText(notesObject(id)).map(bytes -> TextObject.decode("info", NOTES_VERSION, bytes)).orElseGet(Map::of);
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
        boolean held = !header.readOnly() && leases.holder(LockRecord.Kind.LEASE, name, header.id())
            .filter(holder -> leases.mine(holder) && !holder.shared()).isPresent();
        return held ? open(name) : load(name);
    }

    /** The map as it is now, for reading. */
    VolumeState load(String name) {
        try {
            return loadWith(name, Lease.NONE, Taken.HELD);
        } catch (DamagedMapException e) {
            throw damaged(e);
        }
    }

    /** Takes the lease, then the map. Fails with EROFS on a snapshot, EBUSY where another has it. */
    VolumeState open(String name) {
        VolumeHeader header = header(name);
        if (header.readOnly()) {
            throw new Failure(Errno.EROFS, name + " is a snapshot: it cannot be written; clone it (vlmc create NEW --snap "
                + name + ")");
        }
        Taken taken = leases.acquire(name, header.id());
        try {
            return loadWith(name, Lease.EXCLUSIVE, taken);
        } catch (DamagedMapException e) {
            releaseAfterFailure(taken, name, header);
            throw damaged(e);
        } catch (Failure e) {
            releaseAfterFailure(taken, name, header);
            throw e;
        }
    }

    private void releaseAfterFailure(Taken taken, String name, VolumeHeader header) {
        if (taken != Taken.HELD) {
            leases.release(name, header.id());
        }
    }

    private VolumeState loadWith(String name, Lease lease, Taken taken) {
        for (int attempt = 0; attempt < RETRIES; attempt++) {
            VolumeHeader header = header(name);
            BlockMap map = checkpoint(name, header);
            if (header.readOnly()) {
                return new VolumeState(name, header, map, 0, 0, 0, lease);
            }
            map.own(header.ownLayer());
            Optional<byte[]> logBytes = maps.read(header.log());
            if (logBytes.isEmpty()) {
                continue; // its holder has just begun another
            }
            MapLog.Contents log = MapLog.decode(name, logBytes.get());
            if (log.ended() && lease == Lease.NONE) {
                continue;
            }
            if (log.header().generation() != header.generation() || !log.header().id().equals(header.id())) {
                throw new DamagedMapException(name, "its log belongs to something else");
            }
            if (log.gap() && log.header().boot().equals(me.boot())) {
                throw new DamagedMapException(name, "record " + log.records() + " of its log is damaged");
            }
            boolean sameBoot = log.header().boot().equals(me.boot());
            long applied = sameBoot || lease == Lease.NONE ? log.records() : log.committed();
            log.apply(name, map, applied);
            VolumeState state = new VolumeState(name, header, map, log.header().crc(), log.records(), log.committed(), lease);
            state.unclean = taken != Taken.CLEAN;
            boolean goesOn = sameBoot && log.header().writer().equals(me.daemon()) && !log.ended();
            return lease == Lease.NONE || goesOn ? state : nextGeneration(state, header.epoch(), false);
        }
        throw new DamagedMapException(name, "its log " + header(name).log() + " is missing");
    }

    private BlockMap checkpoint(String name, VolumeHeader header) {
        if (header.checkpoint().equals(VolumeHeader.NONE)) {
            return new BlockMap(header.blocks());
        }
        byte[] bytes = maps.read(header.checkpoint()).orElseThrow(() ->
            new DamagedMapException(name, "its checkpoint " + header.checkpoint() + " is missing"));
        return Checkpoint.decode(name, bytes, header.blocks());
    }

    /**
     * Goes on with a new checkpoint and an empty log; the volume's data must be durable. shared:
     * others will name the checkpoint. Needs the lease.
     */
    VolumeState nextGeneration(VolumeState volume, int epoch, boolean shared) {
        VolumeHeader old = volume.header;
        boolean unchanged = volume.records == 0;
        String checkpoint = old.checkpoint();
        boolean nowShared = old.checkpointShared() || shared;
        if (!unchanged || checkpoint.equals(VolumeHeader.NONE) && shared) {
            checkpoint = VolumeHeader.checkpointName(old.id(), old.generation() + 1);
            maps.put(checkpoint, Checkpoint.encode(volume.map));
            nowShared = shared;
        }
        VolumeHeader header = old.nextGeneration(checkpoint, nowShared, epoch);
        byte[] log = MapLog.encodeHeader(header.generation(), header.ownLayer(), me.boot(), me.daemon());
        maps.put(header.log(), log);
        put(volume.name, header);
        endLog(volume);
        if (!checkpoint.equals(old.checkpoint()) && !old.checkpointShared() && !old.checkpoint().equals(VolumeHeader.NONE)) {
            maps.delete(old.checkpoint());
        }
        volume.map.own(header.ownLayer());
        int crc = MapLog.decodeHeader(volume.name, ByteBuffer.wrap(log).order(ByteOrder.LITTLE_ENDIAN)).crc();
        VolumeState next = new VolumeState(volume.name, header, volume.map, crc, 0, 0, volume.lease);
        next.unclean = volume.unclean && epoch == old.epoch();
        return next;
    }

    /** Tells readers that still look at the old log that the volume goes on elsewhere. */
    private void endLog(VolumeState volume) {
        ByteBuffer record = ByteBuffer.allocate(MapLog.RECORD).order(ByteOrder.LITTLE_ENDIAN);
        MapLog.encode(record, 0, volume.logCrc, MapLog.END, volume.records, 0, 0, 0, 0);
        maps.write(volume.header.log(), MapLog.position(volume.records), record.array());
        maps.delete(volume.header.log());
    }

    /** After the volume's data and log are durable: gives the lease back. */
    void close(VolumeState volume) {
        if (volume.lease != Lease.NONE) {
            if (volume.lease == Lease.EXCLUSIVE && volume.records > COMPACT_RECORDS) {
                nextGeneration(volume, volume.header.epoch(), false);
            }
            leases.release(volume.name, volume.header.id());
        }
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
        VolumeState next = nextGeneration(volume, volume.header.epoch() + 1, true);
        VolumeHeader header = next.header.snapshot(newId(), next.header.checkpoint(), volume.name, now());
        if (!maps.create(VolumeHeader.objectOf(snapshot), header.encode())) {
            throw exists(snapshot);
        }
        return next;
    }

    void resize(VolumeState volume, long size) {
        if (size < volume.header.size()) {
            throw new Failure(Errno.EINVAL, "volume " + volume.name + " has " + volume.header.size()
                + " bytes and cannot shrink to " + size);
        }
        if (size > VolumeHeader.MAX_SIZE) {
            throw new Failure(Errno.EINVAL, "volume " + volume.name + " cannot have " + size + " bytes: "
                + VolumeHeader.MAX_SIZE + " are allowed");
        }
        VolumeHeader header = volume.header.withSize(wholeUnits(size));
        put(volume.name, header);
        volume.header = header;
        volume.map.grow(header.blocks());
    }
}
