package org.archipelago.config;

import static org.assertj.core.api.Assertions.fail;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/** Configurations for the tests: one that is right, changed in places. */
final class Sample {
    static final Path FILE = Path.of("test.conf");
    static final Path BASE = Path.of("/base");

    /** A role of each type, on lines of their own; ports 10 to 31. */
    static final String ROLES = String.join("\n",
            "roles = [('b', 'file_blocker'), ('m', 'file_blocker'), ('map', 'mapperd'), ('vl', 'vlmcd'), ('d', 'dummy')]",
            "b = {'portno_start': 10, 'portno_end': 10, 'archip_dir': '/srv/b'}",
            "m = {'portno_start': 11, 'portno_end': 11, 'archip_dir': '/srv/m'}",
            "map = {'portno_start': 12, 'portno_end': 12, 'blockerb_port': 10, 'blockerm_port': 11}",
            "vl = {'portno_start': 20, 'portno_end': 29, 'blocker_port': 10, 'mapper_port': 12}",
            "d = {'portno_start': 30, 'portno_end': 31}",
            "");
    static final String RANGES = "XSEGBD_START = 0; XSEGBD_END = 9; VTOOL_START = 1003; VTOOL_END = 1022"
            .replace("; ", "\n") + "\n";

    private Sample() {}

    static Configuration read(String text) throws ConfigurationException {
        return Configuration.parse(text, FILE, BASE);
    }

    /** The right sample with a line of settings of the file, which takes the place of a setting that is there. */
    static String with(String line) {
        String name = line.split(" ")[0];
        return line + "\n" + RANGES.replaceAll("(?m)^" + name + " = .*\n", "") + ROLES;
    }

    /** The right sample with one more setting of a role, which takes the place of the one that is there. */
    static String withRole(String role, String setting, String value) {
        String changed = ROLES.lines().map(line -> line.startsWith(role + " = ")
                ? line.replaceAll("(, )?'" + setting + "': [^,}]*", "").replace("}", ", '" + setting + "': " + value + "}")
                        .replace("{, ", "{")
                : line).collect(Collectors.joining("\n"));
        return RANGES + changed + "\n";
    }

    /** What the text is refused with, a line each. */
    static List<String> refusals(String text) {
        try {
            read(text);
        } catch (ConfigurationException e) {
            return e.findings().stream().map(Finding::toString).collect(Collectors.toList());
        }
        return fail("should be refused: " + text);
    }

    static List<String> warnings(String text) throws ConfigurationException {
        return read(text).warnings().stream().map(Finding::toString).collect(Collectors.toList());
    }
}
