package org.archipelago.peer.mapper;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.archipelago.map.DamagedMapException;
import org.archipelago.map.VolumeHeader;

/**
 * The volumes of a store whose names begin so, from a name on and in order, with all that describes them. It is read by two
 * walks through the store, of the headers and of what belongs to them, instead of a few reads for each volume; and kept while
 * it is told page by page, so that not each page costs a walk. It holds the first ones alone where there are very many: what
 * follows is another listing. For the control thread.
 */
final class VolumeListing implements Texts {
    /** Volumes of one listing, with 200 to 500 bytes each, and their notes. */
    private static final int MOST = 16_384;
    private static final long FRESH_NANOS = 10_000_000_000L;
    private static final String HEADERS = VolumeHeader.objectOf("");
    private static final byte[] ORIGINAL = {};

    private final String prefix;
    private final int most;
    private final long readAt = System.nanoTime();
    private final TreeMap<String, byte[]> headers = new TreeMap<>();
    private final Map<String, byte[]> parts = new HashMap<>();
    private String told;
    private boolean isCut;

    /** An empty one; most: volumes. */
    VolumeListing(String prefix, String after, int most) {
        this.prefix = prefix;
        this.most = most;
        this.told = after;
    }

    /** Of no volumes. */
    static VolumeListing none() {
        return new VolumeListing("", "", 0);
    }

    /**
     * Reads one.
     *
     * @param prefix of the names
     * @param after names up to this one are left out
     */
    static VolumeListing read(ObjectStore maps, String prefix, String after) {
        VolumeListing listing = new VolumeListing(prefix, after, MOST);
        maps.texts(HEADERS + prefix, (object, text) -> listing.add(object.substring(HEADERS.length()), text));
        Originals.forEachName(maps, prefix, name -> {
            if (!listing.headers.containsKey(name)) {
                listing.add(name, ORIGINAL);
            }
        });
        Set<String> ids = listing.ids();
        if (!ids.isEmpty()) {
            maps.texts(Leases.PARTS + "," + Notes.PREFIX, (object, text) -> {
                if (ids.contains(object.substring(object.indexOf('-') + 1))) {
                    listing.parts.put(object, text);
                }
            });
        }
        return listing;
    }

    void add(String volume, byte[] header) {
        if (volume.compareTo(told) > 0 && (!isCut || volume.compareTo(headers.lastKey()) < 0)) {
            headers.put(volume, header);
            if (headers.size() > most) {
                headers.pollLastEntry();
                isCut = true;
            }
        }
    }

    private Set<String> ids() {
        Set<String> ids = new HashSet<>();
        headers.forEach((volume, header) -> {
            try {
                ids.add(VolumeHeader.decode(volume, header).id());
            } catch (DamagedMapException e) {
                // it is told as damaged
            }
        });
        return ids;
    }

    /** Whether what follows a name is at hand, and not too old. */
    boolean goesOn(String ofPrefix, String after) {
        return !headers.isEmpty() && ofPrefix.equals(prefix) && after.equals(told) && System.nanoTime() - readAt < FRESH_NANOS;
    }

    /** The next volume; empty: what there is has been told. */
    Optional<String> next() {
        return headers.isEmpty() ? Optional.empty() : Optional.of(headers.firstKey());
    }

    /** Whether the original may have left a volume of this name, and there is none of ours. */
    boolean isOriginal(String volume) {
        return headers.get(volume) == ORIGINAL;
    }

    /** The next one is another. */
    void pass() {
        told = headers.firstKey();
        headers.pollFirstEntry();
    }

    /** Whether there are more, here or in the store. */
    boolean hasMore() {
        return isCut || !headers.isEmpty();
    }

    @Override
    public Optional<byte[]> readText(String object) {
        return Optional.ofNullable(object.startsWith(HEADERS) ? headers.get(object.substring(HEADERS.length())) : parts.get(object));
    }
}
