package org.archipelago.ext.text;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.archipelago.ext.Failure;

/** Sizes as people write and read them. Units are powers of 1024: K, KB and KiB are the same. */
public final class Sizes {
    public static final long MIB = 1L << 20;
    /** Largest volume: 64 TiB. */
    public static final long MAX = 64L << 40;

    private static final String UNITS = "KMGTP";
    private static final Pattern SIZE =
        Pattern.compile("([+-]?\\d{1,20}(?:\\.\\d{1,6})?)\\s*(?:([BKMGTP])(?:i?B)?)?", Pattern.CASE_INSENSITIVE);

    private Sizes() {}

    /**
     * Bytes of a volume's size as written on a command line; a plain number counts MiB.
     *
     * @param what names the value in messages
     * @throws Failure with USAGE, naming the value and what is allowed
     */
    public static long parse(String what, String text) {
        Matcher m = SIZE.matcher(text.strip());
        if (!m.matches()) {
            throw Failure.usage(what + " '" + Text.printable(text) + "' is no size: give a number of MiB, or one with a unit, "
                + "such as 512M, 10G or 1.5T");
        }
        String unit = m.group(2) == null ? "M" : m.group(2).toUpperCase(Locale.ROOT);
        int shift = unit.equals("B") ? 0 : 10 * (UNITS.indexOf(unit) + 1);
        BigDecimal bytes = new BigDecimal(m.group(1)).multiply(BigDecimal.valueOf(1L << shift));
        if (bytes.signum() <= 0) {
            throw Failure.usage(what + " '" + Text.printable(text) + "' must be more than 0");
        }
        if (bytes.compareTo(BigDecimal.valueOf(MAX)) > 0) {
            throw Failure.usage(what + " '" + Text.printable(text) + "' is too large: a volume has at most " + format(MAX));
        }
        if (bytes.stripTrailingZeros().scale() > 0) {
            throw Failure.usage(what + " '" + Text.printable(text) + "' is no whole number of bytes");
        }
        long value = bytes.longValueExact();
        if (value % 512 != 0) {
            throw Failure.usage(what + " '" + Text.printable(text) + "' is not a multiple of 512 bytes");
        }
        return value;
    }

    /** As Ganeti gives it: a whole number of MiB. */
    public static long parseMib(String what, String text) {
        if (!text.matches("[+-]?\\d{1,20}")) {
            throw Failure.usage(what + " '" + Text.printable(text) + "' is no number of MiB");
        }
        return parse(what, text);
    }

    /** Short, for people: 1.5G. Exact sizes have no fraction. */
    public static String format(long bytes) {
        if (bytes < 1024) {
            return bytes + "B";
        }
        int unit = Math.min((63 - Long.numberOfLeadingZeros(bytes)) / 10, UNITS.length());
        double value = (double) bytes / (1L << 10 * unit);
        String number = value == Math.rint(value) ? Long.toString((long) value) : String.format(Locale.ROOT, "%.1f", value);
        return number + UNITS.charAt(unit - 1);
    }
}
