package org.archipelago.ext.archipelago;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.archipelago.config.Configuration;
import org.archipelago.config.ConfigurationException;
import org.archipelago.config.Finding;
import org.archipelago.config.Locations;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.daemon.Launcher;
import org.archipelago.ext.text.Text;

/** archipelago config. */
final class Config implements Command {
    static final CommandSpec SPEC = CommandSpec.of("config", Needs.NOTHING, "Checks or shows the configuration", Config::new)
        .operands(1, "check|show|default", "FILE").group(Archipelago.CONFIGURATION)
        .details("check: tells everything that is wrong, each with file, line, setting, value and what is allowed, and compares it with "
            + "this host.\nshow: prints all settings that hold, defaults too, as a configuration file.\ndefault: prints the "
            + "configuration file that is installed, with all its comments.\nFILE is read instead of the configuration file.")
        .example("check", "before a start")
        .example("check new.conf", "before it is put in place")
        .example("show", "what holds");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        Locations locations = operands.size() < 2 ? session.locations()
            : session.locations().withConfiguration(session.console().directory().resolve(Path.of(operands.get(1))));
        return switch (operands.get(0)) {
            case "check" -> check(session, locations);
            case "show" -> show(session, locations);
            case "default" -> {
                session.console().out(Configuration.shipped());
                yield ExitCode.OK;
            }
            default -> throw Failure.usage("config: '" + Text.printable(operands.get(0)) + "' is none of check, show, default");
        };
    }

    private static ExitCode show(Session session, Locations locations) {
        try {
            session.console().out(Configuration.read(locations).effective());
            return ExitCode.OK;
        } catch (ConfigurationException e) {
            throw new Failure(ExitCode.CONFIGURATION, e.getMessage(), e);
        }
    }

    private static ExitCode check(Session session, Locations locations) {
        List<Finding> findings = new ArrayList<>();
        try {
            Configuration configuration = Configuration.read(locations);
            findings.addAll(configuration.warnings());
            findings.addAll(Launcher.check(locations, configuration));
        } catch (ConfigurationException e) {
            findings.addAll(e.findings());
        }
        findings.forEach(f -> session.console().errLine(f.toString()));
        if (findings.stream().anyMatch(Finding::isError)) {
            return ExitCode.CONFIGURATION;
        }
        session.console().outLine(locations.configuration() + ": OK" + (findings.isEmpty() ? "" : ", with warnings"));
        return ExitCode.OK;
    }
}
