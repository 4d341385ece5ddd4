package org.archipelago.ext.ganeti;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeSet;
import org.archipelago.config.Suggestion;
import org.archipelago.ext.Failure;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.text.Text;

/**
 * The parameters of a disk, which Ganeti passes as EXTP_NAME without looking at them. They stay on the
 * disk for ever and come with every later call, so only create acts on them.
 *
 * @param origin a snapshot; empty for a blank disk
 * @param originSize bytes of the image that it is, where that is known: the map of an image of the original (format v0) has
 *     whole blocks alone; for other origins it means nothing
 */
record Parameters(String origin, OptionalLong originSize) {
    private static final String PREFIX = "EXTP_";
    private static final String ORIGIN = "ORIGIN";
    private static final String ORIGIN_SIZE = "ORIGIN_SIZE";
    /** An origin_size that is none; the original's default. */
    private static final String UNKNOWN = "-1";
    private static final List<String> KNOWN = List.of("origin", "origin_size");
    /** Ganeti's own. */
    private static final List<String> GANETI = List.of("PROVIDER", "ACCESS");

    /** Throws Failure with USAGE for a parameter that is not known. */
    static Parameters of(Map<String, String> environment) {
        for (String variable : new TreeSet<>(environment.keySet())) {
            if (variable.startsWith(PREFIX)) {
                String name = variable.substring(PREFIX.length());
                if (!name.equals(ORIGIN) && !name.equals(ORIGIN_SIZE) && !GANETI.contains(name)) {
                    String written = name.toLowerCase(Locale.ROOT);
                    throw Failure.usage("disk parameter '" + Text.printable(written) + "' is not known"
                        + Suggestion.endOfSentence(written, KNOWN)
                        + " The provider archipelago knows: " + String.join(", ", KNOWN));
                }
            }
        }
        String origin = environment.getOrDefault(PREFIX + ORIGIN, "");
        if (environment.containsKey(PREFIX + ORIGIN)) {
            Names.check(origin);
        }
        return new Parameters(origin, originSize(environment));
    }

    private static OptionalLong originSize(Map<String, String> environment) {
        String size = environment.getOrDefault(PREFIX + ORIGIN_SIZE, UNKNOWN);
        if (size.equals(UNKNOWN)) {
            return OptionalLong.empty();
        }
        if (!size.matches("[0-9]{1,18}")) {
            throw Failure.usage("disk parameter origin_size '" + Text.printable(size)
                + "' is no number of bytes (-1: not known)");
        }
        if (!environment.containsKey(PREFIX + ORIGIN)) {
            throw Failure.usage("disk parameter origin_size needs origin: it is the size of that image");
        }
        return OptionalLong.of(Long.parseLong(size));
    }
}
