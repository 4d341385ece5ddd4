package org.archipelago.peer.mapper;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.CRC32C;
import org.archipelago.map.BlockMap;
import org.archipelago.map.VolumeHeader;
import org.archipelago.xseg.Target;

/**
 * A volume's map in memory, with what is needed to append to its log. One holder at a time: the
 * reactor, or the control thread while the volume is busy with it.
 */
final class VolumeState {
    /** NONE: reads only, each after a look at the log; EXCLUSIVE; SHARED: as NONE, and may write. */
    enum Lease { NONE, EXCLUSIVE, SHARED }

    /** Bytes of a header's object that are enough to see whether it is the same; zeros behind its end. */
    static final int HEAD = 4096;
    /** Records of a log after which an open volume goes on in another. */
    private static final long LONG_LOG = 1 << 16;

    final String name;
    final Target headerObject;
    final Target logObject;
    final BlockMap map;
    final int logCrc;
    final Target sharedObject;
    Lease lease;
    /** The lease is this daemon's, and it could not be opened: what a flush would promise is not known. */
    boolean unopened;
    /** The checksum of the last record. */
    int lastRecord;
    /** Records that the log has; after how many of them the map does not change; how many survive a power cut. */
    long records;
    long owned;
    long committed;
    /** How many records are known to name durable data; and whether a sync of the log failed, which needs another log then. */
    long backed;
    boolean logLost;
    /** Where the records end that were written by writes that failed, and may be there. */
    long refused;
    /** Records after which the volume shall go on in another log. */
    long longLog = LONG_LOG;
    /** An object may hold what a write left there that was never answered. */
    boolean unclean;
    /** Its log is of this life of this node, and can be appended to. */
    boolean goesOn;
    /** The lease was here already when it was asked for: a former life of this daemon took it. */
    boolean resumed;
    private VolumeHeader header;
    private int headCrc;

    VolumeState(String name, VolumeHeader header, BlockMap map, int logCrc, Lease lease) {
        this.name = name;
        this.headerObject = Target.of(VolumeHeader.objectOf(name));
        this.logObject = header.readOnly() ? headerObject : Target.of(header.log());
        this.map = map;
        this.logCrc = logCrc;
        this.sharedObject = Target.of(Leases.sharedObject(header.id()));
        this.lease = lease;
        header(header);
    }

    VolumeHeader header() {
        return header;
    }

    void header(VolumeHeader newHeader) {
        header = newHeader;
        headCrc = crc(ByteBuffer.wrap(Arrays.copyOf(newHeader.encode(), HEAD)));
    }

    private static int crc(ByteBuffer head) {
        CRC32C crc = new CRC32C();
        crc.update(head);
        return (int) crc.getValue();
    }

    /** Whether the volume's header object begins so; head: of {@value #HEAD} bytes. */
    boolean beginsWith(ByteBuffer head) {
        return crc(head) == headCrc;
    }
}
