package org.archipelago.xseg;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a peer keeps for each target, found by a request without allocating. One thread at a time.
 *
 * @param <V> what is kept
 */
public final class TargetTable<V> {
    private static final class Entry<V> {
        final Target target;
        final V value;
        final Entry<V> next;

        Entry(Target target, V value, Entry<V> next) {
            this.target = target;
            this.value = value;
            this.next = next;
        }
    }

    private final V absent;
    private List<Entry<V>> buckets;
    private int size;

    /** @param absent what {@link #find} returns for a target that is not here */
    public TargetTable(V absent) {
        this.absent = absent;
        this.buckets = emptyBuckets(64);
    }

    private static <V> List<Entry<V>> emptyBuckets(int count) {
        List<Entry<V>> buckets = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            buckets.add(null);
        }
        return buckets;
    }

    private int bucket(int hash) {
        return hash & (buckets.size() - 1);
    }

    public int size() {
        return size;
    }

    /** What is kept for the request's target. */
    public V find(Request request) {
        for (Entry<V> e = buckets.get(bucket(request.targetHash())); e != null; e = e.next) {
            if (request.targets(e.target)) {
                return e.value;
            }
        }
        return absent;
    }

    public V find(Target target) {
        for (Entry<V> e = buckets.get(bucket(target.hashCode())); e != null; e = e.next) {
            if (e.target.equals(target)) {
                return e.value;
            }
        }
        return absent;
    }

    /** Keeps a value for a target; what was kept before is returned. */
    public Optional<V> put(Target target, V value) {
        Optional<V> before = remove(target);
        if (size >= buckets.size()) {
            List<Entry<V>> old = buckets;
            buckets = emptyBuckets(2 * old.size());
            for (Entry<V> chain : old) {
                for (Entry<V> e = chain; e != null; e = e.next) {
                    add(e.target, e.value);
                }
            }
        }
        add(target, value);
        size++;
        return before;
    }

    private void add(Target target, V value) {
        int bucket = bucket(target.hashCode());
        buckets.set(bucket, new Entry<>(target, value, buckets.get(bucket)));
    }

    public Optional<V> remove(Target target) {
        int bucket = bucket(target.hashCode());
        Entry<V> kept = null;
        Optional<V> removed = Optional.empty();
        for (Entry<V> e = buckets.get(bucket); e != null; e = e.next) {
            if (e.target.equals(target)) {
                removed = Optional.of(e.value);
            } else {
                kept = new Entry<>(e.target, e.value, kept);
            }
        }
        if (removed.isPresent()) {
            buckets.set(bucket, kept);
            size--;
        }
        return removed;
    }

    public List<V> values() {
        List<V> values = new ArrayList<>(size);
        for (Entry<V> chain : buckets) {
            for (Entry<V> e = chain; e != null; e = e.next) {
                values.add(e.value);
            }
        }
        return values;
    }
}
