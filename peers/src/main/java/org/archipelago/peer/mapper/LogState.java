package org.archipelago.peer.mapper;

import org.archipelago.map.VolumeHeader;
import org.archipelago.xseg.Target;

/**
 * What is known of a log of a volume, present or sealed. Records have two numbers: within their log, and within the
 * volume, where those of the logs before, as long as this life knows of them, count too.
 */
final class LogState {
    final Target object;
    final int generation;
    /** The epoch of the objects that its records name. */
    final int epoch;
    /** Ties records to it. */
    final int crc;
    /** The checksum of the last record; when it is sealed, of its SEAL. */
    int lastRecord;
    /** Records that it has; after how many of them the map does not change; how many survive a power cut. */
    long records;
    long owned;
    long committed;
    /** Records up to its SEAL, that one included; 0: it is not sealed. */
    long sealed;
    /** Where the records end that were written by writes that failed, and may be there. */
    long refused;
    /** A sync of it failed: what it has is not certain any more. */
    boolean lost;
    /** The volume's number of its first record. */
    long base;

    LogState(String id, int generation, int epoch, int crc) {
        this.object = Target.of(VolumeHeader.logName(id, generation));
        this.generation = generation;
        this.epoch = epoch;
        this.crc = crc;
    }

    /** As the volume counts: where its records end that a flush can be asked for. */
    long end() {
        return base + (sealed > 0 ? sealed : records);
    }

    /** Whether its SEAL and all before it survive a power cut. */
    boolean isWhole() {
        return sealed > 0 && committed >= sealed;
    }

    /** How many of its records a flush up to a number of the volume's marks. */
    long upTo(long flushed) {
        return Math.max(0, Math.min(flushed, end()) - base);
    }

    /** Whether such a flush has something to write here. */
    boolean isDue(long flushed) {
        return upTo(flushed) > committed || sealed == 0 && refused > records;
    }
}
