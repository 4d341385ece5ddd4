package org.archipelago.ext.vlmc;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
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
            String backing = text(info, "backing-filename");
            String data = text(nested(nested(info, "format-specific"), "data"), "data-file");
            return new ImageInfo(text(info, "format"), info.get("virtual-size").getAsLong(), backing.isEmpty() ? data : backing,
                info.has("encrypted") && info.get("encrypted").getAsBoolean());
        } catch (JsonParseException | IllegalStateException | UnsupportedOperationException
                | NumberFormatException | NullPointerException e) {
            throw new Failure(ExitCode.FAILED, Text.printable(file) + ": qemu-img told nothing that can be understood", e);
        }
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
