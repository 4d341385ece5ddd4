package org.archipelago.ext.node;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.util.List;
import java.util.Optional;

/**
 * A volume that is mapped on this host, as RUN/mapped/NAME.json records it.
 *
 * @param volumeId of the volume that was mapped: another one may come to have its name; empty: not known
 * @param id number of the mapping, from 1
 * @param state ATTACHING and DETACHING: a command died half way; the next one for the volume ends it
 * @param kind of the block device: xsegbd, nbd, loop, or none
 * @param device its path; empty where there is none (yet)
 * @param sequence the kernel's count of the device's bindings; 0: not known
 * @param socket the NBD socket
 * @param since seconds since 1970
 */
public record Mapping(String volume, String volumeId, int id, State state, Kind kind, String device, long sequence,
        String socket, long since) {
    private static final int VERSION = 1;

    public enum State { ATTACHING, ATTACHED, DETACHING }

    public enum Kind { XSEGBD, NBD, LOOP, NONE }

    public Mapping withState(State newState) {
        return new Mapping(volume, volumeId, id, newState, kind, device, sequence, socket, since);
    }

    public Mapping withDevice(Kind newKind, String newDevice, long newSequence) {
        return new Mapping(volume, volumeId, id, state, newKind, newDevice, newSequence, socket, since);
    }

    /** The device, or the socket where there is no device. */
    public String place() {
        return device.isEmpty() ? socket : device;
    }

    /** Some of them, for a message. */
    public static String names(List<Mapping> mapped) {
        int most = 10;
        String names = String.join(", ", mapped.stream().limit(most).map(m -> m.volume() + " (" + m.place() + ")").toList());
        return names + (mapped.size() > most ? " and " + (mapped.size() - most) + " more" : "");
    }

    String encode() {
        JsonObject json = new JsonObject();
        json.addProperty("version", VERSION);
        json.addProperty("volume", volume);
        json.addProperty("volumeId", volumeId);
        json.addProperty("id", id);
        json.addProperty("state", word(state));
        json.addProperty("kind", word(kind));
        json.addProperty("device", device);
        json.addProperty("sequence", sequence);
        json.addProperty("socket", socket);
        json.addProperty("since", since);
        return json + "\n";
    }

    /** Empty for what is no record of this version. */
    static Optional<Mapping> decode(String text) {
        try {
            JsonObject json = JsonParser.parseString(text).getAsJsonObject();
            if (json.get("version").getAsInt() != VERSION) {
                return Optional.empty();
            }
            return Optional.of(new Mapping(json.get("volume").getAsString(),
                json.has("volumeId") ? json.get("volumeId").getAsString() : "", json.get("id").getAsInt(),
                State.valueOf(constant(json, "state")), Kind.valueOf(constant(json, "kind")), json.get("device").getAsString(),
                json.get("sequence").getAsLong(), json.get("socket").getAsString(), json.get("since").getAsLong()));
        } catch (JsonParseException | IllegalStateException | IllegalArgumentException | NullPointerException
                | UnsupportedOperationException e) {
            return Optional.empty();
        }
    }

    private static String constant(JsonObject json, String key) {
        return json.get(key).getAsString().toUpperCase(java.util.Locale.ROOT);
    }

    /** As the record and the tables write it. */
    public static String word(Enum<?> constant) {
        return constant.name().toLowerCase(java.util.Locale.ROOT);
    }
}
