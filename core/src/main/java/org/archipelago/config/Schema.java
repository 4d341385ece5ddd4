package org.archipelago.config;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The table of all settings: name, values, default, purpose. The checks, the messages and the tables of
 * docs/archipelago.conf.md are made of it.
 */
public final class Schema {
    /** As many ports as a segment can have. */
    static final int MOST_PORTS = 4096;

    private static final ValueKind PORT = range(0, MOST_PORTS - 1, "");
    private static final ValueKind USER = new ValueKind.Line(Pattern.compile("[A-Za-z_][A-Za-z0-9_.-]{0,31}"),
            "1 to 32 of A-Z a-z 0-9 _ . -, beginning with a letter or _");

    private static final List<Setting> GLOBAL = List.of(
            word("SEGMENT_TYPE", "posix", List.of("posix"),
                    Map.of("segdev", "'segdev' went away, since xsegbd now makes a segment for each device: write "
                            + "SEGMENT_TYPE = 'posix' or leave the line out"),
                    "Where the segment lies: 'posix' is a file in /dev/shm."),
            line("SEGMENT_NAME", "archipelago", "[A-Za-z0-9_][A-Za-z0-9._-]{0,31}",
                    "1 to 32 of A-Z a-z 0-9 _ . -, not beginning with . or -",
                    "Name of the segment; another on the same host needs another."),
            number("SEGMENT_PORTS", 1024, 1, MOST_PORTS, "ports", "How many ports the segment has."),
            number("SEGMENT_SIZE", 64, 8, 1024 * 1024, "MiB",
                    "Size of the segment; all of it is taken from memory at the start. A warning is given above half "
                            + "of the host's memory."),
            number("SEGMENT_ALIGNMENT", 12, 12, 12, "", "Data in the segment begins at multiples of 2 to this power."),
            Setting.of("XSEGBD_START", PORT, whole(0), "First port of the xsegbd devices."),
            Setting.of("XSEGBD_END", PORT, whole(499),
                    "Last port of the xsegbd devices; they may not be more than the ports of the vlmcd role."),
            Setting.of("VTOOL_START", PORT, whole(1003), "First port of the vlmc tool."),
            Setting.of("VTOOL_END", PORT, whole(1022), "Last port of the vlmc tool."),
            Setting.mandatory("roles", new ValueKind.RoleList(),
                    "The roles of this node, as (name, type), in the order of their start. For each one a dict of "
                            + "that name holds its settings."),
            Setting.of("USER", USER, text("archipelago"), "User that the daemon runs as."),
            Setting.of("GROUP", USER, text("archipelago"), "Group that the daemon runs as and that may use its"
                    + " sockets."),
            number("REACTORS", 0, 0, 64, "threads", "Threads that serve requests; 0 means as many as cores."),
            number("SPIN_US", 50, 0, 1000, "microseconds", "How long a reactor looks for work before it sleeps,"
                    + " at most; less where work comes sooner, and not at all where it comes rarely."),
            word("ENDPOINT", "auto", List.of("auto", "xsegbd", "nbd", "loop", "none"), Map.of(),
                    "How attach makes a block device: 'xsegbd' by the kernel module of that name, 'nbd' by the kernel's nbd"
                            + " (Linux 5.14), 'loop' by a loop device, 'auto' by the first of them that the kernel has, but none"
                            + " for a disk with access=userspace, which needs none; 'none' makes none for any, a volume then"
                            + " has its URI alone. `archipelago start` loads the module, unless it is given -u."),
            number("NBD_RECONNECT_S", 300, 0, 3600, "seconds",
                    "How long a guest's NBD connection waits for a daemon that restarts."),
            number("NBD_BUFFERS", 16, 2, 1024, "MiB", "Memory of one reactor for data in flight of NBD clients."),
            number("LEASE_S", 15, 5, 300, "seconds",
                    "How long the holder of a volume must show no life before another node may take the volume over. Not in"
                            + " force in this version: 'vlmc unlock -f' takes a volume from a node that is dead."));

    private static final List<Setting> COMMON = List.of(
            Setting.mandatory("portno_start", PORT, "First port of the role."),
            Setting.mandatory("portno_end", PORT, "Last port of the role."),
            Setting.of("nr_ops", new ValueKind.Range(1, 4096, "", true), whole(512),
                    "Requests that each port can have in flight."),
            number("log_level", 1, 0, 3, "", "0 errors, 1 warnings too, 2 information too, 3 everything."),
            Setting.optional("process", new ValueKind.Line(Pattern.compile("[a-z0-9-]{1,32}"),
                    "1 to 32 of a-z 0-9 -"), "Name of a process of its own to run in; without it, the daemon's."));

    private static final Map<RoleType, List<Setting>> OWN = Map.of(
            RoleType.FILE_BLOCKER, List.of(
                    Setting.mandatory("archip_dir", new ValueKind.Folder("the path of a folder that exists"),
                            "Folder that holds the objects; no other role may have it. A relative path starts at the "
                                    + "configuration file's folder."),
                    number("nr_threads", 8, 1, 512, "threads", "Threads for I/O that would make a reactor wait."),
                    number("fdcache", 512, 2, 1024 * 1024, "files",
                            "Files kept open; at least 2 * nr_threads, which is the default where it is above 512."),
                    Setting.of("direct", new ValueKind.Flag(), new Literal.Truth(false, Position.NONE),
                            "Read and write past the page cache (O_DIRECT).")),
            RoleType.RADOS_BLOCKER, List.of(
                    Setting.mandatory("pool", name(128), "Pool that holds the objects."),
                    number("nr_threads", 4, 1, 512, "threads", "Threads that wait for the cluster."),
                    Setting.optional("cephx_id", name(64), "The Ceph user, without 'client.'."),
                    Setting.of("ceph_conf", new ValueKind.Folder("the path of a file"), text("/etc/ceph/ceph.conf"),
                            "The cluster's configuration file.")),
            RoleType.MAPPERD, List.of(
                    Setting.mandatory("blockerb_port", PORT, "A port of the blocker of the data."),
                    Setting.mandatory("blockerm_port", PORT, "A port of the blocker of the maps and locks."),
                    Setting.of("upgrade_original", new ValueKind.Flag(), new Literal.Truth(false, Position.NONE),
                            "A volume that the original Archipelago left in the store becomes one of this version's when it is first"
                                    + " opened for writing, over the objects that it has, which are not changed; the original must not"
                                    + " run on it any more. Without it, such volumes can be read and cloned.")),
            RoleType.VLMCD, List.of(
                    Setting.mandatory("blocker_port", PORT, "A port of the blocker of the data; the same role's as the "
                            + "mapper's blockerb_port."),
                    Setting.mandatory("mapper_port", PORT, "A port of the mapper.")),
            RoleType.DUMMY, List.of());

    /** Settings of a role that once were, each with the reason why it does nothing now. */
    static final Map<String, String> IGNORED = Map.of(
            "logfile", "ignored: each process logs to one file, in the log folder",
            "pidfile", "ignored: each process has its pid file in the run folder",
            "threshold", "ignored: SPIN_US says how long to look for work, for all roles",
            "daemon", "ignored: a role is no process of its own to send to the background",
            "unique_str", "ignored: who this node is, its identity in the data folder says",
            "cpus", "ignored: roles share the reactors, and REACTORS says how many there are");

    private Schema() {}

    /** The settings of the file itself. */
    public static List<Setting> global() {
        return GLOBAL;
    }

    /** The settings that a role of any type has. */
    public static List<Setting> common() {
        return COMMON;
    }

    /** The settings that a role of this type has beside the common ones. */
    public static List<Setting> of(RoleType type) {
        return OWN.get(type);
    }

    /** The tables of the manual page, in Markdown. */
    public static String markdown() {
        StringBuilder out = new StringBuilder();
        table(out, "The file itself", GLOBAL);
        table(out, "Every role", COMMON);
        for (RoleType type : RoleType.values()) {
            String built = type.isBuilt() ? "" : " (not built into this version)";
            table(out, "Type `" + type.word() + "`: " + type.help() + built, of(type));
        }
        return out.toString();
    }

    private static void table(StringBuilder out, String title, List<Setting> settings) {
        out.append("### ").append(title).append("\n\n");
        if (settings.isEmpty()) {
            out.append("No settings of its own.\n\n");
            return;
        }
        out.append("| setting | default | allowed | what for |\n|---|---|---|---|\n");
        for (Setting s : settings) {
            String value = s.fallback() instanceof Literal.Nothing ? s.isMandatory() ? "mandatory" : "none"
                    : "`" + s.defaultValue() + "`";
            out.append("| `").append(s.name()).append("` | ").append(value).append(" | ").append(s.allowed())
                    .append(" | ").append(s.help()).append(" |\n");
        }
        out.append('\n');
    }

    private static Setting number(String name, long fallback, long least, long most, String unit, String help) {
        return Setting.of(name, range(least, most, unit), whole(fallback), help);
    }

    private static Setting word(String name, String fallback, List<String> words, Map<String, String> gone,
            String help) {
        return Setting.of(name, new ValueKind.Word(words, gone), text(fallback), help);
    }

    private static Setting line(String name, String fallback, String pattern, String allowed, String help) {
        return Setting.of(name, new ValueKind.Line(Pattern.compile(pattern), allowed), text(fallback), help);
    }

    private static ValueKind name(int longest) {
        return new ValueKind.Line(Pattern.compile("[A-Za-z0-9._-]{1," + longest + "}"),
                "1 to " + longest + " of A-Z a-z 0-9 . _ -");
    }

    private static ValueKind.Range range(long least, long most, String unit) {
        return new ValueKind.Range(least, most, unit, false);
    }

    private static Literal whole(long value) {
        return new Literal.Whole(value, Position.NONE);
    }

    private static Literal text(String value) {
        return new Literal.Text(value, Position.NONE);
    }
}
