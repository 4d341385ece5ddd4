package org.archipelago.peer.blocker;

import java.nio.charset.StandardCharsets;
import java.util.TreeSet;

/**
 * One page of a store's names: the first ones, in byte order, after a name and with a prefix, as many
 * as fit into a number of bytes. Since objects are spread by a hash, each page looks at every
 * directory; memory is bounded by the page. For one thread.
 */
final class StoreListing {
    private static final String HEAD = "{\"names\":[";
    private static final String TAIL = "],\"more\":false}";
    /** Two quotes and a comma. */
    private static final int NAME_COST = 3;

    private final String prefix;
    private final String after;
    private final long room;
    private final TreeSet<String> names = new TreeSet<>();
    private long used;
    /** The smallest name that did not fit: no name from there on belongs to this page. */
    private String end;

    /**
     * @param prefix of the names
     * @param after names up to this one have been told; may be empty
     * @param room bytes that the answer may have; too few even for one without names is no error until there is a name
     */
    StoreListing(String prefix, String after, long room) {
        this.prefix = prefix;
        this.after = after;
        this.room = room - HEAD.length() - TAIL.length();
    }

    /** Looks at the store. */
    void read(StoreNames store) {
        for (int bucket = 0; bucket < ObjectPath.BUCKETS; bucket++) {
            store.read(bucket, this::add);
        }
    }

    void add(String name) {
        if (name.startsWith(prefix) && name.compareTo(after) > 0 && (end == null || name.compareTo(end) < 0)
                && ObjectPath.isName(name) && names.add(name)) {
            used += name.length() + NAME_COST;
            while (used > room && !names.isEmpty()) {
                end = names.pollLast();
                used -= end.length() + NAME_COST;
            }
        }
    }

    /** Whether there is room for nothing although there are names. */
    boolean isTooSmall() {
        return end != null && names.isEmpty();
    }

    /** The answer, UTF-8 JSON. */
    byte[] answer() {
        StringBuilder out = new StringBuilder(HEAD);
        for (String name : names) {
            out.append(out.length() > HEAD.length() ? "," : "").append('"').append(name).append('"');
        }
        return out.append("],\"more\":").append(end != null).append('}').toString().getBytes(StandardCharsets.US_ASCII);
    }
}
