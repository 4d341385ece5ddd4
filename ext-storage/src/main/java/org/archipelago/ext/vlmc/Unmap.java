package org.archipelago.ext.vlmc;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Mapping;
import org.archipelago.ext.text.Text;

/** vlmc unmap. */
final class Unmap implements Command {
    static final CommandSpec SPEC = CommandSpec.of("unmap", Needs.DAEMON, "Takes a volume off its device", Unmap::new)
        .operands("DEVICE|VOLUME").group(Vlmc.HOST)
        .details("Everything that was written is durable then, and the volume is closed: another node may open it. A device that is "
            + "mounted, or in use in another way, stays.")
        .example("/dev/loop7", "the volume that this device shows")
        .example("web1", "the same, by its name");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String what = operands.get(0);
        Mapping mapping = session.node().mapped().find(what).orElseThrow(() -> new Failure(ExitCode.NOT_FOUND,
            "'" + Text.printable(what) + "' is neither a volume that is mapped here nor its device (vlmc showmapped lists them)"));
        session.node().mappings().unmap(mapping.volume(), session.console());
        return ExitCode.OK;
    }
}
