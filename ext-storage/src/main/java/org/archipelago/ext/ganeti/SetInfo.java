package org.archipelago.ext.ganeti;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;

/** The script setinfo. */
final class SetInfo implements Command {
    static final CommandSpec SPEC = CommandSpec.of("setinfo", Needs.PEERS, "Notes whose disk VOL_NAME is", SetInfo::new)
        .group(ExtStorage.OTHER)
        .details("VOL_METADATA (the instance), VOL_CNAME and VOL_UUID (the disk); 'vlmc info VOL_NAME' shows them.");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        Orders orders = new Orders(session);
        session.node().volumes().setInfo(orders.volume(), orders.notes());
        return ExitCode.OK;
    }
}
