package org.archipelago.ext.text;

import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;

/** Small helpers for text that people read. */
public final class Text {
    private static final int LONGEST = 100;
    private static final DateTimeFormatter TIME = DateTimeFormatter.ISO_OFFSET_DATE_TIME;

    private Text() {}

    /** What was written, fit to be shown in a message: no control characters, not endless. */
    public static String printable(String text) {
        StringBuilder shown = new StringBuilder();
        for (int i = 0; i < Math.min(text.length(), LONGEST); i++) {
            char c = text.charAt(i);
            shown.append(Character.isISOControl(c) ? '?' : c);
        }
        return shown.append(text.length() > LONGEST ? "..." : "").toString();
    }

    /** Breaks a text at blanks into lines of at most that width; a longer word stays whole. */
    public static List<String> wrap(String text, int width) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ")) {
            if (line.length() > 0 && line.length() + 1 + word.length() > width) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.length() > 0 ? " " : "").append(word);
        }
        lines.add(line.toString());
        return lines;
    }

    /** A local time with its zone, to the second. */
    public static String time(long secondsSince1970) {
        return TIME.format(Instant.ofEpochSecond(secondsSince1970).atZone(ZoneId.systemDefault()).truncatedTo(ChronoUnit.SECONDS));
    }

    /** A span of time in its two largest units: 3d 4h, 12m 5s. */
    public static String duration(long seconds) {
        long[] parts = {seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60};
        String units = "dhms";
        for (int i = 0; i < 3; i++) {
            if (parts[i] > 0) {
                return parts[i] + units.substring(i, i + 1) + (parts[i + 1] > 0 ? " " + parts[i + 1] + units.charAt(i + 1) : "");
            }
        }
        return parts[3] + "s";
    }
}
