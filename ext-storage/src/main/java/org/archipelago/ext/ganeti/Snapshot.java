package org.archipelago.ext.ganeti;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;

/** The script snapshot. */
final class Snapshot implements Command {
    static final CommandSpec SPEC = CommandSpec.of("snapshot", Needs.PEERS, "Makes VOL_SNAPSHOT_NAME, a snapshot of VOL_NAME", Snapshot::new)
        .group(ExtStorage.MAKING)
        .details("Also while a guest writes. The snapshot can be attached and removed like a volume.");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        Orders orders = new Orders(session);
        session.node().volumes().snapshot(orders.volume(), orders.snapshot());
        return ExitCode.OK;
    }
}
