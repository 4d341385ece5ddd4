package org.archipelago.map;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What an object {@code vol-NAME} holds: what a volume or snapshot is and where its map lies. It is
 * replaced as a whole, by the lease's holder alone, so a reader sees one state or the next. Text, to be read by people too:
 *
 * <pre>
 *   archipelago volume 1            format version
 *   id 5f0c...                      32 hex digits
 *   kind volume                     or snapshot
 *   size 10737418240                bytes
 *   block 22                        log2 of a block's bytes
 *   epoch 3                         the layer that it writes, as long as that log is not sealed
 *   generation 7                    counts its logs and checkpoints
 *   checkpoint map-5f0c...-00000006 the map's last checkpoint; - = all zero
 *   shared yes                      others may name that checkpoint too
 *   log log-5f0c...-00000007        what changed since, with the logs that go on where it is sealed; - = nothing can (snapshot)
 *   origin debian13                 the snapshot that it began as; - = none
 *   created 1763800000              seconds since 1970
 *   crc32c 1a2b3c4d                 of all lines before
 * </pre>
 */
public record VolumeHeader(
        String id,
        Kind kind,
        long size,
        int blockShift,
        int epoch,
        int generation,
        String checkpoint,
        boolean checkpointShared,
        String log,
        String origin,
        long created) {

    /** A volume can be written; a snapshot never changes. */
    public enum Kind { VOLUME, SNAPSHOT }

    /** Stands for 'none' in a field that names an object. */
    public static final String NONE = "-";
    /** Blocks of 4 MiB. */
    public static final int BLOCK_SHIFT = 22;
    /** Largest volume, bytes. */
    public static final long MAX_SIZE = 64L << 40;
    /** Room that a header needs, bytes. */
    public static final int MAX_BYTES = 4096;

    private static final int VERSION = 1;

    /** The object that holds the header of a volume. */
    public static String objectOf(String volume) {
        return "vol-" + volume;
    }

    /** A volume that begins as zeros, or as the contents of a snapshot. */
    public static VolumeHeader create(String id, long size, String checkpoint, String origin, long created) {
        return new VolumeHeader(id, Kind.VOLUME, size, BLOCK_SHIFT, 1, 1, checkpoint,
            !checkpoint.equals(NONE), logName(id, 1), origin, created);
    }

    public static String logName(String id, int generation) {
        return "log-%s-%08x".formatted(id, generation);
    }

    public boolean readOnly() {
        return kind == Kind.SNAPSHOT;
    }

    public VolumeLayer ownLayer() {
        return new VolumeLayer(id, epoch);
    }

    public long blockSize() {
        return 1L << blockShift;
    }

    /** Blocks that the size takes, the last one perhaps in part. */
    public int blocks() {
        return Math.toIntExact((size + blockSize() - 1) >>> blockShift);
    }

    public VolumeHeader withSize(long newSize) {
        return new VolumeHeader(id, kind, newSize, blockShift, epoch, generation, checkpoint, checkpointShared, log,
            origin, created);
    }

    /** The same volume with its map in a new checkpoint and a later log. */
    public VolumeHeader goesOn(String newCheckpoint, boolean shared, int newGeneration, int newEpoch) {
        return new VolumeHeader(id, kind, size, blockShift, newEpoch, newGeneration, newCheckpoint, shared,
            logName(id, newGeneration), origin, created);
    }

    /** The same volume, whose checkpoint others may name from now on. */
    public VolumeHeader shared() {
        return new VolumeHeader(id, kind, size, blockShift, epoch, generation, checkpoint, true, log, origin, created);
    }

    /** A snapshot that names the same checkpoint. */
    public VolumeHeader snapshot(String snapshotId, String ofCheckpoint, String ofVolume, long now) {
        return new VolumeHeader(snapshotId, Kind.SNAPSHOT, size, blockShift, 0, 0, ofCheckpoint,
            !ofCheckpoint.equals(NONE), NONE, ofVolume, now);
    }

    /** The same snapshot with its map in another checkpoint. */
    public VolumeHeader inCheckpoint(String newCheckpoint) {
        return new VolumeHeader(id, kind, size, blockShift, epoch, generation + 1, newCheckpoint, true, log, origin, created);
    }

    // --- its text

    public byte[] encode() {
        return TextObject.encode("volume", VERSION, fields());
    }

    Map<String, String> fields() {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("id", id);
        fields.put("kind", kind.name().toLowerCase(Locale.ROOT));
        fields.put("size", Long.toString(size));
        fields.put("block", Integer.toString(blockShift));
        fields.put("epoch", Integer.toString(epoch));
        fields.put("generation", Integer.toString(generation));
        fields.put("checkpoint", checkpoint);
        fields.put("shared", checkpointShared ? "yes" : "no");
        fields.put("log", log);
        fields.put("origin", origin);
        fields.put("created", Long.toString(created));
        return fields;
    }

    /** @throws DamagedMapException naming what is wrong */
    public static VolumeHeader decode(String volume, byte[] bytes) {
        try {
            return fromFields(TextObject.decode("volume", VERSION, bytes));
        } catch (IllegalArgumentException e) {
            throw new DamagedMapException(volume, "its header is not right: " + e.getMessage());
        }
    }

    /** Throws IllegalArgumentException, saying what is wrong. */
    static VolumeHeader fromFields(Map<String, String> fields) {
        VolumeHeader header = new VolumeHeader(field(fields, "id"),
            Kind.valueOf(field(fields, "kind").toUpperCase(Locale.ROOT)),
            Long.parseLong(field(fields, "size")), Integer.parseInt(field(fields, "block")),
            Integer.parseInt(field(fields, "epoch")), Integer.parseInt(field(fields, "generation")),
            field(fields, "checkpoint"), field(fields, "shared").equals("yes"), field(fields, "log"),
            field(fields, "origin"), Long.parseLong(field(fields, "created")));
        if (header.size <= 0 || header.size > MAX_SIZE || header.blockShift != BLOCK_SHIFT) {
            throw new IllegalArgumentException("size=" + header.size + " block=" + header.blockShift);
        }
        new VolumeLayer(header.id, header.epoch);
        return header;
    }

    private static String field(Map<String, String> fields, String key) {
        if (!fields.containsKey(key)) {
            throw new IllegalArgumentException(key + " is missing");
        }
        return fields.get(key);
    }
}
