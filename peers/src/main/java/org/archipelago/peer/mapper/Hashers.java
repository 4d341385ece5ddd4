package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.archipelago.peer.mapper.LockRecord.Kind;
import org.archipelago.posix.Errno;

/**
 * Who is making images: an object {@code hash-RUN} of blockerm stands for each, as long as it may use contents that no map
 * names yet. Garbage collection takes no content-addressed object while there is one, and none begins while
 * {@code gc-cas} is there. Thread-safe; waits for the store.
 */
final class Hashers {
    /** What the names of these objects begin with. */
    static final String PREFIX = "hash-";
    /** Stands for a collection that removes content-addressed objects. */
    static final String COLLECTOR = "gc-cas";

    private static final System.Logger LOG = System.getLogger(Hashers.class.getName());
    /** What the names of unfinished objects of blockerb begin with. */
    static final String PART = "part-";
    private static final int LOOKS = 100;
    private static final long LOOK_MILLIS = 100;
    private static final long IDLE_NANOS = 5_000_000_000L;

    private final ObjectStore maps;
    private final NodeIdentity me;
    /** Names of volumes and snapshots that are hashed by this process. */
    private final Set<String> busy = ConcurrentHashMap.newKeySet();
    /** Runs of this process. */
    private final Set<String> runs = ConcurrentHashMap.newKeySet();
    /** Whether a collection of this process has the right to remove contents; is at work; and since when it is not. */
    private boolean collecting;
    private boolean stepping;
    private long idleSince;

    Hashers(ObjectStore maps, NodeIdentity me) {
        this.maps = maps;
        this.me = me;
    }

    /** The right to make an image. */
    interface Pass extends AutoCloseable {
        @Override
        void close();
    }

    /** The object of blockerb that a run writes contents to before they have a name. */
    static String partName(String run) {
        return PART + run;
    }

    Pass enter(String run, String name) {
        if (!run.matches("[0-9a-f-]{1,36}")) {
            throw new Failure(Errno.EINVAL, "a run of hash is named by 1 to 36 of 0-9 a-f -");
        }
        if (!busy.add(name)) {
            throw new Failure(Errno.EBUSY, name + " is just being hashed: wait for that to end");
        }
        Pass pass = () -> leave(run, name);
        boolean entered = false;
        try {
            runs.add(run);
            maps.put(PREFIX + run, record());
            awaitCollector();
            entered = true;
            return pass;
        } finally {
            if (!entered) {
                pass.close();
            }
        }
    }

    private byte[] record() {
        return new LockRecord(Kind.LEASE, me.daemon(), me.node(), System.currentTimeMillis() / 1000).encode();
    }

    private void leave(String run, String name) {
        try {
            maps.delete(PREFIX + run);
        } catch (Failure e) {
            LOG.log(Level.WARNING, "object {0} stays: {1}", PREFIX + run, e.getMessage());
        } finally {
            runs.remove(run);
            busy.remove(name);
        }
    }

    // --- what a collection asks

    /** Whether the unfinished object of a run may still become one. */
    boolean isAtWork(String run) {
        return maps.exists(PREFIX + run) && !isGivenUp(run);
    }

    /** Whether a run was of a former life of this daemon; those of others are theirs to judge. */
    boolean isGivenUp(String run) {
        return !runs.contains(run) && isMine(PREFIX + run);
    }

    private boolean isMine(String object) {
        return holder(object).filter(record -> record.daemon().equals(me.daemon())).isPresent();
    }

    /** Who made a hasher's or the collector's object; empty where it is gone, or cannot be read. */
    private Optional<LockRecord> holder(String object) {
        try {
            return maps.readText(object).map(LockRecord::decode);
        } catch (IllegalArgumentException damaged) {
            return Optional.empty();
        }
    }

    private String atWork(String object) {
        return "images are being made, or collected, on " + holder(object).map(LockRecord::holder).orElse("an unknown node") + ", object "
            + object;
    }

    /** Somebody who makes an image, in words. */
    Optional<String> others() {
        String after = "";
        ObjectStore.Page page;
        do {
            page = maps.list(PREFIX, after);
            for (String object : page.names()) {
                if (!isGivenUp(object.substring(PREFIX.length()))) {
                    return Optional.of(atWork(object));
                }
                after = object;
            }
        } while (page.more() && !page.names().isEmpty());
        return Optional.empty();
    }

    /** Keeps everybody from making images until {@link #endCollection}; returns why not, as where somebody makes one already. */
    synchronized Optional<String> beginCollection() {
        if (!collecting && isMine(COLLECTOR)) {
            maps.delete(COLLECTOR); // of a former life
        }
        boolean created;
        try {
            created = !collecting && maps.create(COLLECTOR, record());
        } catch (Failure e) {
            if (!e.isFull()) {
                throw e;
            }
            return Optional.of("the store is too full for object " + COLLECTOR);
        }
        if (!created) {
            return Optional.of(atWork(COLLECTOR));
        }
        collecting = true;
        idleSince = System.nanoTime();
        Optional<String> other = others();
        if (other.isPresent()) {
            endCollection();
        }
        return other;
    }

    /** Before each step of a collection: false where the right was taken away because nobody asked for a step for some time. */
    synchronized boolean beginStep() {
        stepping = collecting;
        return collecting;
    }

    synchronized void endStep() {
        stepping = false;
        idleSince = System.nanoTime();
    }

    synchronized void endCollection() {
        if (collecting) {
            collecting = false;
            maps.delete(COLLECTOR);
        }
    }

    private synchronized void takeFromTheDead() {
        boolean idle = collecting && !stepping && System.nanoTime() - idleSince > IDLE_NANOS;
        if (idle) {
            endCollection();
        } else if (!collecting && isMine(COLLECTOR)) {
            maps.delete(COLLECTOR);
        }
    }

    /** A collector that sees a hasher gives way after its present batch, of about a second. */
    private void awaitCollector() {
        for (int look = 0; look < LOOKS; look++) {
            if (!maps.exists(COLLECTOR)) {
                return;
            }
            takeFromTheDead();
            try {
                Thread.sleep(LOOK_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                break;
            }
        }
        throw new Failure(Errno.EBUSY, "garbage collection removes content-addressed objects on " + holder(COLLECTOR)
            .map(LockRecord::holder).orElse("another node") + " (object " + COLLECTOR + "): let 'vlmc gc' come to its end there, and try "
            + "again; if that node is dead, run 'vlmc gc' there when it is back, or remove that object");
    }
}
