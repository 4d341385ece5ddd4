package org.archipelago.ext.vlmc;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;

/** vlmc lock. */
final class Lock implements Command {
    static final CommandSpec SPEC = CommandSpec.of("lock", Needs.PEERS, "Locks a volume for this node until 'unlock'", Lock::new)
        .operands("VOLUME").group(Vlmc.WRITERS)
        .details("The administrator's own lock: while it stands no other node can open the volume, whatever happens to this one. It "
            + "stays over restarts, and close does not touch it. Succeeds if this node has locked it already.")
        .example("web1", "no other node can open web1");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        session.node().volumes().lock(Names.check(operands.get(0)));
        return ExitCode.OK;
    }
}
