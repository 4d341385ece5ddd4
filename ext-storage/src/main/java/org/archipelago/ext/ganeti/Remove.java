package org.archipelago.ext.ganeti;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Mappings;
import org.archipelago.ext.node.Node;

/** The script remove. */
final class Remove implements Command {
    static final CommandSpec SPEC = CommandSpec.of("remove", Needs.PEERS, "Removes the volume or snapshot VOL_NAME", Remove::new)
        .group(ExtStorage.MAKING)
        .details("One that is mapped here stays. One that does not exist is as good as removed: Ganeti repeats a removal. One that is "
            + "damaged goes too.");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String name = new Orders(session).volume();
        Node node = session.node();
        node.locks().run(name, session.console(), () -> {
            Mappings.refuseMapped(node.mapped(), name, "remove");
            if (!node.volumes().removeIfThere(name, true)) {
                session.console().errLine("volume " + name + " does not exist: nothing to remove");
            }
        });
        return ExitCode.OK;
    }
}
