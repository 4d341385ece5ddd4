package org.archipelago.ext.vlmc;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;

/** vlmc close. */
final class Close implements Command {
    static final CommandSpec SPEC = CommandSpec.of("close", Needs.DAEMON, "Gives a volume back: any node may open it", Close::new)
        .operands("VOLUME").group(Vlmc.WRITERS)
        .details("Everything that was written is durable then. Succeeds for a volume that this node has not opened. The "
            + "administrator's lock stays.")
        .example("web1", "web1 is free");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        session.node().volumes().close(Names.check(operands.get(0)));
        return ExitCode.OK;
    }
}
