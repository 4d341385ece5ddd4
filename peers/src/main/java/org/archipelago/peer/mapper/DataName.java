package org.archipelago.peer.mapper;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.archipelago.map.ImageLayer;
import org.archipelago.map.VolumeLayer;

/** What the name of an object of blockerb says; what is not Archipelago's says nothing. */
sealed interface DataName {
    /** Of a volume: {@link VolumeLayer}. */
    record Own(String id, int epoch, int block) implements DataName {}

    /** Named by its contents: {@link ImageLayer}; hash: hexadecimal. */
    record Content(String hash) implements DataName {}

    /** What somebody who makes an image writes first: {@link Hashers#partName}. */
    record Unfinished(String run) implements DataName {}

    Pattern NAME = Pattern.compile("([0-9a-f]{32})-([0-7][0-9a-f]{7})-([0-7][0-9a-f]{7})"
        + "|" + ImageLayer.PREFIX + "([0-9a-f]{64})|" + Hashers.PART + "(.+)");

    static Optional<DataName> parse(String name) {
        Matcher m = NAME.matcher(name);
        if (!m.matches()) {
            return Optional.empty();
        }
        if (m.group(1) != null) {
            return Optional.of(new Own(m.group(1), Integer.parseInt(m.group(2), 16), Integer.parseInt(m.group(3), 16)));
        }
        return Optional.of(m.group(4) != null ? new Content(m.group(4)) : new Unfinished(m.group(5)));
    }
}
