package org.archipelago.peer.mapper;

import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.archipelago.map.BlockMap;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.ForeignLayer;
import org.archipelago.map.TextObject;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeHeader.Kind;
import org.archipelago.map.original.OriginalHeader;
import org.archipelago.map.original.OriginalHeader.Format;
import org.archipelago.map.original.OriginalMap;
import org.archipelago.map.original.OriginalV0;
import org.archipelago.map.original.OriginalV1;
import org.archipelago.map.original.OriginalV2;
import org.archipelago.posix.Errno;

/**
 * Volumes, snapshots and images that the original Archipelago left in the store, where there is nothing of ours of their name.
 * They are read as they are; what is written under their names goes to objects of ours:
 *
 * <pre>
 *   object hidden-NAME   text, kind "hidden": what the original has of this name is not shown any more, since a volume of ours
 *                        that went on from it, or took the name, is gone or renamed
 * </pre>
 *
 * Thread-safe; waits for the store.
 */
final class Originals {
    /** Bytes that are enough for a header. */
    private static final int HEAD = 512;
    /** Larger maps than any can be are not read into memory. */
    private static final long MOST_BYTES = 1L << 30;
    private static final int HIDDEN_VERSION = 1;
    private static final String LOCK = "_lock";
    /** Objects that are no headers of maps: parts of maps, locks, remembered hashes, and images. */
    private static final Pattern NO_HEADER = Pattern.compile(".*(_[0-9a-f]{16}|_lock.*|_hash.*)|[0-9a-f]{64}");

    private final ObjectStore maps;
    private final LayerTables tables;
    private final boolean upgrade;

    /** @param upgrade whether its volumes go on as ours when they are first opened for writing */
    Originals(ObjectStore maps, LayerTables tables, boolean upgrade) {
        this.maps = maps;
        this.tables = tables;
        this.upgrade = upgrade;
    }

    // --- finding

    /** The header that it would have if it were ours: one without checkpoint and log. It can be written where that upgrades it. */
    Optional<VolumeHeader> find(String name) {
        return sound(() -> read(name)).filter(original -> !maps.exists(hiddenObject(name))).map(original -> {
            Kind kind = upgrade && !original.readOnly() ? Kind.VOLUME : Kind.SNAPSHOT;
            long size = (original.size() + BlockMap.UNIT - 1) & -BlockMap.UNIT;
            return new VolumeHeader(id(name), kind, size, VolumeHeader.BLOCK_SHIFT, 0, 0, VolumeHeader.NONE, false, VolumeHeader.NONE,
                VolumeHeader.NONE, 0);
        });
    }

    /** Tells the names of what may be its volumes and snapshots, in any order; its images, named by hashes, are not told. */
    static void forEachName(ObjectStore maps, String prefix, Consumer<String> told) {
        forEachNameOf(maps, prefix, told);
        if (!prefix.isEmpty()) {
            forEachNameOf(maps, OriginalV1.objectOf(prefix), told);
        }
    }

    private static void forEachNameOf(ObjectStore maps, String prefix, Consumer<String> told) {
        String after = "";
        boolean more = true;
        while (more) {
            ObjectStore.Page page = maps.listOriginal(prefix, after);
            more = page.more() && !page.names().isEmpty();
            for (String object : page.names()) {
                after = object;
                if (!NO_HEADER.matcher(object).matches()) {
                    told.accept(object.startsWith(OriginalV1.PREFIX) ? object.substring(OriginalV1.PREFIX.length()) : object);
                }
            }
        }
    }

    /** Whether a header that {@link VolumeStore#find} told is of the original. */
    static boolean isOne(String name, VolumeHeader header) {
        return isOne(name, header.id());
    }

    static boolean isOne(String name, String id) {
        return id(name).equals(id);
    }

    /** No volume of ours has it. */
    private static String id(String name) {
        return OriginalMap.idOf(name);
    }

    /** What the original has of a name and has not removed. */
    private Optional<OriginalHeader> read(String name) {
        Optional<byte[]> head = head(name);
        if (head.isPresent() && OriginalV2.begins(head.get())) {
            return present(OriginalV2.header(name, name, head.get()));
        }
        String old = OriginalV1.objectOf(name);
        Optional<byte[]> oldHead = head(old);
        if (oldHead.isPresent()) {
            return present(OriginalV2.begins(oldHead.get()) ? OriginalV2.header(name, old, oldHead.get())
                : OriginalV1.header(name, oldHead.get()));
        }
        return head.isPresent() && OriginalV0.isName(name) ? Optional.of(OriginalV0.decode(name, whole(name, name)).header())
            : Optional.empty();
    }

    private static Optional<OriginalHeader> present(OriginalHeader header) {
        return Optional.of(header).filter(h -> !h.deleted());
    }

    private Optional<byte[]> head(String object) {
        try {
            return Optional.of(maps.read(object, 0, HEAD, 0));
        } catch (Failure e) {
            if (e.errno() == Errno.ENOENT) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private byte[] whole(String name, String object) {
        long size = maps.size(object);
        if (size > MOST_BYTES) {
            throw new DamagedMapException(name, "object " + object + " has " + size + " bytes, more than any map of the original's");
        }
        return maps.read(object).orElseThrow(() -> new DamagedMapException(name, "object " + object + " of the original's map is missing"));
    }

    /** The format of the map that a header belongs to. */
    String format(String name, VolumeHeader header) {
        return !isOne(name, header) ? "native" : "original " + header(name).format().name().toLowerCase(Locale.ROOT);
    }

    /**
     * The header with the size that a volume's origin is said to have, where that is an image, whose map has whole blocks alone;
     * others know their size.
     */
    VolumeHeader ofSize(String name, VolumeHeader header, OptionalLong size) {
        if (size.isEmpty() || !isOne(name, header) || header(name).format() != Format.V0) {
            return header;
        }
        long bytes = size.getAsLong();
        if (bytes > header.size() || bytes <= header.size() - header.blockSize()) {
            throw new Failure(Errno.EINVAL, "image " + name + " has " + header.blocks() + " blocks of " + header.blockSize()
                + " bytes, which " + bytes + " bytes (origin_size) do not take: one of the two is of another image");
        }
        return header.withSize((bytes + BlockMap.UNIT - 1) & -BlockMap.UNIT);
    }

    private OriginalHeader header(String name) {
        return sound(() -> read(name)).orElseThrow(() -> new Failure(Errno.ENOENT, "volume " + name + " does not exist any more"));
    }

    private static <T> T sound(Supplier<T> read) {
        try {
            return read.get();
        } catch (DamagedMapException e) {
            throw new Failure(Errno.EUCLEAN, e.getMessage());
        }
    }

    /** Its map, for reading. */
    BlockMap map(String name) {
        OriginalMap map = load(name);
        return over(map, map.layer());
    }

    /** Its map, for a volume of ours that goes on from it: the table of its objects' names is there. Not while the original has it open. */
    BlockMap base(String name) {
        OriginalMap map = load(name);
        if (!map.header().readOnly()) {
            refuseLocked(name);
        }
        ForeignLayer layer = map.layer();
        tables.put(layer);
        return over(map, layer);
    }

    private static BlockMap over(OriginalMap map, ForeignLayer layer) {
        BlockMap blocks = new BlockMap(map.blocks());
        blocks.base(layer);
        return blocks;
    }

    private OriginalMap load(String name) {
        OriginalHeader header = header(name);
        return sound(() -> switch (header.format()) {
            case V0 -> OriginalV0.decode(name, whole(name, name));
            case V1 -> OriginalV1.decode(name, whole(name, header.object()));
            case V2 -> OriginalV2.decode(name, header, maps::read);
        });
    }

    // --- what it must not do

    /** Why nothing of it can be changed, and what can be done instead. */
    Failure unchangeable(String name) {
        OriginalHeader header = header(name);
        String clone = "it can be read, and cloned (vlmc create NEW --snap " + name + ")";
        if (header.readOnly()) {
            return new Failure(Errno.EROFS, name + (header.format() == Format.V0 ? " is an image" : " is a snapshot")
                + " of the original Archipelago, of which nothing is changed or removed here: " + clone);
        }
        return new Failure(Errno.EROFS, name + " is a volume of the original Archipelago, of which nothing is changed here: "
            + (upgrade ? "open it (vlmc open " + name + "), which upgrades it, and try again" : clone
                + "; to go on with it here, stop the original on all nodes and set upgrade_original = True in the mapper's role"));
    }

    /** Fails with EBUSY where the original has the volume open. */
    private void refuseLocked(String name) {
        for (String object : new String[] {name + LOCK, OriginalV1.objectOf(name) + LOCK}) {
            maps.readText(object).ifPresent(holder -> {
                throw new Failure(Errno.EBUSY, "volume " + name + " is locked by the original Archipelago on "
                    + new String(holder, StandardCharsets.UTF_8).replaceAll("[^ -~]", "?") + " (host_port, in object " + object
                    + " of the maps): close it there (vlmc close " + name + "); if that host is gone for good, remove the object's file");
            });
        }
    }

    // --- hiding

    static String hiddenObject(String name) {
        return "hidden-" + name;
    }

    /** Whether the original has left anything of a name, whatever it is. */
    boolean hasAny(String name) {
        return maps.exists(name) || maps.exists(OriginalV1.objectOf(name));
    }

    /** Before a header of ours goes away: what the original has of its name must not come back. */
    void hide(String name) {
        if (hasAny(name) && !maps.exists(hiddenObject(name))) { // what is hidden already is removed without any space
            maps.put(hiddenObject(name), TextObject.encode("hidden", HIDDEN_VERSION, Map.of("name", name)));
        }
    }
}
