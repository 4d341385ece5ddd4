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
 */
final class Leases {
    private static final int ATTEMPTS = 4;

    private final ObjectStore maps;
    private final NodeIdentity me;

    Leases(ObjectStore maps, NodeIdentity me) {
        this.maps = maps;
        this.me = me;
    }

    /** How a lease was had: CLEAN, its last holder gave it back; else what he wrote last is in doubt. */
    enum Taken { CLEAN, HELD, TAKEN_OVER }

    /** Who holds a lock, and whether another node may take it over. */
    record Holder(LockRecord record, boolean shared) {}

    private static String leaseObject(String id) {
        return "lock-" + id;
    }

    private static String sharedObject(String id) {
        return "shared-" + id;
    }

    private static String adminObject(String id) {
        return "admin-" + id;
    }

    // --- looking

    Optional<Holder> holder(Kind kind, String volume, String id) {
        if (kind == Kind.ADMIN) {
            return read(adminObject(id), volume).map(record -> new Holder(record, false));
        }
        Optional<LockRecord> lease = read(leaseObject(id), volume);
        return lease.isPresent() ? lease.map(record -> new Holder(record, false))
            : read(sharedObject(id), volume).map(record -> new Holder(record, true));
    }

    private Optional<LockRecord> read(String object, String volume) {
        try {
            return maps.readText(object).map(LockRecord::decode);
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

    // --- the lease

    /** Takes the lease for this daemon alone; fails with EBUSY, naming who has it. */
    Taken acquire(String volume, String id) {
        refuseForeignAdmin(volume, id);
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            Optional<LockRecord> lease = read(leaseObject(id), volume);
            if (lease.isPresent()) {
                if (mine(lease.get())) {
                    return Taken.HELD;
                }
                throw new Failure(Errno.EBUSY, "volume " + volume + " is open on " + lease.get().holder()
                    + ": close it there (vlmc close " + volume + "), or if that node is dead `vlmc unlock -f " + volume + "`");
            }
            Optional<LockRecord> shared = read(sharedObject(id), volume);
            if (shared.isPresent() && mine(shared.get())) {
                if (maps.rename(sharedObject(id), leaseObject(id)) == 0) {
                    return Taken.HELD;
                }
            } else {
                boolean over = shared.isPresent() && takeAway(id);
                if ((shared.isEmpty() || over) && maps.create(leaseObject(id), record(Kind.LEASE).encode())) {
                    // its holder may have shared it after we looked, and before we made ours
                    return takeAway(id) || over ? Taken.TAKEN_OVER : Taken.CLEAN;
                }
            }
        }
        throw new Failure(Errno.EBUSY, "volume " + volume + " is just being opened by another node: try again");
    }

    /** Ends the right of a holder who shared; false where there is none any more. */
    private boolean takeAway(String id) {
        String taken = "taken-" + id + "-" + UUID.randomUUID().toString().substring(0, 8);
        if (maps.rename(sharedObject(id), taken) != 0) {
            return false;
        }
        maps.delete(taken);
        return true;
    }

    /** Lets another node take the lease from now on. */
    void share(String volume, String id) {
        if (read(leaseObject(id), volume).filter(this::mine).isPresent()) {
            maps.rename(leaseObject(id), sharedObject(id));
        }
    }

    /** Gives the lease back, if this daemon has it. */
    void release(String volume, String id) {
        if (read(leaseObject(id), volume).filter(this::mine).isPresent()) {
            maps.delete(leaseObject(id));
        } else if (read(sharedObject(id), volume).filter(this::mine).isPresent()) {
            takeAway(id);
        }
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
        if (!maps.create(adminObject(id), record(Kind.ADMIN).encode())) {
            refuseForeignAdmin(volume, id);
        }
    }

    /** Removes the administrator's lock; force: whoever's, and the lease of another node too. */
    void unlock(String volume, String id, boolean force) {
        if (!force) {
            refuseForeignAdmin(volume, id);
        }
        maps.delete(adminObject(id));
        if (force && !leaseIsMine(volume, id)) {
            maps.delete(leaseObject(id));
            maps.delete(sharedObject(id));
        }
    }

    private boolean leaseIsMine(String volume, String id) {
        try {
            return holder(Kind.LEASE, volume, id).filter(this::mine).isPresent();
        } catch (Failure damaged) {
            return false;
        }
    }
}
