package org.archipelago.map;

import java.util.Optional;

/** The rule for names of volumes and snapshots; a name that keeps it can never leave the store's folders. */
public final class VolumeName {
    /** Longest name, bytes: so that /run/archipelago/nbd/NAME.sock fits a socket's address. */
    public static final int MAX = 80;

    private VolumeName() {}

    /** What is wrong with a name, as a sentence; empty when nothing is. */
    public static Optional<String> problem(String name) {
        if (name.isEmpty()) {
            return Optional.of("a volume's name must not be empty");
        }
        for (int i = 0; i < name.length(); i++) {
            if (!allowed(name.charAt(i))) {
                return Optional.of("volume name '" + printable(name) + "': character " + (i + 1)
                    + " is not allowed; letters, digits and . _ + : @ - are");
            }
        }
        if (name.charAt(0) == '.' || name.charAt(0) == '-') {
            return Optional.of("volume name '" + printable(name) + "' must not begin with '" + name.charAt(0) + "'");
        }
        if (name.length() > MAX) {
            return Optional.of("volume name '" + printable(name) + "...' has " + name.length() + " characters; " + MAX + " are allowed");
        }
        return Optional.empty();
    }

    private static boolean allowed(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "._+:@-".indexOf(c) >= 0;
    }

    private static String printable(String name) {
        StringBuilder shown = new StringBuilder();
        for (int i = 0; i < Math.min(name.length(), MAX); i++) {
            char c = name.charAt(i);
            shown.append(c < ' ' || c > '~' ? '?' : c);
        }
        return shown.toString();
    }
}
