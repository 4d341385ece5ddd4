package org.archipelago.peer.mapper;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.archipelago.map.TextObject;

/**
 * What a lock object holds: who has a volume, and since when. A {@link TextObject} that is made and
 * removed, and never changed.
 *
 * <pre>
 *   archipelago lock 1
 *   kind lease              or admin
 *   daemon 5f0c...          identity of the daemon
 *   node node1.example.com
 *   since 1763800000        seconds since 1970
 *   crc32c 1a2b3c4d
 * </pre>
 */
record LockRecord(Kind kind, String daemon, String node, long since) {
    /** A lease belongs to a daemon that writes the volume; the administrator's lock to a person. */
    enum Kind { LEASE, ADMIN }

    private static final int VERSION = 1;

    byte[] encode() {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("kind", kind.name().toLowerCase(Locale.ROOT));
        fields.put("daemon", daemon);
        fields.put("node", node);
        fields.put("since", Long.toString(since));
        return TextObject.encode("lock", VERSION, fields);
    }

    /** Throws IllegalArgumentException, saying what is wrong. */
    static LockRecord decode(byte[] bytes) {
        Map<String, String> fields = TextObject.decode("lock", VERSION, bytes);
        return new LockRecord(fields.getOrDefault("kind", "lease").equals("admin") ? Kind.ADMIN : Kind.LEASE,
            fields.getOrDefault("daemon", ""), fields.getOrDefault("node", ""),
            Long.parseLong(fields.getOrDefault("since", "0")));
    }

    /** For messages: node NAME since TIME. */
    String holder() {
        return "node " + node + " (daemon " + daemon.substring(0, Math.min(8, daemon.length())) + ") since "
            + Instant.ofEpochSecond(since);
    }
}
