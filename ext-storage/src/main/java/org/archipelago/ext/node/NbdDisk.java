package org.archipelago.ext.node;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.archipelago.config.Locations;

/** Devices of the kernel's nbd, connected to a volume's NBD socket; a helper connects them anew. */
final class NbdDisk extends HelpedDevice {
    private static final Path MODULE = Path.of("/sys/module/nbd");
    private static final Pattern RELEASE = Pattern.compile("(\\d+)\\.(\\d+).*");
    /** The first Linux whose nbd tells what a device shows. */
    private static final int MAJOR = 5;
    private static final int MINOR = 14;

    private final Locations locations;

    NbdDisk(Locations locations) {
        super("nbd", "an", "backend");
        this.locations = locations;
    }

    /** Whether the module is loaded, and new enough. */
    static boolean isAvailable() {
        return Files.exists(MODULE) && isNewEnough(System.getProperty("os.version"));
    }

    static boolean isNewEnough(String release) {
        Matcher m = RELEASE.matcher(release);
        return m.matches() && (Integer.parseInt(m.group(1)) > MAJOR
            || Integer.parseInt(m.group(1)) == MAJOR && Integer.parseInt(m.group(2)) >= MINOR);
    }

    @Override
    Path shown(String volume) {
        return locations.nbdSocket(volume);
    }
}
