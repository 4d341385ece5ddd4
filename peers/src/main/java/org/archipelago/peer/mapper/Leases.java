package org.archipelago.peer.mapper;

import java.util.Optional;
import java.util.UUID;
import org.archipelago.peer.mapper.LockRecord.Kind;
import org.archipelago.posix.Errno;

/**
 * Who may write a volume, kept in objects beside the maps: the lease of a daemon, and the
 * administrator's lock. A first, simple form: a lease stays until it is closed, handed over or broken.
 *
 * <p>The state is which object there is, so each change is one atomic step of the store that only one
 * of those who try it at once can do:
 *
 * <pre>
 *                create                    rename
 *   (free) ----------------&gt; lock-ID &lt;--------------&gt; shared-ID      by the holder
 *      ^                        |                          |
 *      +--------- delete -------+                          | rename, by another node that takes over
 *      +---------------------------- delete ----- taken-ID-x
 * </pre>
 *
 * <p>Whoever lost the lease, or gave it back after writes that failed, may have left something in objects that no map names.
 * An object {@code doubt-ID} says so to the holders after him, until the volume writes other objects. It is his lease,
 * renamed: so that takes no space.
 */
final class Leases {
    private static final int ATTEMPTS = 4;

    private final ObjectStore maps;
    private final NodeIdentity me;

    Leases(ObjectStore maps, NodeIdentity me) {
        this.maps = maps;
        this.me = me;
    }

    /** What a lease is asked for. */
    enum Use {
        /** OPEN: for this node alone. */
        EXCLUSIVE,
        /** A write: what this node shares stays shared. */
        WRITE,
        /** One operation: the same, and what another node shares is left to it. */
        CONTROL,
        /** The same for one after which the volume is gone. */
        REMOVE
    }

    /**
     * How a lease was had.
     *
     * @param clean what former holders wrote is all in the map
     * @param held this daemon had it already
     * @param shared another node may take it over
     */
    record Taken(boolean clean, boolean held, boolean shared) {}

    /** Who holds a lock, and whether another node may take it over. */
    record Holder(LockRecord record, boolean shared) {}

    /** What the names of objects begin with that say who holds volumes. */
    static final String PARTS = "lock-,shared-,admin-";

    private static String leaseObject(String id) {
        return "lock-" + id;
    }

    static String sharedObject(String id) {
        return "shared-" + id;
    }

    private static String doubtObject(String id) {
        return "doubt-" + id;
    }

    private static String adminObject(String id) {
        return "admin-" + id;
    }

    // --- looking

    Optional<Holder> holder(Kind kind, String volume, String id) {
        return holder(maps, kind, volume, id);
    }

    static Optional<Holder> holder(Texts texts, Kind kind, String volume, String id) {
        if (kind == Kind.ADMIN) {
            return read(texts, adminObject(id), volume).map(record -> new Holder(record, false));
        }
        Optional<LockRecord> lease = read(texts, leaseObject(id), volume);
        return lease.isPresent() ? lease.map(record -> new Holder(record, false))
            : read(texts, sharedObject(id), volume).map(record -> new Holder(record, true));
    }

    private Optional<LockRecord> read(String object, String volume) {
        return read(maps, object, volume);
    }

    private static Optional<LockRecord> read(Texts texts, String object, String volume) {
        try {
            return texts.readText(object).map(LockRecord::decode);
        } catch (IllegalArgumentException e) {
            throw new Failure(Errno.EUCLEAN, "the lock of volume " + volume + " (object " + object + ") is damaged: " + e.getMessage()
                + "; make sure that no node has the volume open, then `vlmc unlock -f " + volume + "`");
        }
    }

    boolean mine(Holder holder) {
        return mine(holder.record);
    }

    private boolean mine(LockRecord record) {
        return record.daemon().equals(me.daemon());
    }

    /** Who has the lock of that object; empty where it is gone or damaged. */
    Optional<LockRecord> holderOf(String object) {
        try {
            return maps.readText(object).map(LockRecord::decode);
        } catch (IllegalArgumentException damaged) {
            return Optional.empty();
        }
    }

    // --- the lease

    /** Takes the lease for this daemon; fails with EBUSY, naming who has it. */
    Taken acquire(String volume, String id, Use use) {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            Optional<Holder> holder = holder(Kind.LEASE, volume, id);
            if (holder.isPresent() && mine(holder.get())) {
                boolean shared = holder.get().shared && use != Use.EXCLUSIVE;
                if (shared == holder.get().shared || maps.rename(sharedObject(id), leaseObject(id)) == 0) {
                    return new Taken(false, true, shared);
                }
                continue;
            }
            refuseForeignAdmin(volume, id);
            if (holder.isPresent() && (!holder.get().shared || use == Use.CONTROL || use == Use.REMOVE)) {
                throw new Failure(Errno.EBUSY, "volume " + volume + " is open on " + holder.get().record.holder()
                    + ": close it there (vlmc close " + volume + "), or if that node is dead `vlmc unlock -f " + volume + "`");
            }
            boolean free = holder.isEmpty() || takeAway(id);
            if (free && create(id, use)) {
                // its holder may have shared it after we looked, and before we made ours
                boolean over = takeAway(id);
                return new Taken(!over && !maps.exists(doubtObject(id)), false, false);
            }
        }
        throw new Failure(Errno.EBUSY, "volume " + volume + " is just being opened by another node: try again");
    }

    /** False where another was faster. */
    private boolean create(String id, Use use) {
        try {
            return maps.create(leaseObject(id), record(Kind.LEASE).encode());
        } catch (Failure e) {
            if (use == Use.REMOVE && e.isFull()) {
                return true; // what frees space must not need any; and others get no lease either
            }
            throw e;
        }
    }

    /** Fails where this daemon's lease was broken, and may be another's. */
    void check(String volume, String id) {
        Optional<Holder> holder = holder(Kind.LEASE, volume, id);
        if (holder.filter(this::mine).isEmpty()) {
            throw new Failure(Errno.EBUSY, "the lease of volume " + volume + " was broken; "
                + holder.map(other -> "it is open on " + other.record.holder()).orElse("nobody has it")
                + ": close it here (vlmc close " + volume + ")").inHalfWay();
        }
    }

    boolean isMine(String volume, String id) {
        return holder(Kind.LEASE, volume, id).filter(this::mine).isPresent();
    }

    /** Ends the right of a holder who shared; false where there is none any more. */
    private boolean takeAway(String id) {
        return maps.exists(sharedObject(id)) && endInDoubt(sharedObject(id), id);
    }

    /** Ends a right, in one step of those who may try at once; false for all but one. */
    private boolean end(String right, String id) {
        String taken = "taken-" + id + "-" + UUID.randomUUID().toString().substring(0, 8);
        if (maps.rename(right, taken) != 0) {
            return false;
        }
        maps.delete(taken);
        return true;
    }

    /** The same; should we come to our end here, whoever takes the lease next knows of the doubt. */
    private boolean endInDoubt(String right, String id) {
        int result = maps.rename(right, doubtObject(id));
        return result == Errno.EEXIST ? end(right, id) : result == 0;
    }

    /** Lets another node take the lease from now on. */
    void share(String volume, String id) {
        if (read(leaseObject(id), volume).filter(this::mine).isPresent()) {
            maps.rename(leaseObject(id), sharedObject(id));
        }
    }

    /** Gives the lease back, if this daemon has it; clean: what was written is all in the map. */
    void release(String volume, String id, boolean clean) {
        Optional<Holder> holder = holder(Kind.LEASE, volume, id).filter(this::mine);
        if (holder.isEmpty()) {
            return;
        }
        String right = holder.get().shared ? sharedObject(id) : leaseObject(id);
        if (!clean) {
            endInDoubt(right, id);
        } else if (holder.get().shared) {
            end(right, id);
        } else {
            maps.delete(right);
        }
    }

    /** The volume writes other objects from now on, or none. */
    void settle(String id) {
        maps.delete(doubtObject(id));
    }

    /** The volume is gone. */
    void forget(String volume, String id) {
        settle(id);
        maps.delete(adminObject(id));
        release(volume, id, true);
    }

    private LockRecord record(Kind kind) {
        return new LockRecord(kind, me.daemon(), me.node(), System.currentTimeMillis() / 1000);
    }

    // --- the administrator's lock

    private void refuseForeignAdmin(String volume, String id) {
        Optional<LockRecord> admin = read(adminObject(id), volume);
        if (admin.isPresent() && !mine(admin.get())) {
            throw new Failure(Errno.EBUSY, "volume " + volume + " is locked by the administrator on " + admin.get().holder()
                + ": `vlmc unlock " + volume + "` there, or `vlmc unlock -f " + volume + "`");
        }
    }

    /** Idempotent for this node. */
    void lock(String volume, String id) {
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            if (maps.create(adminObject(id), record(Kind.ADMIN).encode())
                    || holder(Kind.ADMIN, volume, id).filter(this::mine).isPresent()) {
                return;
            }
            refuseForeignAdmin(volume, id);
        }
        throw new Failure(Errno.EAGAIN, "volume " + volume + " is just being unlocked elsewhere: try again");
    }

    /** Removes the administrator's lock; force: whoever's, and the lease of another node too. */
    void unlock(String volume, String id, boolean force) {
        if (!force) {
            refuseForeignAdmin(volume, id);
        }
        maps.delete(adminObject(id));
        if (force && !leaseIsMine(volume, id)) {
            endInDoubt(leaseObject(id), id);
            endInDoubt(sharedObject(id), id);
        }
    }

    private boolean leaseIsMine(String volume, String id) {
        try {
            return isMine(volume, id);
        } catch (Failure damaged) {
            return false;
        }
    }
}
