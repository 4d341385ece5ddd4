package org.archipelago.peer.mapper;

import java.util.Optional;
import org.archipelago.peer.mapper.LockRecord.Kind;
import org.archipelago.posix.Errno;

/**
 * Who may write a volume, kept in lock objects beside the maps: the lease of a daemon, and the
 * administrator's lock. A first, simple form: a lease stays until it is closed or broken.
 */
final class Leases {
    private final ObjectStore maps;
    private final NodeIdentity me;

    Leases(ObjectStore maps, NodeIdentity me) {
        this.maps = maps;
        this.me = me;
    }

    /** How a lease was had: CLEAN, its last holder gave it back; else what he wrote last is in doubt. */
    enum Taken { CLEAN, HELD, TAKEN_OVER }

    Optional<LockRecord> holder(Kind kind, String volume, String id) {
        Optional<byte[]> bytes = maps.read(LockRecord.objectOf(kind, id));
        try {
            return bytes.map(LockRecord::decode);
        } catch (IllegalArgumentException e) {
            throw new Failure(Errno.EUCLEAN, "the lock of volume " + volume + " is damaged (" + e.getMessage()
                + "): make sure that no node has it open, then `vlmc unlock -f " + volume + "`");
        }
    }

    boolean mine(LockRecord record) {
        return record.daemon().equals(me.daemon());
    }

    /** Takes the lease for this daemon alone; fails with EBUSY, naming who has it. */
    Taken acquire(String volume, String id) {
        refuseForeignAdmin(volume, id);
        String object = LockRecord.objectOf(Kind.LEASE, id);
        LockRecord record = record(Kind.LEASE);
        if (maps.create(object, record.encode())) {
            return Taken.CLEAN;
        }
        Optional<LockRecord> holder = holder(Kind.LEASE, volume, id);
        if (holder.isEmpty()) {
            throw new Failure(Errno.EAGAIN, "volume " + volume + " is just being closed elsewhere: try again");
        }
        if (mine(holder.get())) {
            if (holder.get().shared()) {
                maps.put(object, holder.get().withShared(false).encode());
            }
            return Taken.HELD;
        }
        if (!holder.get().shared()) {
            throw new Failure(Errno.EBUSY, "volume " + volume + " is open on " + holder.get().holder()
                + ": close it there (vlmc close " + volume + "), or if that node is dead `vlmc unlock -f " + volume + "`");
        }
        maps.put(object, record.encode());
        return Taken.TAKEN_OVER;
    }

    /** Lets another node take the lease from now on. */
    void share(String volume, String id) {
        Optional<LockRecord> holder = holder(Kind.LEASE, volume, id);
        if (holder.isPresent() && mine(holder.get()) && !holder.get().shared()) {
            maps.put(LockRecord.objectOf(Kind.LEASE, id), holder.get().withShared(true).encode());
        }
    }

    /** Gives the lease back, if this daemon has it. */
    void release(String volume, String id) {
        if (holder(Kind.LEASE, volume, id).filter(this::mine).isPresent()) {
            maps.delete(LockRecord.objectOf(Kind.LEASE, id));
        }
    }

    private LockRecord record(Kind kind) {
        return new LockRecord(kind, me.daemon(), me.node(), false, System.currentTimeMillis() / 1000);
    }

    private void refuseForeignAdmin(String volume, String id) {
        Optional<LockRecord> admin = holder(Kind.ADMIN, volume, id);
        if (admin.isPresent() && !mine(admin.get())) {
            throw new Failure(Errno.EBUSY, "volume " + volume + " is locked by the administrator on "
                + admin.get().holder() + ": `vlmc unlock " + volume + "` there, or `vlmc unlock -f " + volume + "`");
        }
    }

    /** The administrator's lock, idempotent for this node. */
    void lock(String volume, String id) {
        if (!maps.create(LockRecord.objectOf(Kind.ADMIN, id), record(Kind.ADMIN).encode())) {
            refuseForeignAdmin(volume, id);
        }
    }

    /** Removes the administrator's lock; force: whoever's, and the lease of another node too. */
    void unlock(String volume, String id, boolean force) {
        String admin = LockRecord.objectOf(Kind.ADMIN, id);
        if (force) {
            maps.delete(admin);
            String lease = LockRecord.objectOf(Kind.LEASE, id);
            if (!leaseIsMine(volume, id)) {
                maps.delete(lease);
            }
            return;
        }
        refuseForeignAdmin(volume, id);
        maps.delete(admin);
    }

    private boolean leaseIsMine(String volume, String id) {
        try {
            return holder(Kind.LEASE, volume, id).filter(this::mine).isPresent();
        } catch (Failure damaged) {
            return false;
        }
    }
}
