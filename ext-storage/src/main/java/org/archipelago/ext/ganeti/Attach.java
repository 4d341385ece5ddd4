package org.archipelago.ext.ganeti;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Mapping;
import org.archipelago.ext.node.Mappings;

/** The script attach. */
final class Attach implements Command {
    static final CommandSpec SPEC = CommandSpec.of("attach", Needs.DAEMON, "Maps VOL_NAME on this host", Attach::new)
        .group(ExtStorage.USING)
        .details("Prints two lines: the block device, or an empty line where there is none: ENDPOINT is 'none', or it is 'auto' and the "
            + "disk has access=userspace; and kvm: with what a KVM opens. It can be repeated, also at the same time, and takes the volume for no node: opening it does, or the "
            + "first write.");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        Mappings mappings = session.node().mappings();
        Orders orders = new Orders(session);
        Mapping mapping = orders.userspace()
            ? mappings.mapForUri(orders.volume(), session.console())
            : mappings.map(orders.volume(), session.console());
        session.console().out(mapping.device() + "\nkvm:" + mappings.uri(mapping) + "\n");
        return ExitCode.OK;
    }
}
