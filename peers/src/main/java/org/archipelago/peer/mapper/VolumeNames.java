package org.archipelago.peer.mapper;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.regex.Pattern;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.original.OriginalV1;

/**
 * The names of volumes and snapshots in byte order, each once: ours, and those that objects of the original may be the maps of;
 * its images, which have hashes for names, are not told. Asks the store as it goes on. For one thread.
 */
final class VolumeNames implements Iterator<String> {
    /** Objects of the original that are no headers of maps: parts of maps, locks, remembered hashes, and images. */
    private static final Pattern NO_HEADER = Pattern.compile(".*(_[0-9a-f]{16}|_lock.*|_hash.*)|[0-9a-f]{64}");

    private final List<Source> sources = new ArrayList<>();

    /** Names that begin with a prefix and come after a name. */
    VolumeNames(ObjectStore maps, String prefix, String after) {
        sources.add(new Source(maps, VolumeHeader.objectOf(""), prefix, after, false));
        sources.add(new Source(maps, "", prefix, after, true));
        sources.add(new Source(maps, OriginalV1.PREFIX, prefix, after, true));
    }

    /** Volumes whose objects' names begin alike. */
    private static final class Source {
        private final ObjectStore maps;
        private final String begin;
        private final String prefix;
        private final boolean original;
        private final Deque<String> page = new ArrayDeque<>();
        private String after;
        private boolean more = true;

        Source(ObjectStore maps, String begin, String prefix, String after, boolean original) {
            this.maps = maps;
            this.begin = begin;
            this.prefix = begin + prefix;
            this.after = after.isEmpty() ? "" : begin + after;
            this.original = original;
        }

        /** Whether there is a first one. */
        boolean fill() {
            while (page.isEmpty() && more) {
                ObjectStore.Page next = original ? maps.listOriginal(prefix, after) : maps.list(prefix, after);
                more = next.more() && !next.names().isEmpty();
                for (String object : next.names()) {
                    after = object;
                    String name = object.substring(begin.length());
                    if (!original || !NO_HEADER.matcher(name).matches() && !(begin.isEmpty() && name.startsWith(OriginalV1.PREFIX))) {
                        page.add(name);
                    }
                }
            }
            return !page.isEmpty();
        }
    }

    @Override
    public boolean hasNext() {
        return sources.stream().anyMatch(Source::fill);
    }

    @Override
    public String next() {
        String first = sources.stream().filter(Source::fill).map(source -> source.page.peek()).min(String::compareTo)
            .orElseThrow(NoSuchElementException::new);
        for (Source source : sources) {
            if (first.equals(source.page.peek())) {
                source.page.poll();
            }
        }
        return first;
    }
}
