package org.archipelago.ext.vlmc;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.text.Text;

/**
 * What an image file is, by {@code qemu-img info}.
 *
 * @param size bytes of the disk in it
 * @param otherFile a file that the image wants to be read with it; empty: none
 */
record ImageInfo(String format, long size, String otherFile, boolean encrypted) {

    /** Throws Failure where the text is not what qemu-img prints. */
    static ImageInfo parse(String file, String json) {
        try {
            JsonObject info = JsonParser.parseString(json).getAsJsonObject();
            return new ImageInfo(text(info, "format"), info.get("virtual-size").getAsLong(), otherFile(info),
                info.has("encrypted") && info.get("encrypted").getAsBoolean());
        } catch (JsonParseException | IllegalStateException | UnsupportedOperationException
                | NumberFormatException | NullPointerException | ClassCastException e) {
            throw new Failure(ExitCode.FAILED, Text.printable(file) + ": qemu-img told nothing that can be understood", e);
        }
    }

    /** A backing file, qcow2's external data, or an extent of a vmdk's: its descriptor can name any file. */
    private static String otherFile(JsonObject info) {
        JsonObject specific = nested(nested(info, "format-specific"), "data");
        Stream<String> extents = specific.has("extents") ? StreamSupport.stream(specific.getAsJsonArray("extents").spliterator(), false)
            .map(extent -> text(extent.getAsJsonObject(), "filename")) : Stream.empty();
        return Stream.concat(Stream.of(text(info, "backing-filename"), text(specific, "data-file")), extents)
            .filter(name -> !name.isEmpty() && !name.equals(text(info, "filename"))).findFirst().orElse("");
    }

    private static JsonObject nested(JsonObject in, String key) {
        JsonElement value = in.get(key);
        return value != null && value.isJsonObject() ? value.getAsJsonObject() : new JsonObject();
    }

    private static String text(JsonObject in, String key) {
        JsonElement value = in.get(key);
        return value != null && value.isJsonPrimitive() ? value.getAsString() : "";
    }
}
