package org.archipelago.ext.command;

import com.beust.jcommander.Parameter;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/** The options that every command of every program has, before or after the command's name. */
public class CommonOptions {
    static final String DEBUG_VARIABLE = "ARCHIPELAGO_DEBUG";

    @Parameter(names = {"-h", "--help"}, order = 100, description = "This text.")
    private boolean help;

    @Parameter(names = {"-c", "--config"}, order = 98,
        description = "FILE  Configuration, instead of /etc/archipelago/archipelago.conf.")
    private String configuration = "";

    @Parameter(names = {"--debug"}, order = 99, description = "Shows where a failure comes from (also: ARCHIPELAGO_DEBUG=1).")
    private boolean debug;

    boolean help() {
        return help;
    }

    /** The configuration file that was named. */
    public Optional<Path> configuration() {
        return configuration.isEmpty() ? Optional.empty() : Optional.of(Path.of(configuration));
    }

    boolean debug(Map<String, String> environment) {
        String value = environment.getOrDefault(DEBUG_VARIABLE, "");
        return debug || !value.isEmpty() && !value.equals("0");
    }
}
