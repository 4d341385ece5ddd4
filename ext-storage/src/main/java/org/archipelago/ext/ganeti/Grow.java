package org.archipelago.ext.ganeti;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Mappings;
import org.archipelago.ext.node.Node;

/** The script grow. */
final class Grow implements Command {
    static final CommandSpec SPEC = CommandSpec.of("grow", Needs.PEERS, "Makes the volume VOL_NAME as large as VOL_NEW_SIZE MiB", Grow::new)
        .group(ExtStorage.MAKING)
        .details("Also while a guest uses it; a device of this host has the new size at once. One that is larger already stays so.");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        Orders orders = new Orders(session);
        String name = orders.volume();
        long size = orders.size("VOL_NEW_SIZE");
        Node node = session.node();
        if (session.daemon().isEmpty()) {
            Mappings.refuseMapped(node.mapped(), name, "grow");
        }
        long before = node.volumes().info(name).size();
        if (before > size) {
            session.console().errLine("volume " + name + " has " + before + " bytes, more than the " + size + " asked for: it stays so");
        }
        node.mappings().resize(name, Math.max(size, before), session.console());
        return ExitCode.OK;
    }
}
