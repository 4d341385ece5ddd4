package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
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
    private static final String PART = "part-";
    private static final int LOOKS = 100;
    private static final long LOOK_MILLIS = 100;

    private final ObjectStore maps;
    private final NodeIdentity me;
    /** Names of volumes and snapshots that are hashed by this process. */
    private final Set<String> busy = ConcurrentHashMap.newKeySet();

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
            LockRecord record = new LockRecord(Kind.LEASE, me.daemon(), me.node(), System.currentTimeMillis() / 1000);
            maps.put(PREFIX + run, record.encode());
            awaitCollector();
            entered = true;
            return pass;
        } finally {
            if (!entered) {
                pass.close();
            }
        }
    }

    private void leave(String run, String name) {
        try {
            maps.delete(PREFIX + run);
        } catch (Failure e) {
            LOG.log(Level.WARNING, "object {0} stays: {1}", PREFIX + run, e.getMessage());
        } finally {
            busy.remove(name);
        }
    }

    /** A collector that sees a hasher gives way after its present batch, of about a second. */
    private void awaitCollector() {
        for (int look = 0; look < LOOKS; look++) {
            if (!maps.exists(COLLECTOR)) {
                return;
            }
            try {
                Thread.sleep(LOOK_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                break;
            }
        }
        throw new Failure(Errno.EBUSY, "object " + COLLECTOR + " says that garbage collection removes content-addressed objects: "
            + "let 'vlmc gc' come to its end there, and try again");
    }
}
