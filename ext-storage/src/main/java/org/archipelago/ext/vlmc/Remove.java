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

/** vlmc remove. */
final class Remove implements Command {
    static final CommandSpec SPEC = CommandSpec.of("remove", Needs.PEERS, "Removes a volume or snapshot", Remove::new)
        .alias("rm").operands("VOLUME").group(Vlmc.VOLUMES)
        .details("For good; nobody is asked. A volume that is mapped here, or held by another node, is not removed. Volumes that "
            + "started as a removed snapshot keep all they have.")
        .example("web1", "web1 is gone");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String name = Names.check(operands.get(0));
        Node node = session.node();
        node.locks().run(name, session.console(), () -> {
            Mappings.refuseMapped(node.mapped(), name, "remove");
            node.volumes().remove(name);
        });
        return ExitCode.OK;
    }
}
