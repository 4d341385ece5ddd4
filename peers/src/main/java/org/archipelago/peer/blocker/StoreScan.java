package org.archipelago.peer.blocker;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import org.archipelago.posix.Errno;

/**
 * One page of a walk through a store: bucket by bucket, and in each in byte order, so that the whole walk reads each
 * directory once for each page that it fills. A page ends where it is full, or when its time is over, and says in its cursor
 * where the next one goes on:
 *
 * <pre>
 *   hhh/NAME    in bucket hhh, after NAME
 *   hhh/        at bucket hhh
 *   (empty)     at the first bucket; in an answer: that was all
 * </pre>
 *
 * <p>So each object that is there throughout is told exactly once, and memory is bounded by the page. For one thread.
 */
final class StoreScan {
    private static final String HEAD = "{\"names\":[";
    private static final String SIZES = "],\"sizes\":[";
    private static final String TEXTS = "],\"texts\":[";
    private static final String CURSOR = "],\"cursor\":\"";
    private static final String TAIL = "\"}";
    private static final int CURSOR_MOST = 4 + ObjectPath.NAME_MAX;
    /** Two quotes and a comma. */
    private static final int NAME_COST = 3;
    private static final long TIME_NANOS = 50_000_000;

    /** What a scan tells beside names: the bytes that each object takes of the disk, or what is in it, as JSON. */
    enum Detail { NONE, SIZES, TEXTS }

    private final List<String> prefixes;
    private final Detail detail;
    private final StringBuilder names = new StringBuilder();
    private final StringBuilder details = new StringBuilder();
    private final long end = System.nanoTime() + TIME_NANOS;
    private int bucket;
    private String after;
    private long room;
    private boolean tooSmall;

    private StoreScan(int bucket, String after, List<String> prefixes, Detail detail, long room) {
        this.bucket = bucket;
        this.after = after;
        this.prefixes = prefixes;
        this.detail = detail;
        this.room = room - HEAD.length() - SIZES.length() - CURSOR.length() - CURSOR_MOST - TAIL.length();
    }

    /**
     * @param cursor where to begin
     * @param prefixes of the names: one of these
     * @param room bytes that the answer may have
     */
    static StoreScan from(String cursor, List<String> prefixes, Detail detail, long room) {
        if (cursor.isEmpty()) {
            return new StoreScan(0, "", prefixes, detail, room);
        }
        String after = cursor.substring(Math.min(4, cursor.length()));
        if (cursor.length() < 4 || !ObjectPath.isBucket(cursor.substring(0, 3)) || cursor.charAt(3) != '/'
                || !after.isEmpty() && !ObjectPath.isName(after)) {
            throw new StoreException(Errno.EINVAL, "not a cursor that an earlier scan has told");
        }
        return new StoreScan(Integer.parseInt(cursor.substring(0, 3), 16), after, prefixes, detail, room);
    }

    /** Looks at the store. */
    void read(StoreNames store) {
        boolean goesOn = true;
        while (goesOn && bucket < ObjectPath.BUCKETS) {
            goesOn = readBucket(store) && System.nanoTime() < end;
        }
    }

    /** False: the page ends within it. */
    private boolean readBucket(StoreNames store) {
        BucketPage page = new BucketPage();
        store.read(bucket, page::add);
        for (String name : page.found) {
            Optional<String> known = switch (detail) {
                case NONE -> Optional.of("");
                case SIZES -> store.allocated(name);
                case TEXTS -> store.text(name);
            };
            int cost = known.map(text -> cost(name) + text.length()).orElse(0);
            if (cost > room) {
                tooSmall = names.isEmpty();
                return false;
            }
            room -= cost;
            known.ifPresent(text -> tell(name, text));
            after = name;
            if (detail != Detail.NONE && System.nanoTime() > end) {
                return false;
            }
        }
        if (page.isCut) {
            tooSmall = names.isEmpty() && page.found.isEmpty();
            return false;
        }
        bucket++;
        after = "";
        return true;
    }

    private void tell(String name, String known) {
        String comma = names.isEmpty() ? "" : ",";
        names.append(comma).append('"').append(name).append('"');
        details.append(detail == Detail.NONE ? "" : comma).append(known);
    }

    private boolean isWanted(String name) {
        return prefixes.stream().anyMatch(name::startsWith) && name.compareTo(after) > 0 && ObjectPath.isName(name);
    }

    /** Without its text. */
    private int cost(String name) {
        return name.length() + NAME_COST + (detail == Detail.NONE ? 0 : 1);
    }

    /** The first names of a bucket that are asked for and fit into what room is left. */
    private final class BucketPage {
        final TreeSet<String> found = new TreeSet<>();
        private long left = room;
        boolean isCut;
        private String cut = "";

        void add(String name) {
            if (isWanted(name) && (!isCut || name.compareTo(cut) < 0) && found.add(name)) {
                left -= cost(name);
                while (left < 0 && !found.isEmpty()) {
                    cut = found.pollLast();
                    isCut = true;
                    left += cost(cut);
                }
            }
        }
    }

    /** Whether there is room for nothing although there are names. */
    boolean isTooSmall() {
        return tooSmall;
    }

    /** The answer, UTF-8 JSON. */
    byte[] answer() {
        StringBuilder out = new StringBuilder(HEAD).append(names);
        switch (detail) {
            case SIZES -> out.append(SIZES).append(details);
            case TEXTS -> out.append(TEXTS).append(details);
            default -> { }
        }
        out.append(CURSOR);
        if (bucket < ObjectPath.BUCKETS) {
            out.append(Integer.toHexString(ObjectPath.BUCKETS | bucket).substring(1)).append('/').append(after);
        }
        return out.append(TAIL).toString().getBytes(StandardCharsets.US_ASCII);
    }
}
