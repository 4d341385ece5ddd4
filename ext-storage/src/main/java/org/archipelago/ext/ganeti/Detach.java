package org.archipelago.ext.ganeti;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;

/** The script detach. */
final class Detach implements Command {
    static final CommandSpec SPEC = CommandSpec.of("detach", Needs.DAEMON, "Unmaps VOL_NAME from this host, and closes it", Detach::new)
        .group(ExtStorage.USING)
        .details("What was written is durable then, and another node may open it. Succeeds for one that is not mapped.");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        session.node().mappings().unmap(new Orders(session).volume(), session.console());
        return ExitCode.OK;
    }
}
