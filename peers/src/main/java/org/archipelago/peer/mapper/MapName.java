package org.archipelago.peer.mapper;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the name of an object of blockerm says, headers and what serves for a moment aside; what is not Archipelago's says nothing. */
sealed interface MapName {
    /** A volume's checkpoint, or the second copy of one: {@link org.archipelago.map.Checkpoint}. */
    record OfMap(String id, int generation) implements MapName {}

    /** A volume's log: {@link org.archipelago.map.MapLog}. */
    record OfLog(String id, int generation) implements MapName {}

    /** A record: {@link org.archipelago.map.IdRecord}. */
    record OfRecord(String id) implements MapName {}

    /** What there is beside a volume: notes, locks, doubt. */
    record Beside(String kind, String id) implements MapName {}

    /** The table of an image: {@link org.archipelago.map.ImageLayer}; root: hexadecimal. */
    record OfImage(String root) implements MapName {}

    /** The table of objects of the original's; id: hexadecimal, made of their names. */
    record OfNames(String id) implements MapName {}

    /** What the original has of a name is not shown: {@link Originals}. */
    record OfHidden(String name) implements MapName {}

    /** Somebody makes an image: {@link Hashers}. */
    record OfHasher(String run) implements MapName {}

    Pattern NAME = Pattern.compile("map-([0-9a-f]{32})-([0-7][0-9a-f]{7})(?:\\.2)?|log-([0-9a-f]{32})-([0-7][0-9a-f]{7})"
        + "|id-([0-9a-f]{32})|(info|lock|shared|admin|doubt)-([0-9a-f]{32})|(taken)-([0-9a-f]{32})-[0-9a-f]+"
        + "|img-([0-9a-f]{64})(?:\\.2)?|names-([0-9a-f]{32})(?:\\.2)?|hidden-(.+)|" + Hashers.PREFIX + "(.+)");

    static Optional<MapName> parse(String name) {
        Matcher m = NAME.matcher(name);
        if (!m.matches()) {
            return Optional.empty();
        }
        return Optional.of(m.group(1) != null ? new OfMap(m.group(1), Integer.parseInt(m.group(2), 16))
            : m.group(3) != null ? new OfLog(m.group(3), Integer.parseInt(m.group(4), 16))
            : m.group(5) != null ? new OfRecord(m.group(5))
            : m.group(6) != null ? new Beside(m.group(6), m.group(7))
            : m.group(8) != null ? new Beside(m.group(8), m.group(9))
            : m.group(10) != null ? new OfImage(m.group(10))
            : m.group(11) != null ? new OfNames(m.group(11))
            : m.group(12) != null ? new OfHidden(m.group(12))
            : new OfHasher(m.group(13)));
    }
}
