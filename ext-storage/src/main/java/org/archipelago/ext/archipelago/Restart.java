package org.archipelago.ext.archipelago;

import java.util.List;
import org.archipelago.config.Configuration;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.daemon.Launcher;

/** archipelago restart. */
final class Restart implements Command {
    static final CommandSpec SPEC = CommandSpec.of("restart", Needs.NOTHING, "Stops and starts archipelagod, or a role", Restart::new)
        .operands(0, "ROLE").group(Archipelago.DAEMON)
        .details("Guests and mounted file systems on mapped volumes wait meanwhile; nothing is lost. The configuration is checked before "
            + "anything is stopped.")
        .example("", "after a change of the configuration, or an upgrade");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        if (session.daemon().isPresent()) {
            throw new Failure(ExitCode.USAGE, "archipelagod cannot restart itself: give -c after the command: archipelago restart -c FILE");
        }
        Configuration configuration = Launcher.read(session.locations());
        Launcher launcher = new Launcher(session.locations(), configuration, session.console()::errLine);
        if (operands.isEmpty()) {
            Start.check(session, configuration);
            launcher.stopMain();
            Start.startAll(session, configuration, launcher);
        } else {
            String process = Roles.processOf(configuration, operands.get(0), "restart");
            launcher.stopProcess(process);
            Start.startOne(session, configuration, launcher, process);
        }
        return ExitCode.OK;
    }
}
