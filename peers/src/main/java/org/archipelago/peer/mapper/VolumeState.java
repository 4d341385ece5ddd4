package org.archipelago.peer.mapper;

import java.util.ArrayList;
import java.util.List;
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

    final String name;
    final Target logObject;
    final BlockMap map;
    final int logCrc;
    VolumeHeader header;
    Lease lease;
    /** Records that the log has, and how many of them survive a power cut. */
    long records;
    long committed;
    /** An object may hold what a write left there that was never answered. */
    boolean unclean;
    private final List<byte[]> prefixes = new ArrayList<>();

    VolumeState(String name, VolumeHeader header, BlockMap map, int logCrc, long records, long committed, Lease lease) {
        this.name = name;
        this.header = header;
        this.map = map;
        this.logObject = Target.of(header.readOnly() ? VolumeHeader.objectOf(name) : header.log());
        this.logCrc = logCrc;
        this.records = records;
        this.committed = committed;
        this.lease = lease;
    }

    /** What the names of a layer's objects begin with. */
    byte[] prefix(int layer) {
        while (prefixes.size() <= layer) {
            prefixes.add(map.layers().get(prefixes.size()).prefix());
        }
        return prefixes.get(layer);
    }
}
