package org.archipelago.config;

import java.nio.file.Path;
import java.util.Map;

/**
 * Where things lie on this host. All paths are absolute.
 *
 * @param configuration the configuration file
 * @param run sockets and what else lives until the next boot
 * @param log log files
 * @param data state that outlives a boot
 * @param base where relative paths of the configuration file start
 */
public record Locations(Path configuration, Path run, Path log, Path data, Path base) {
    /** Name of the variable that moves everything below one folder. */
    public static final String ROOT_VARIABLE = "ARCHIPELAGO_ROOT";

    private static final Path HOST_CONFIGURATION = Path.of("/etc/archipelago/archipelago.conf");

    /**
     * With ARCHIPELAGO_ROOT = R, not empty: R/etc/archipelago.conf, R/run, R/log, R/data, and R is the base.
     * Else /etc/archipelago/archipelago.conf, /run/archipelago, /var/log/archipelago, /var/lib/archipelago, and
     * the base is the file's folder.
     *
     * @throws java.nio.file.InvalidPathException if R is no path
     */
    public static Locations of(Map<String, String> environment) {
        String root = environment.getOrDefault(ROOT_VARIABLE, "");
        if (root.isEmpty()) {
            return new Locations(HOST_CONFIGURATION, Path.of("/run/archipelago"), Path.of("/var/log/archipelago"),
                    Path.of("/var/lib/archipelago"), HOST_CONFIGURATION.getParent());
        }
        Path base = Path.of(root).toAbsolutePath().normalize();
        return new Locations(base.resolve("etc/archipelago.conf"), base.resolve("run"), base.resolve("log"),
                base.resolve("data"), base);
    }

    /** The same with another configuration file; its folder becomes the base unless ARCHIPELAGO_ROOT is. */
    public Locations withConfiguration(Path file) {
        Path absolute = file.toAbsolutePath().normalize();
        return new Locations(absolute, run, log, data, isHost() ? absolute.resolve("..").normalize() : base);
    }

    /** These are the host's own folders, not those below an ARCHIPELAGO_ROOT. */
    public boolean isHost() {
        return run.equals(Path.of("/run/archipelago"));
    }

    /** The socket through which the commands reach the daemon. */
    public Path controlSocket() {
        return run.resolve("control.sock");
    }

    /**
     * The NBD socket of a volume for guests, the loop helper and all others but programs that copy images. A Unix
     * socket's path has at most 107 bytes, so in /run/archipelago a volume's
     * name can have 80.
     *
     * @throws IllegalArgumentException if the volume's name would lead out of the folder
     */
    public Path nbdSocket(String volume) {
        return socket("nbd", volume);
    }

    /**
     * The NBD socket of a volume for programs that copy images, with block status; as long as the other.
     *
     * @throws IllegalArgumentException if the volume's name would lead out of the folder
     */
    public Path imageSocket(String volume) {
        return socket("img", volume);
    }

    private Path socket(String folder, String volume) {
        if (volume.isEmpty() || volume.indexOf('/') >= 0 || volume.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("no name of a volume: " + Literal.quote(volume));
        }
        return run.resolve(folder).resolve(volume + ".sock");
    }
}
