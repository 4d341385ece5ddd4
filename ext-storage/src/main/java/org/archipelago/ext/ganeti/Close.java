package org.archipelago.ext.ganeti;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;

/** The script close. */
final class Close implements Command {
    static final CommandSpec SPEC = CommandSpec.of("close", Needs.DAEMON, "Gives VOL_NAME back: any node may open it", Close::new)
        .group(ExtStorage.USING)
        .details("What was written is durable then. Succeeds for one that this node has not opened.");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        session.node().volumes().close(new Orders(session).volume());
        return ExitCode.OK;
    }
}
