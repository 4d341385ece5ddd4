package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Mappings;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.text.Sizes;

/** vlmc resize. */
final class Resize implements Command {
    static final CommandSpec SPEC = CommandSpec.of("resize", Needs.PEERS, "Makes a volume larger, also while it is in use", Resize::new)
        .operands("VOLUME").group(Vlmc.VOLUMES)
        .details("What is added reads as zeros. The volume's device on this host has the new size at once; a guest that uses the NBD "
            + "socket sees it when it connects the next time.")
        .example("web1 --size 40G", "web1 has 40 GiB now");

    @Parameter(names = {"-s", "--size"}, order = 1,
        description = "SIZE  The new size: MiB, or a number with a unit (512M, 10G, 1.5T).")
    private String size = "";

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String name = Names.check(operands.get(0));
        if (size.isEmpty()) {
            throw Failure.usage("resize " + name + ": give --size");
        }
        long bytes = Sizes.parse("size", size);
        if (session.daemon().isEmpty()) {
            Mappings.refuseMapped(session.node().mapped(), name, "resize");
        }
        session.node().mappings().resize(name, bytes, session.console());
        return ExitCode.OK;
    }
}
