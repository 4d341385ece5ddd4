package org.archipelago.map;

import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Small objects as text that people can read: what it is and its version, a field a line, a checksum.
 *
 * <pre>
 *   archipelago KIND VERSION
 *   KEY VALUE                 any number; percent-encoded where they hold more than names do
 *   crc32c 1a2b3c4d           of all lines before
 * </pre>
 */
public final class TextObject {
    private TextObject() {}

    /** Fields are written in the map's order. */
    public static byte[] encode(String kind, int version, Map<String, String> fields) {
        StringBuilder text = new StringBuilder("archipelago ").append(kind).append(' ').append(version).append('\n');
        fields.forEach((key, value) -> text.append(encode(key)).append(' ').append(encode(value)).append('\n'));
        return text.append("crc32c %08x\n".formatted(crc(text.toString()))).toString().getBytes(StandardCharsets.UTF_8);
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private static int crc(String text) {
        CRC32C crc = new CRC32C();
        crc.update(text.getBytes(StandardCharsets.UTF_8));
        return (int) crc.getValue();
    }

    /**
     * Returns the fields, in their order. Throws IllegalArgumentException, saying what is wrong, for
     * anything but an object of that kind and version.
     */
    public static Map<String, String> decode(String kind, int version, byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        String begin = "archipelago " + kind + " ";
        int last = text.lastIndexOf("crc32c ");
        int firstEnd = text.indexOf('\n');
        if (!text.startsWith(begin) || last < firstEnd || !text.endsWith("\n")) {
            throw new IllegalArgumentException("it is empty, cut short, or not Archipelago's");
        }
        String found = text.substring(begin.length(), firstEnd);
        if (!found.equals(Integer.toString(version))) {
            throw new IllegalArgumentException("it has format version " + found + ", and this Archipelago reads " + version
                + ": use the version that wrote it, or a newer one");
        }
        if (!text.substring(last).equals("crc32c %08x\n".formatted(crc(text.substring(0, last))))) {
            throw new IllegalArgumentException("its checksum is wrong");
        }
        Map<String, String> fields = new LinkedHashMap<>();
        text.substring(firstEnd + 1, last).lines().forEach(line -> {
            int space = line.indexOf(' ');
            if (space < 0) {
                throw new IllegalArgumentException("the line '" + line + "' has no value");
            }
            fields.put(URLDecoder.decode(line.substring(0, space), StandardCharsets.UTF_8),
                URLDecoder.decode(line.substring(space + 1), StandardCharsets.UTF_8));
        });
        return fields;
    }
}
