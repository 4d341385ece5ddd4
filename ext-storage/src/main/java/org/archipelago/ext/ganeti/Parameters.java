package org.archipelago.ext.ganeti;

import java.util.List;
import java.util.Locale;
import java.util.Map;
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
 */
record Parameters(String origin) {
    private static final String PREFIX = "EXTP_";
    private static final String ORIGIN = "ORIGIN";
    /** Ganeti's own. */
    private static final List<String> GANETI = List.of("PROVIDER", "ACCESS");

    /** Throws Failure with USAGE for a parameter that is not known. */
    static Parameters of(Map<String, String> environment) {
        for (String variable : new TreeSet<>(environment.keySet())) {
            if (variable.startsWith(PREFIX)) {
                String name = variable.substring(PREFIX.length());
                if (!name.equals(ORIGIN) && !GANETI.contains(name)) {
                    String written = name.toLowerCase(Locale.ROOT);
                    throw Failure.usage("disk parameter '" + Text.printable(written) + "' is not known"
                        + Suggestion.endOfSentence(written, List.of("origin")) + " The provider archipelago knows: origin");
                }
            }
        }
        String origin = environment.getOrDefault(PREFIX + ORIGIN, "");
        if (environment.containsKey(PREFIX + ORIGIN)) {
            Names.check(origin);
        }
        return new Parameters(origin);
    }
}
