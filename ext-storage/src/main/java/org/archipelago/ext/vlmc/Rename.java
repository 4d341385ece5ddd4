package org.archipelago.ext.vlmc;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Mappings;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.node.Node;

/** vlmc rename. */
final class Rename implements Command {
    static final CommandSpec SPEC = CommandSpec.of("rename", Needs.PEERS, "Gives a volume or snapshot another name", Rename::new)
        .alias("mv").operands("VOLUME", "NEWNAME").group(Vlmc.VOLUMES)
        .details("A mapped volume cannot be renamed. Volumes that started as a renamed snapshot are not touched.")
        .example("web1 web1-old", "web1 is called web1-old from now on");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String name = Names.check(operands.get(0));
        String to = Names.checkNew(operands.get(1));
        Node node = session.node();
        node.locks().run(name, session.console(), () -> {
            Mappings.refuseMapped(node.mapped(), name, "rename");
            node.volumes().rename(name, to);
        });
        return ExitCode.OK;
    }
}
