package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;

/** vlmc open. */
final class Open implements Command {
    static final CommandSpec SPEC = CommandSpec.of("open", Needs.DAEMON, "Takes a volume for this node: no other may write it", Open::new)
        .operands("VOLUME").group(Vlmc.WRITERS)
        .details("Succeeds if this node has it already. If another has it, the message names that one. The first write to a mapped "
            + "volume opens it, too.")
        .example("web1", "this node alone may write web1")
        .example("--shared web1", "before a guest moves: the other node may take it over");

    @Parameter(names = {"--shared"}, order = 1, description = "Announces that another node will take over: the next write there does.")
    private boolean shared;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        session.node().volumes().open(Names.check(operands.get(0)), !shared);
        return ExitCode.OK;
    }
}
