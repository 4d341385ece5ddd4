package org.archipelago.map;

import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/**
 * What an object {@code vol-NAME} holds: what a volume or snapshot is and where its map lies. It is
 * replaced as a whole, so a reader sees one state or the next. Text, to be read by people too:
 *
 * <pre>
 *   archipelago volume 1            format version
 *   id 5f0c...                      32 hex digits
 *   kind volume                     or snapshot
 *   size 10737418240                bytes
 *   block 22                        log2 of a block's bytes
 *   epoch 3                         the layer that it writes now
 *   generation 7                    counts its logs and checkpoints
 *   checkpoint map-5f0c...-00000006 the map's last checkpoint; - = all zero
 *   shared yes                      others may name that checkpoint too
 *   log log-5f0c...-00000007        what changed since; - = nothing can (snapshot)
 *   origin debian13                 the snapshot that it began as; - = none
 *   created 1763800000              seconds since 1970
 *   meta.owner instance1            any number; percent-encoded
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
        long created,
        SortedMap<String, String> metadata) {

    /** A volume can be written; a snapshot never changes. */
    public enum Kind { VOLUME, SNAPSHOT }

    /** Stands for 'none' in a field that names an object. */
    public static final String NONE = "-";
    /** Blocks of 4 MiB. */
    public static final int BLOCK_SHIFT = 22;
    /** Largest volume, bytes. */
    public static final long MAX_SIZE = 64L << 40;
    /** Most bytes that a header may have. */
    public static final int MAX_BYTES = 64 << 10;

    private static final String FIRST_LINE = "archipelago volume ";
    private static final int VERSION = 1;

    public VolumeHeader {
        metadata = Collections.unmodifiableSortedMap(new TreeMap<>(metadata));
    }

    /** The object that holds the header of a volume. */
    public static String objectOf(String volume) {
        return "vol-" + volume;
    }

    /** A volume that begins as zeros, or as the contents of a snapshot. */
    public static VolumeHeader create(String id, long size, String checkpoint, String origin, long created,
            Map<String, String> metadata) {
        return new VolumeHeader(id, Kind.VOLUME, size, BLOCK_SHIFT, 1, 1, checkpoint,
            !checkpoint.equals(NONE), logName(id, 1), origin, created, new TreeMap<>(metadata));
    }

    public static String logName(String id, int generation) {
        return "log-%s-%08x".formatted(id, generation);
    }

    public static String checkpointName(String id, int generation) {
        return "map-%s-%08x".formatted(id, generation);
    }

    public boolean readOnly() {
        return kind == Kind.SNAPSHOT;
    }

    public Layer ownLayer() {
        return new Layer(id, epoch);
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
            origin, created, metadata);
    }

    public VolumeHeader withMetadata(Map<String, String> added) {
        TreeMap<String, String> all = new TreeMap<>(metadata);
        added.forEach((key, value) -> {
            if (value.isEmpty()) {
                all.remove(key);
            } else {
                all.put(key, value);
            }
        });
        return new VolumeHeader(id, kind, size, blockShift, epoch, generation, checkpoint, checkpointShared, log,
            origin, created, all);
    }

    /** The same volume with its map in a new checkpoint and an empty log. */
    public VolumeHeader nextGeneration(String newCheckpoint, boolean shared, int newEpoch) {
        return new VolumeHeader(id, kind, size, blockShift, newEpoch, generation + 1, newCheckpoint, shared,
            logName(id, generation + 1), origin, created, metadata);
    }

    /** A snapshot that names the same checkpoint. */
    public VolumeHeader snapshot(String snapshotId, String ofCheckpoint, String ofVolume, long now) {
        return new VolumeHeader(snapshotId, Kind.SNAPSHOT, size, blockShift, 0, 0, ofCheckpoint,
            !ofCheckpoint.equals(NONE), NONE, ofVolume, now, new TreeMap<>());
    }

    // --- its text

    public byte[] encode() {
        StringBuilder text = new StringBuilder(FIRST_LINE).append(VERSION).append('\n');
        line(text, "id", id);
        line(text, "kind", kind.name().toLowerCase(java.util.Locale.ROOT));
        line(text, "size", Long.toString(size));
        line(text, "block", Integer.toString(blockShift));
        line(text, "epoch", Integer.toString(epoch));
        line(text, "generation", Integer.toString(generation));
        line(text, "checkpoint", checkpoint);
        line(text, "shared", checkpointShared ? "yes" : "no");
        line(text, "log", log);
        line(text, "origin", origin);
        line(text, "created", Long.toString(created));
        metadata.forEach((key, value) ->
            line(text, "meta." + URLEncoder.encode(key, StandardCharsets.UTF_8), URLEncoder.encode(value, StandardCharsets.UTF_8)));
        line(text, "crc32c", "%08x".formatted(crc(text.toString())));
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void line(StringBuilder text, String key, String value) {
        text.append(key).append(' ').append(value).append('\n');
    }

    private static int crc(String text) {
        CRC32C crc = new CRC32C();
        crc.update(text.getBytes(StandardCharsets.UTF_8));
        return (int) crc.getValue();
    }

    /** @throws DamagedMapException naming what is wrong */
    public static VolumeHeader decode(String volume, byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        int last = text.lastIndexOf("crc32c ");
        if (!text.startsWith(FIRST_LINE) || last < 0 || !text.endsWith("\n")) {
            throw new DamagedMapException(volume, "its header is not one of Archipelago's, or is cut short");
        }
        String version = text.substring(FIRST_LINE.length(), text.indexOf('\n'));
        if (!version.equals(Integer.toString(VERSION))) {
            throw new DamagedMapException(volume, "its header has format version " + version + "; this Archipelago reads "
                + VERSION + ": use the version that wrote it, or a newer one");
        }
        if (!text.substring(last).equals("crc32c %08x\n".formatted(crc(text.substring(0, last))))) {
            throw new DamagedMapException(volume, "its header's checksum is wrong");
        }
        Map<String, String> fields = new LinkedHashMap<>();
        text.substring(0, last).lines().skip(1).forEach(line -> {
            int space = line.indexOf(' ');
            if (space > 0) {
                fields.put(line.substring(0, space), line.substring(space + 1));
            }
        });
        try {
            return fromFields(fields);
        } catch (IllegalArgumentException e) {
            throw new DamagedMapException(volume, "its header has a bad field: " + e.getMessage());
        }
    }

    private static VolumeHeader fromFields(Map<String, String> fields) {
        TreeMap<String, String> metadata = new TreeMap<>();
        fields.forEach((key, value) -> {
            if (key.startsWith("meta.")) {
                metadata.put(URLDecoder.decode(key.substring(5), StandardCharsets.UTF_8),
                    URLDecoder.decode(value, StandardCharsets.UTF_8));
            }
        });
        VolumeHeader header = new VolumeHeader(field(fields, "id"),
            Kind.valueOf(field(fields, "kind").toUpperCase(java.util.Locale.ROOT)),
            Long.parseLong(field(fields, "size")), Integer.parseInt(field(fields, "block")),
            Integer.parseInt(field(fields, "epoch")), Integer.parseInt(field(fields, "generation")),
            field(fields, "checkpoint"), field(fields, "shared").equals("yes"), field(fields, "log"),
            field(fields, "origin"), Long.parseLong(field(fields, "created")), metadata);
        if (header.size <= 0 || header.size > MAX_SIZE || header.blockShift != BLOCK_SHIFT) {
            throw new IllegalArgumentException("size=" + header.size + " block=" + header.blockShift);
        }
        new Layer(header.id, header.epoch);
        return header;
    }

    private static String field(Map<String, String> fields, String key) {
        if (!fields.containsKey(key)) {
            throw new IllegalArgumentException(key + " is missing");
        }
        return fields.get(key);
    }
}
