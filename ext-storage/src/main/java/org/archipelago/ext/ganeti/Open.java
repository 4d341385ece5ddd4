package org.archipelago.ext.ganeti;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Volume;
import org.archipelago.ext.node.Volumes;

/** The script open. */
final class Open implements Command {
    static final CommandSpec SPEC = CommandSpec.of("open", Needs.DAEMON, "Takes VOL_NAME for this node", Open::new)
        .group(ExtStorage.USING)
        .details("VOL_OPEN_EXCLUSIVE=True: no other node may write it. False: a migration begins, another node may take it over. A "
            + "snapshot, which nobody can write, needs no opening.");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        Orders orders = new Orders(session);
        String name = orders.volume();
        boolean exclusive = orders.exclusive();
        Volumes volumes = session.node().volumes();
        try {
            volumes.open(name, exclusive);
        } catch (Failure e) {
            if (volumes.find(name).filter(Volume::snapshot).isEmpty()) {
                throw e;
            }
        }
        return ExitCode.OK;
    }
}
