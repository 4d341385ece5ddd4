package org.archipelago.peer.mapper;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * What a lock object holds: who has a volume, since when, and how. Text, to be read by people too:
 *
 * <pre>
 *   archipelago lock 1      format version
 *   kind lease              or admin
 *   daemon 5f0c...          identity of the daemon
 *   node node1.example.com
 *   mode exclusive          or shared: another node may take it over
 *   since 1763800000        seconds since 1970
 *   crc32c 1a2b3c4d         of all lines before
 * </pre>
 */
record LockRecord(Kind kind, String daemon, String node, boolean shared, long since) {
    /** A lease belongs to a daemon that writes the volume; the administrator's lock to a person. */
    enum Kind { LEASE, ADMIN }

    private static final String FIRST_LINE = "archipelago lock 1";

    static String objectOf(Kind kind, String volumeId) {
        return (kind == Kind.LEASE ? "lock-" : "admin-") + volumeId;
    }

    LockRecord withShared(boolean newShared) {
        return new LockRecord(kind, daemon, node, newShared, since);
    }

    byte[] encode() {
        String text = FIRST_LINE + "\nkind " + kind.name().toLowerCase(java.util.Locale.ROOT) + "\ndaemon " + daemon
            + "\nnode " + node + "\nmode " + (shared ? "shared" : "exclusive") + "\nsince " + since + "\n";
        return (text + "crc32c %08x\n".formatted(crc(text))).getBytes(StandardCharsets.UTF_8);
    }

    private static int crc(String text) {
        CRC32C crc = new CRC32C();
        crc.update(text.getBytes(StandardCharsets.UTF_8));
        return (int) crc.getValue();
    }

    /** Throws IllegalArgumentException, saying what is wrong. */
    static LockRecord decode(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        int last = text.lastIndexOf("crc32c ");
        if (!text.startsWith(FIRST_LINE + "\n") || last < 0) {
            throw new IllegalArgumentException("it is empty, cut short, or of another version");
        }
        if (!text.substring(last).equals("crc32c %08x\n".formatted(crc(text.substring(0, last))))) {
            throw new IllegalArgumentException("its checksum is wrong");
        }
        Map<String, String> fields = new HashMap<>();
        text.substring(0, last).lines().skip(1).forEach(line -> {
            int space = Math.max(line.indexOf(' '), 0);
            fields.put(line.substring(0, space), line.substring(Math.min(space + 1, line.length())));
        });
        return new LockRecord(fields.getOrDefault("kind", "lease").equals("admin") ? Kind.ADMIN : Kind.LEASE,
            fields.getOrDefault("daemon", ""), fields.getOrDefault("node", ""),
            fields.getOrDefault("mode", "").equals("shared"), Long.parseLong(fields.getOrDefault("since", "0")));
    }

    /** For messages: node NAME since TIME. */
    String holder() {
        return "node " + node + " (daemon " + daemon.substring(0, Math.min(8, daemon.length())) + ") since "
            + Instant.ofEpochSecond(since);
    }
}
