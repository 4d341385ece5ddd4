package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.archipelago.map.BlockMap;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.MapLog;
import org.archipelago.map.MapLog.Seal;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeLayer;
import org.archipelago.peer.mapper.VolumeState.Lease;
import org.archipelago.posix.Errno;

/**
 * The logs of volumes as the objects that they are: one after another, each but the last one sealed. An object of a log
 * is made once and never replaced. Everything here waits for the store.
 */
final class Logs {
    private static final System.Logger LOG = System.getLogger(Logs.class.getName());
    /** Most logs that a volume may have one after another, those included that were made for nothing. */
    static final int MOST = 64;

    private final ObjectStore maps;
    private final NodeIdentity me;

    Logs(ObjectStore maps, NodeIdentity me) {
        this.maps = maps;
        this.me = me;
    }

    /** Makes an empty log, durably, of the first generation after one that has none yet; tries so many at most. */
    LogState create(String volume, String id, int after, int epoch, int most) {
        for (int tried = after + 1; tried <= after + most; tried++) {
            byte[] header = MapLog.encodeHeader(tried, new VolumeLayer(id, epoch), me.boot(), me.daemon());
            if (maps.create(VolumeHeader.logName(id, tried), header)) {
                int crc = MapLog.decodeHeader(volume, ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN)).crc();
                return new LogState(id, tried, epoch, crc);
            }
        }
        throw new Failure(Errno.EOVERFLOW, "volume " + volume + " has " + most + " logs that were made for nothing (objects log-" + id
            + "-*): close it (vlmc close " + volume + "), which sums them up");
    }

    /** How many logs there are behind one, one after another. */
    int successors(String id, int generation) {
        int found = 0;
        while (found < MOST && maps.exists(VolumeHeader.logName(id, generation + found + 1))) {
            found++;
        }
        return found;
    }

    // --- reading

    /** Logs that count, in order, the last one being the one that the volume writes; ended: it goes on elsewhere. */
    record Chain(List<LogState> sealed, LogState last, boolean ours, boolean ended) {}

    /** A log is not there, or not as it should be: it may have been replaced while it was looked at. */
    static final class Moved extends Exception {
        private static final long serialVersionUID = 1L;

        Moved(String problem) {
            super(problem);
        }
    }

    /**
     * Applies to a map, of the header's checkpoint, what the volume's logs say.
     *
     * @throws Moved where the header may have changed meanwhile, or else is damaged
     */
    Chain apply(String volume, VolumeHeader header, BlockMap map, Lease lease) throws Moved {
        List<LogState> sealed = new ArrayList<>();
        int generation = header.generation();
        long base = 0;
        while (sealed.size() <= MOST) {
            MapLog.Contents log = read(volume, header.id(), generation);
            if (log.ended() && lease == Lease.NONE) {
                throw new Moved("log " + generation + " says that the volume goes on elsewhere, and it does not");
            }
            if (log.gap() && isOfThisBoot(log)) {
                throw new Moved("record " + log.records() + " of its log is damaged"); // or it was written to meanwhile
            }
            boolean writerLives = isOurs(log) ? isOfThisBoot(log) : lease == Lease.NONE;
            Optional<Seal> seal = log.whole(writerLives);
            map.own(new VolumeLayer(header.id(), log.header().epoch()));
            log.apply(volume, map, seal.isPresent() ? seal.get().records() : writerLives ? log.records() : log.committed());
            LogState state = state(header.id(), log, seal, base);
            if (seal.isEmpty()) {
                return new Chain(sealed, state, isOurs(log) && isOfThisBoot(log), log.ended());
            }
            sealed.add(state);
            base = state.end();
            generation = next(volume, log, seal.get());
        }
        throw new DamagedMapException(volume, "it has more than " + MOST + " logs");
    }

    /** The same for those before a generation, which must be sealed; returns whether they change anything. */
    boolean applyBefore(String volume, VolumeHeader header, BlockMap map, int end) {
        boolean changed = false;
        int generation = header.generation();
        while (generation < end) {
            MapLog.Contents log;
            try {
                log = read(volume, header.id(), generation);
            } catch (Moved e) {
                throw new DamagedMapException(volume, e.getMessage());
            }
            int unsealed = generation;
            Seal seal = log.seal().orElseThrow(() ->
                new DamagedMapException(volume, "its log " + unsealed + " should be sealed, and is not"));
            map.own(new VolumeLayer(header.id(), log.header().epoch()));
            log.apply(volume, map, seal.records());
            changed |= log.owned() > 0;
            generation = next(volume, log, seal);
        }
        return changed;
    }

    private MapLog.Contents read(String volume, String id, int generation) throws Moved {
        String object = VolumeHeader.logName(id, generation);
        byte[] bytes = maps.read(object).orElseThrow(() -> new Moved("its log " + object + " is missing"));
        MapLog.Contents log = MapLog.decode(volume, bytes);
        if (log.header().generation() != generation || !log.header().id().equals(id)) {
            throw new DamagedMapException(volume, "its log belongs to something else");
        }
        return log;
    }

    private static int next(String volume, MapLog.Contents log, Seal seal) {
        if (seal.generation() <= log.header().generation()) {
            throw new DamagedMapException(volume, "its log " + log.header().generation() + " goes on in "
                + seal.generation());
        }
        return seal.generation();
    }

    private static LogState state(String id, MapLog.Contents log, Optional<Seal> seal, long base) {
        LogState state = new LogState(id, log.header().generation(), log.header().epoch(), log.header().crc());
        state.base = base;
        state.records = log.records();
        state.owned = log.owned();
        state.sealed = seal.map(Seal::records).orElse(0L);
        long last = state.sealed > 0 ? state.sealed : state.records;
        state.lastRecord = last == 0 ? 0 : log.bytes().getInt((int) MapLog.position(last - 1));
        return state; // nothing is committed as far as this life knows: the last COMMIT may not have been synced
    }

    private boolean isOurs(MapLog.Contents log) {
        return log.header().writer().equals(me.daemon());
    }

    private boolean isOfThisBoot(MapLog.Contents log) {
        return log.header().boot().equals(me.boot());
    }

    // --- appending, by who has the lease

    /** Appends to the log that the volume writes; returns the record's checksum. */
    int append(LogState log, int type) {
        int stale = (int) Math.max(0, log.refused - log.records - 1);
        return append(log.object.toString(), log.crc, type, log.records, log.committed, stale);
    }

    /** stale: records that lie behind, and must not count. */
    private int append(String log, int crc, int type, long number, long durable, int stale) {
        ByteBuffer records = ByteBuffer.allocate((1 + stale) * MapLog.RECORD).order(ByteOrder.LITTLE_ENDIAN);
        MapLog.encode(records, 0, crc, type, number, Math.toIntExact(durable), 0, 0, durable);
        maps.write(log, MapLog.position(number), records.array());
        return records.getInt(0);
    }

    /** Appends END to a log whose writer may have gone on meanwhile. */
    void endUnread(String volume, String object) {
        Optional<byte[]> bytes = maps.read(object);
        if (bytes.isPresent()) {
            MapLog.Contents log = MapLog.decode(volume, bytes.get());
            append(object, log.header().crc(), MapLog.END, log.records(), 0, 0);
        }
    }

    /** Removes logs that no header names any more, the oldest first: a crash leaves those that lie right before the header's. */
    void delete(String id, int from, int end) {
        for (int generation = from; generation < end; generation++) {
            maps.delete(VolumeHeader.logName(id, generation));
        }
    }

    // --- what a volume leaves behind

    /** Removes logs that nothing names any more. */
    void tidy(VolumeHeader header, int from, int end) {
        try {
            delete(header.id(), from, end);
        } catch (Failure e) {
            LOG.log(Level.WARNING, "an object that nothing needs was not removed: {0}", e.getMessage());
        }
    }

    /**
     * Tells readers that still look at the log that the volume wrote that it goes on elsewhere, and removes all
     * that came before a generation. It goes on there already, so a failure changes nothing; the next to open the volume tries again.
     */
    void end(VolumeState volume, int generation) {
        try {
            if (volume.goesOn || volume.resumed) {
                append(volume.log, MapLog.END);
            } else {
                endUnread(volume.name, volume.log.object.toString()); // whose writer may have gone on meanwhile
            }
            delete(volume.header().id(), volume.header().generation(), generation);
        } catch (Failure | DamagedMapException e) {
            LOG.log(Level.WARNING, "other nodes may read {0} as it was: {1}", volume.name, e.getMessage());
        }
    }

    /** Ends and removes the logs right before this one, where a crash came between. */
    void endFormer(VolumeState volume) {
        VolumeHeader header = volume.header();
        try {
            int first = header.generation();
            while (first > 1 && maps.exists(VolumeHeader.logName(header.id(), first - 1))) {
                first--;
                endUnread(volume.name, VolumeHeader.logName(header.id(), first));
            }
            delete(header.id(), first, header.generation());
        } catch (Failure | DamagedMapException e) {
            LOG.log(Level.WARNING, "other nodes may read {0} as it was: {1}", volume.name, e.getMessage());
        }
    }

    /** Removes a log that its volume has left, and tells those who may still look at it; where that cannot be told, it stays. */
    boolean remove(String object) {
        try {
            endUnread("of object " + object, object);
        } catch (DamagedMapException e) {
            LOG.log(Level.DEBUG, "nobody can read it: {0}", e.getMessage());
        } catch (Failure e) {
            if (!e.isFull()) {
                throw e;
            }
            return false;
        }
        return maps.delete(object);
    }

    /** Makes readers on other nodes look at the volume anew. */
    void touch(VolumeState volume) {
        try {
            volume.log.lastRecord = append(volume.log, MapLog.COMMIT);
            volume.log.records++;
            volume.log.refused = 0;
        } catch (Failure e) {
            LOG.log(Level.WARNING, "other nodes may read {0} as it was: {1}", volume.name, e.getMessage());
        }
    }
}
