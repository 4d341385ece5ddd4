package org.archipelago.peer.blocker;

import java.nio.charset.StandardCharsets;
import java.util.OptionalLong;
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
    private static final String CURSOR = "],\"cursor\":\"";
    private static final String TAIL = "\"}";
    private static final int CURSOR_MOST = 4 + ObjectPath.NAME_MAX;
    /** Two quotes and a comma. */
    private static final int NAME_COST = 3;
    /** Digits and a comma. */
    private static final int SIZE_COST = 20;
    private static final long TIME_NANOS = 50_000_000;

    private final String prefix;
    private final boolean withSizes;
    private final StringBuilder names = new StringBuilder();
    private final StringBuilder sizes = new StringBuilder();
    private final long end = System.nanoTime() + TIME_NANOS;
    private int bucket;
    private String after;
    private long room;
    private boolean tooSmall;

    private StoreScan(int bucket, String after, String prefix, boolean withSizes, long room) {
        this.bucket = bucket;
        this.after = after;
        this.prefix = prefix;
        this.withSizes = withSizes;
        this.room = room - HEAD.length() - SIZES.length() - CURSOR.length() - CURSOR_MOST - TAIL.length();
    }

    /**
     * @param cursor where to begin
     * @param prefix of the names
     * @param withSizes tells the bytes, too, that each object takes of the disk
     * @param room bytes that the answer may have
     */
    static StoreScan from(String cursor, String prefix, boolean withSizes, long room) {
        if (cursor.isEmpty()) {
            return new StoreScan(0, "", prefix, withSizes, room);
        }
        String after = cursor.substring(Math.min(4, cursor.length()));
        if (cursor.length() < 4 || !ObjectPath.isBucket(cursor.substring(0, 3)) || cursor.charAt(3) != '/'
                || !after.isEmpty() && !ObjectPath.isName(after)) {
            throw new StoreException(Errno.EINVAL, "not a cursor that an earlier scan has told");
        }
        return new StoreScan(Integer.parseInt(cursor.substring(0, 3), 16), after, prefix, withSizes, room);
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
            OptionalLong size = withSizes ? store.allocated(name) : OptionalLong.of(0);
            size.ifPresent(bytes -> tell(name, bytes));
            after = name;
            if (withSizes && System.nanoTime() > end) {
                return false;
            }
        }
        room = page.left;
        if (page.isCut) {
            tooSmall = names.isEmpty() && page.found.isEmpty();
            return false;
        }
        bucket++;
        after = "";
        return true;
    }

    private void tell(String name, long bytes) {
        String comma = names.isEmpty() ? "" : ",";
        names.append(comma).append('"').append(name).append('"');
        if (withSizes) {
            sizes.append(comma).append(bytes);
        }
    }

    /** The first names of a bucket that are asked for and fit into what room is left. */
    private final class BucketPage {
        final TreeSet<String> found = new TreeSet<>();
        long left = room;
        boolean isCut;
        private String cut = "";

        void add(String name) {
            if (name.startsWith(prefix) && name.compareTo(after) > 0 && (!isCut || name.compareTo(cut) < 0)
                    && ObjectPath.isName(name) && found.add(name)) {
                left -= cost(name);
                while (left < 0) {
                    cut = found.pollLast();
                    isCut = true;
                    left += cost(cut);
                }
            }
        }

        private int cost(String name) {
            return name.length() + NAME_COST + (withSizes ? SIZE_COST : 0);
        }
    }

    /** Whether there is room for nothing although there are names. */
    boolean isTooSmall() {
        return tooSmall;
    }

    /** The answer, UTF-8 JSON. */
    byte[] answer() {
        StringBuilder out = new StringBuilder(HEAD).append(names);
        if (withSizes) {
            out.append(SIZES).append(sizes);
        }
        out.append(CURSOR);
        if (bucket < ObjectPath.BUCKETS) {
            out.append(Integer.toHexString(ObjectPath.BUCKETS | bucket).substring(1)).append('/').append(after);
        }
        return out.append(TAIL).toString().getBytes(StandardCharsets.US_ASCII);
    }
}
