package org.archipelago.peer.mapper;

import java.util.List;

/** A walk through all objects of a store that begin so, page by page. One thread at a time. */
final class Walk {
    private static final ObjectStore.ScanPage NONE = new ObjectStore.ScanPage(List.of(), List.of(), "");

    private final ObjectStore store;
    private final String prefix;
    private final boolean withSizes;
    private ObjectStore.ScanPage page = NONE;
    private String cursor;
    private int seen;

    /**
     * @param prefix {@code *}: all
     * @param withSizes tells what each takes of the store
     * @param cursor where to begin, as {@link #cursor} said; empty: at the beginning
     */
    Walk(ObjectStore store, String prefix, boolean withSizes, String cursor) {
        this.store = store;
        this.prefix = prefix;
        this.withSizes = withSizes;
        this.cursor = cursor;
    }

    /** Where another walk can go on, which then sees again at most a page. */
    String cursor() {
        return cursor;
    }

    /** Whether all have been seen. */
    boolean isOver() {
        return page != NONE && seen == page.names().size() && page.cursor().isEmpty();
    }

    /** Moves on to the next one, reading at most one page; false: none in it, or the walk is over. */
    boolean advance() {
        if (isOver()) {
            return false;
        }
        if (seen == page.names().size()) {
            cursor = page == NONE ? cursor : page.cursor();
            page = store.scan(prefix, cursor, withSizes);
            seen = 0;
        }
        if (seen == page.names().size()) {
            return false;
        }
        seen++;
        return true;
    }

    String name() {
        return page.names().get(seen - 1);
    }

    /** Bytes that it takes of the store. */
    long size() {
        return page.sizes().get(seen - 1);
    }
}
