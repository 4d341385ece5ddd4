package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
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
            + "started as a removed snapshot keep all they have; the space of what is not needed any more is freed by 'vlmc gc'.")
        .example("web1", "web1 is gone")
        .example("-f web1", "so is its name, though its map cannot be read");

    @Parameter(names = {"-f", "--force"}, order = 1, description = "Remove one that is damaged, too.")
    private boolean force;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String name = Names.check(operands.get(0));
        Node node = session.node();
        node.locks().run(name, session.console(), () -> {
            Mappings.refuseMapped(node.mapped(), name, "remove");
            node.volumes().remove(name, force);
        });
        return ExitCode.OK;
    }
}
