package org.archipelago.map;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What an object {@code id-ID} holds: where the volume or snapshot of an id is to be found, and what its header said. It is there
 * before the header is, and stays until nothing of the volume is left, so that whoever lists ids misses no volume: not one that is
 * being renamed, made or removed. The header counts; this is a copy, which may lag behind by one change. Text:
 *
 * <pre>
 *   archipelago id 1                format version
 *   state live                      or creating: the header may not be there yet; or removing: it goes, or has gone
 *   name web1                       whose header vol-web1 is
 *   to web2                         while it is being renamed: its header may be vol-web2 already
 *   maker 5f0c...                   of a creating one: the daemon that makes it, and
 *   life 91ab...                    which of its lives
 *   id 5f0c...                      from here on as in {@link VolumeHeader}
 *   ...
 *   crc32c 1a2b3c4d                 of all lines before
 * </pre>
 *
 * @param to the new name, while there are two
 * @param maker who makes it, while it is not there yet
 */
public record IdRecord(State state, String name, Optional<String> to, Optional<Maker> maker, VolumeHeader header) {
    /** How far it is in its life. */
    public enum State { CREATING, LIVE, REMOVING }

    /** A daemon, and one life of it: a former life's work goes on no more. */
    public record Maker(String daemon, String life) {}

    /** What the names of these objects begin with. */
    public static final String PREFIX = "id-";

    private static final int VERSION = 1;

    public static String objectOf(String id) {
        return PREFIX + id;
    }

    public static IdRecord creating(String name, Maker maker, VolumeHeader header) {
        return new IdRecord(State.CREATING, name, Optional.empty(), Optional.of(maker), header);
    }

    public static IdRecord live(String name, VolumeHeader header) {
        return new IdRecord(State.LIVE, name, Optional.empty(), Optional.empty(), header);
    }

    public static IdRecord renaming(String name, String to, VolumeHeader header) {
        return new IdRecord(State.LIVE, name, Optional.of(to), Optional.empty(), header);
    }

    public static IdRecord removing(String name, VolumeHeader header) {
        return new IdRecord(State.REMOVING, name, Optional.empty(), Optional.empty(), header);
    }

    /** Whether it says that a name is its volume's. */
    public boolean names(String volume) {
        return name.equals(volume) || to.equals(Optional.of(volume));
    }

    public byte[] encode() {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("state", state.name().toLowerCase(Locale.ROOT));
        fields.put("name", name);
        to.ifPresent(newName -> fields.put("to", newName));
        maker.ifPresent(by -> {
            fields.put("maker", by.daemon);
            fields.put("life", by.life);
        });
        fields.putAll(header.fields());
        return TextObject.encode("id", VERSION, fields);
    }

    /**
     * @param id whose record it shall be
     * @throws IllegalArgumentException saying what is wrong
     */
    public static IdRecord decode(String id, byte[] bytes) {
        Map<String, String> fields = TextObject.decode("id", VERSION, bytes);
        VolumeHeader header = VolumeHeader.fromFields(fields);
        if (!header.id().equals(id)) {
            throw new IllegalArgumentException("it is that of id " + header.id());
        }
        Optional<Maker> maker = Optional.ofNullable(fields.get("maker")).map(daemon -> new Maker(daemon, fields.getOrDefault("life", "")));
        State state = State.valueOf(fields.getOrDefault("state", "").toUpperCase(Locale.ROOT));
        return new IdRecord(state, fields.getOrDefault("name", ""), Optional.ofNullable(fields.get("to")), maker, header);
    }
}
