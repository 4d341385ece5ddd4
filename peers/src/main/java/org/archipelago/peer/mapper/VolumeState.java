package org.archipelago.peer.mapper;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.archipelago.map.BlockMap;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeLayer;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Target;

/**
 * A volume's map in memory, with what is needed to append to its log. One holder at a time: the
 * reactor, or the control thread while the volume is busy with it.
 */
final class VolumeState {
    /** NONE: reads only, each after a look at the log; EXCLUSIVE; SHARED: as NONE, and may write. */
    enum Lease { NONE, EXCLUSIVE, SHARED }

    /** What becomes of a log that has grown long: it is sealed; a flush makes it durable; a checkpoint sums it up. */
    enum Compaction { NONE, SEALING, SEALED, SUMMING_UP }

    /** Bytes of a header's object that are enough to see whether it is the same; zeros behind its end. */
    static final int HEAD = 4096;

    final String name;
    final Target headerObject;
    final BlockMap map;
    final Target sharedObject;
    Lease lease;
    /** The lease is this daemon's, and it could not be opened: what a flush would promise is not known. */
    boolean unopened;
    /** The log that it writes; those before it that no checkpoint sums up yet, all sealed, the oldest first. */
    LogState log;
    final List<LogState> sealed;
    /** The log that it shall go on in; made when somebody prepares a SEAL. On the reactor alone, as are the next two. */
    Optional<LogState> next = Optional.empty();
    /** Another log is being made, or the present one is being sealed: one after another. */
    boolean preparing;
    Compaction compaction = Compaction.NONE;
    /** How many of the volume's records are known to name durable data. */
    long backed;
    /** How often its log could not be replaced though it was long: each time it may grow to twice the length. */
    int longer;
    /** An object may hold what a write left there that was never answered. */
    boolean unclean;
    /** Nothing before this byte was written since it was last taken; at first that is not known. On the reactor alone. */
    long changedFrom;
    /** Its log is of this life of this node, and can be appended to. */
    boolean goesOn;
    /** The lease was here already when it was asked for: a former life of this daemon took it. */
    boolean resumed;
    /** It is the original's: there is no header of ours, and not this object either, which says that there was one. */
    Optional<Target> hiddenObject = Optional.empty();
    /** What its header says; changed by the control thread alone. */
    private volatile VolumeHeader header;
    private int headCrc;

    VolumeState(String name, VolumeHeader header, BlockMap map, List<LogState> sealed, LogState log, Lease lease) {
        this.name = name;
        this.headerObject = Target.of(VolumeHeader.objectOf(name));
        this.map = map;
        this.sealed = new ArrayList<>(sealed);
        this.log = log;
        this.sharedObject = Target.of(Leases.sharedObject(header.id()));
        this.lease = lease;
        header(header);
    }

    // --- its logs

    /** The volume's number of the record after which its map does not change. */
    long owned() {
        return log.base + log.owned;
    }

    boolean isLogLost() {
        return log.lost || !sealed.isEmpty() && sealed.stream().anyMatch(one -> one.lost);
    }

    /** Whether all logs before the present one survive a power cut. */
    boolean areSealedWhole() {
        return sealed.isEmpty() || sealed.stream().allMatch(LogState::isWhole);
    }

    /** The SEAL is with the kernel: the volume goes on in the log that was made for that. */
    void seal(LogState goesOn) {
        log.sealed = log.records;
        sealed.add(log);
        goesOn.base = log.end();
        unclean &= goesOn.epoch == log.epoch; // nobody has written to the objects of a new epoch
        log = goesOn;
        map.own(new VolumeLayer(header.id(), log.epoch));
    }

    /** Whether it has so many logs, since summing them up failed, that it must be stopped for that before there are more. */
    boolean hasManyLogs() {
        return sealed.size() >= Logs.MOST / 2;
    }

    /**
     * Whether it shall go on in another log than one of so many records; one that was prepared for somebody else is left
     * to him for a time.
     */
    boolean isLogLong(long most) {
        return compaction == Compaction.NONE && !preparing && !hasManyLogs() && log.records >= most << longer + (next.isEmpty() ? 0 : 1);
    }

    /** Forgets logs that a checkpoint sums up by now. */
    void prune() {
        sealed.removeIf(one -> one.generation < header.generation());
    }

    /** The log of a generation, if the volume goes on in it after one that is whole, as are all before. */
    Optional<LogState> goesOnIn(long generation) {
        boolean whole = !sealed.isEmpty();
        for (LogState one : sealed) {
            if (one.generation == generation) {
                return Optional.of(one).filter(found -> whole);
            }
            if (!one.isWhole()) {
                return Optional.empty();
            }
        }
        return Optional.of(log).filter(found -> whole && found.generation == generation);
    }

    // --- what is written

    /** From where on it may have been written since this was asked; no write may be under way. */
    long takeChangedFrom() {
        long from = changedFrom;
        changedFrom = Long.MAX_VALUE;
        return from;
    }

    // --- its header

    VolumeHeader header() {
        return header;
    }

    void header(VolumeHeader newHeader) {
        headCrc = crc(ByteBuffer.wrap(Arrays.copyOf(newHeader.encode(), HEAD)));
        header = newHeader; // last: who sees it sees that too
    }

    private static int crc(ByteBuffer head) {
        CRC32C crc = new CRC32C();
        crc.update(head);
        return (int) crc.getValue();
    }

    /** Whether a look at the header's object, of {@value #HEAD} bytes, found what the volume's map in memory goes with. */
    boolean isStill(int status, ByteBuffer head) {
        return hiddenObject.isPresent() ? status == Errno.ENOENT : status == 0 && crc(head) == headCrc;
    }
}
