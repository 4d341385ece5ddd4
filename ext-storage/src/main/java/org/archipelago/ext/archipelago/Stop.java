package org.archipelago.ext.archipelago;

import com.beust.jcommander.Parameter;
import java.util.List;
import org.archipelago.config.Configuration;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.daemon.Launcher;

/** archipelago stop. */
final class Stop implements Command {
    static final CommandSpec SPEC = CommandSpec.of("stop", Needs.NOTHING, "Stops archipelagod, or a role", Stop::new)
        .operands(0, "ROLE").group(Archipelago.DAEMON)
        .details("Takes no more I/O, waits for what is under way, and makes durable what was written. With volumes mapped it refuses "
            + "and names them, unless it is forced: then guests and mounted file systems wait until the next start, as long as their "
            + "connection allows (NBD_RECONNECT_S), and so they do without a role.\nROLE must be one that has a process of its own.")
        .example("", "refuses while volumes are mapped")
        .example("--force", "whatever is mapped waits for the next start");

    @Parameter(names = {"-f", "--force"}, order = 1, description = "Although volumes are mapped.")
    private boolean force;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        Configuration configuration = Launcher.read(session.locations());
        Launcher launcher = new Launcher(session.locations(), configuration, session.console()::errLine);
        if (!operands.isEmpty()) {
            String process = Roles.processOf(configuration, operands.get(0), "stop");
            if (!force) {
                Roles.refuseMapped(session, operands.get(0));
            }
            session.console().outLine(launcher.stopProcess(process) ? process + " has stopped" : process + " was not running");
        } else if (session.daemon().isPresent()) {
            session.daemon().get().stop(force);
            session.console().outLine("archipelagod has stopped");
        } else {
            session.console().outLine(launcher.stopMain() ? "archipelagod has stopped" : "archipelagod is not running");
        }
        return ExitCode.OK;
    }
}
