package org.archipelago.ext.node;

import org.archipelago.ext.Failure;
import org.archipelago.ext.text.Text;
import org.archipelago.map.VolumeName;

/** The names that users may give to volumes and snapshots. */
public final class Names {
    private Names() {}

    /** Returns a name as it is; throws Failure with USAGE for one that no volume can have. */
    public static String check(String name) {
        if (name.length() > VolumeName.MAX) {
            throw Failure.usage("volume name '" + Text.printable(name) + "' has " + name.length() + " characters; " + VolumeName.MAX
                + " are allowed");
        }
        VolumeName.problem(name).ifPresent(problem -> {
            throw Failure.usage(problem);
        });
        return name;
    }

    /** The same for a volume that shall be made. */
    public static String checkNew(String name) {
        if (name.startsWith(Volume.TEMPORARY)) {
            throw Failure.usage("volume name '" + Text.printable(name) + "': names that begin with '" + Volume.TEMPORARY
                + "' are kept for temporary volumes");
        }
        return check(name);
    }
}
