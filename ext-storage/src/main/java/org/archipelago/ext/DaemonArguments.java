package org.archipelago.ext;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import org.archipelago.ext.daemon.ProcessState;

/**
 * The command line of archipelagod, which only 'archipelago start' and a service manager write.
 *
 * @param process whose roles to run
 */
record DaemonArguments(String process, Optional<Path> configuration) {
    private static final String USAGE = "archipelagod [--config FILE] [--process NAME]";

    static DaemonArguments parse(List<String> arguments) {
        String process = ProcessState.MAIN;
        Optional<Path> configuration = Optional.empty();
        for (Iterator<String> rest = arguments.iterator(); rest.hasNext(); ) {
            String option = rest.next();
            if (!rest.hasNext()) {
                throw Failure.usage(option + ": " + USAGE);
            }
            switch (option) {
                case "--process" -> process = rest.next();
                case "--config", "-c" -> configuration = Optional.of(Path.of(rest.next()));
                default -> throw Failure.usage(option + " is not known: " + USAGE);
            }
        }
        return new DaemonArguments(process, configuration);
    }
}
