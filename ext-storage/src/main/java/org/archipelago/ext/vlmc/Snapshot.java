package org.archipelago.ext.vlmc;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;

/** vlmc snapshot. */
final class Snapshot implements Command {
    static final CommandSpec SPEC = CommandSpec.of("snapshot", Needs.PEERS, "Makes a snapshot of a volume", Snapshot::new)
        .alias("snap").operands("VOLUME", "SNAPSHOT").group(Vlmc.VOLUMES)
        .details("The snapshot has what the volume has at this moment, also while a guest writes it: every write that was answered "
            + "before. Nothing is copied. The volume must be held by this node, or by none.")
        .example("web1 web1-monday", "keeps the state of web1 as web1-monday");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        session.node().volumes().snapshot(Names.check(operands.get(0)), Names.checkNew(operands.get(1)));
        return ExitCode.OK;
    }
}
