package org.archipelago.config;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A configuration file, read and checked. Everything in it is in range and fits together; what depends on the host
 * is asked by {@link #checkHost}. Immutable.
 *
 * @param file that was read
 * @param roles in the order of the file, 1 to 64
 * @param values every setting that holds, written or by default, in the order of the {@link Schema}
 * @param warnings what was ignored; the configuration can be used all the same
 */
public record Configuration(Path file, SegmentSettings segment, DaemonSettings daemon, EndpointSettings endpoint,
        List<Role> roles, List<SettingValue> values, List<Finding> warnings) {
    private static final String SHIPPED = "archipelago.conf";

    /**
     * Reads a file; a relative path in it starts at the file's folder.
     *
     * @throws ConfigurationException with all findings, if the file cannot be read or used
     */
    public static Configuration read(Path file) throws ConfigurationException {
        return ConfigurationReader.read(file, file.toAbsolutePath().resolve("..").normalize());
    }

    /** Reads the configuration file of these locations; a relative path in it starts at their base. */
    public static Configuration read(Locations locations) throws ConfigurationException {
        return ConfigurationReader.read(locations.configuration(), locations.base());
    }

    /**
     * Reads a text as if it were in a file.
     *
     * @param file the name for messages
     * @param base where relative paths start
     */
    public static Configuration parse(String text, Path file, Path base) throws ConfigurationException {
        return ConfigurationReader.parse(text.getBytes(StandardCharsets.UTF_8), file, base);
    }

    /** The text of the configuration file that is installed. */
    public static String shipped() {
        try (InputStream in = Configuration.class.getResourceAsStream(SHIPPED)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("the default configuration is not in the program's archive", e);
        }
    }

    public Optional<Role> role(String name) {
        return roles.stream().filter(r -> r.name().equals(name)).findFirst();
    }

    /** The role that has the port. */
    public Optional<Role> roleOfPort(int port) {
        return roles.stream().filter(r -> r.ports().contains(port)).findFirst();
    }

    /**
     * Asks what only the host can answer: folders exist and can be written, the segment fits in memory. Reads
     * only, and changes nothing.
     *
     * @return errors and warnings; empty if all is well
     */
    public List<Finding> checkHost(Locations locations) {
        return new HostCheck(this, locations, HostCheck.Host.current()).run();
    }

    /** All that holds, written as a configuration file that reads the same. */
    public String effective() {
        StringBuilder out = new StringBuilder();
        values.stream().filter(v -> v.role().isEmpty())
                .forEach(v -> out.append(v.name()).append(" = ").append(v.value()).append('\n'));
        for (Role role : roles) {
            out.append(role.name()).append(" = {\n");
            values.stream().filter(v -> v.role().equals(role.name()))
                    .forEach(v -> out.append("    '").append(v.name()).append("': ").append(v.value()).append(",\n"));
            out.append("}\n");
        }
        return out.toString();
    }

    /** Line where a setting stands: 0 for a default. */
    public int line(String role, String setting) {
        return values.stream().filter(v -> v.role().equals(role) && v.name().equals(setting))
                .mapToInt(SettingValue::line).findFirst().orElse(0);
    }
}
