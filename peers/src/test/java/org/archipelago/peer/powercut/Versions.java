package org.archipelago.peer.powercut;

import java.util.ArrayList;
import java.util.List;

/** What something on a disk was, one after another, since it was durable last: a power cut leaves any of these. */
final class Versions<T> {
    private record Version<T>(long when, T value) {}

    private final List<Version<T>> versions = new ArrayList<>();

    /** durable: what it is to begin with. */
    Versions(T durable) {
        versions.add(new Version<>(Long.MIN_VALUE, durable));
    }

    T now() {
        return versions.get(versions.size() - 1).value;
    }

    void set(long when, T value) {
        versions.add(new Version<>(when, value));
    }

    /** What it was at that moment is durable. */
    void synced(long when) {
        while (versions.size() > 1 && versions.get(1).when <= when) {
            versions.remove(0);
        }
    }

    T pick(Luck luck) {
        return versions.get(luck.pick(versions.size())).value;
    }

    /** How many it may be. */
    int count() {
        return versions.size();
    }
}
