package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.archipelago.map.IdRecord;
import org.archipelago.map.IdRecord.State;
import org.archipelago.map.VolumeHeader;
import org.archipelago.posix.Errno;

/**
 * The records by which garbage collection finds all volumes and snapshots. A collection that marks holds the object {@code gc-mark}
 * ({@link MarkLock}); as long as that is there, no record goes, though its volume does: so what the removed one passed on to a clone
 * just before cannot be overlooked. Thread-safe; waits for the store.
 */
final class IdRecords {
    private static final System.Logger LOG = System.getLogger(IdRecords.class.getName());
    /** Most creates of others that are looked on. */
    private static final int SIGHTINGS_MOST = 10_000;

    private final ObjectStore maps;
    private final IdRecord.Maker me;
    /** Ids of what this process is making. */
    private final Set<String> making = ConcurrentHashMap.newKeySet();
    private final Map<String, Sighting> sightings = new ConcurrentHashMap<>();
    /** After which a create of another daemon, of which nothing has changed, is taken for given up. */
    private final long patienceNanos = Long.getLong("archipelago.gc.creates", TimeUnit.HOURS.toMillis(12)) * 1_000_000;

    /** What a create of another daemon has been since a time of this node's monotonic clock. */
    private record Sighting(IdRecord record, long since) {}

    IdRecords(ObjectStore maps, NodeIdentity me) {
        this.maps = maps;
        this.me = new IdRecord.Maker(me.daemon(), UUID.randomUUID().toString());
    }

    /** Fails with EUCLEAN where it cannot be read. */
    Optional<IdRecord> find(String id) {
        try {
            return maps.readText(IdRecord.objectOf(id)).map(bytes -> IdRecord.decode(id, bytes));
        } catch (IllegalArgumentException e) {
            throw new Failure(Errno.EUCLEAN, "the record of a volume (object " + IdRecord.objectOf(id) + ") is damaged: " + e.getMessage());
        }
    }

    boolean exists(String id) {
        return maps.exists(IdRecord.objectOf(id));
    }

    /** Those that say so of a name; looks at all. What a damaged one says nobody knows. */
    List<IdRecord> ofName(String name) {
        List<IdRecord> found = new ArrayList<>();
        maps.texts(IdRecord.PREFIX, (object, text) -> {
            try {
                IdRecord record = IdRecord.decode(object.substring(IdRecord.PREFIX.length()), text);
                if (record.names(name)) {
                    found.add(record);
                }
            } catch (IllegalArgumentException e) {
                LOG.log(Level.WARNING, "object {0} is damaged: {1}", object, e.getMessage());
            }
        });
        return found;
    }

    /** Before anything else of a new volume or snapshot is made; {@link #endMaking} follows, however it comes out. */
    void create(String name, VolumeHeader header) {
        making.add(header.id());
        put(IdRecord.creating(name, me, header));
    }

    /**
     * The header is there: {@link #create} is over. Where there is no room to say so, the volume's next change or a collection
     * does.
     *
     * @return false where it took so long that a collection has taken it for given up
     */
    boolean created(String name, VolumeHeader header) {
        if (find(header.id()).filter(record -> record.state() != State.REMOVING).isEmpty()) {
            return false;
        }
        putIfRoom(IdRecord.live(name, header));
        return true;
    }

    void endMaking(String id) {
        making.remove(id);
    }

    void put(String name, VolumeHeader header) {
        put(IdRecord.live(name, header));
    }

    /** Before the header goes. A full store is no reason not to remove something: then it is put when there is room, or not at all. */
    void putRemoving(String name, VolumeHeader header) {
        putIfRoom(IdRecord.removing(name, header));
    }

    private void putIfRoom(IdRecord record) {
        maps.putIfRoom(IdRecord.objectOf(record.header().id()), record.encode());
    }

    void put(IdRecord record) {
        maps.put(IdRecord.objectOf(record.header().id()), record.encode());
    }

    /** Gives one to a header that has none; harmless where it has got one meanwhile. False where the store is too full for it. */
    boolean adopt(String name, VolumeHeader header) {
        try {
            maps.create(IdRecord.objectOf(header.id()), IdRecord.live(name, header).encode());
            return true;
        } catch (Failure e) {
            if (!e.isFull()) {
                throw e;
            }
            return false;
        }
    }

    /** All that the volume alone used is gone, its header first of all. Leaves the record to a collection that marks just now; false: it stays. */
    boolean forget(String id) {
        if (maps.exists(MarkLock.OBJECT)) {
            return false;
        }
        delete(id);
        return true;
    }

    /** Of what never had a header. */
    boolean delete(String id) {
        return maps.delete(IdRecord.objectOf(id));
    }

    /** Whether this daemon has made something and does not go on with it, in a former life or in this one; the record says no more. */
    boolean isGivenUp(IdRecord record) {
        boolean ours = record.maker().filter(maker -> maker.daemon().equals(me.daemon())).isPresent();
        String id = record.header().id();
        return ours && !making.contains(id) && find(id).equals(Optional.of(record)); // it may have come out well since it was read
    }

    /**
     * Looks on at a create of another daemon, whose clock is not asked. When nothing of it has changed for long, its record
     * says that it goes. Should its maker live after all, he sees that when his header is there; a later collection finishes
     * it, and not this one.
     *
     * @return whether it says so now
     */
    boolean giveUpIfStill(IdRecord record) {
        String id = record.header().id();
        Sighting seen = sightings.get(id);
        if (seen == null || !seen.record.equals(record)) {
            if (sightings.size() >= SIGHTINGS_MOST) {
                sightings.clear();
            }
            sightings.put(id, new Sighting(record, System.nanoTime()));
            return false;
        }
        if (System.nanoTime() - seen.since >= patienceNanos) {
            putRemoving(record.name(), record.header());
            sightings.remove(id);
            return true;
        }
        return false;
    }
}
