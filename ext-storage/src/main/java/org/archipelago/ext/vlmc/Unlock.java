package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import java.util.List;
import java.util.Optional;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.node.Volume;
import org.archipelago.ext.node.Volume.Holder;
import org.archipelago.ext.node.Volumes;

/** vlmc unlock. */
final class Unlock implements Command {
    static final CommandSpec SPEC = CommandSpec.of("unlock", Needs.PEERS, "Takes away the lock of a volume", Unlock::new)
        .operands("VOLUME").group(Vlmc.WRITERS)
        .details("Without -f only this node's own lock. With -f any node's, and another node's hold on the volume too: do that only "
            + "when you are sure that the other node is dead or does not write it any more. It is said whom that concerned.")
        .example("web1", "takes back 'vlmc lock web1'")
        .example("-f web1", "the node that had web1 is gone for good");

    @Parameter(names = {"-f", "--force"}, order = 1, description = "Break another node's lock and hold.")
    private boolean force;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String name = Names.check(operands.get(0));
        Volumes volumes = session.node().volumes();
        Optional<Volume> before = force ? volumes.find(name) : Optional.empty();
        volumes.unlock(name, force);
        before.flatMap(Volume::lock).filter(h -> !h.here()).ifPresent(h -> tell(session, h, "the lock"));
        before.flatMap(Volume::lease).filter(h -> !h.here()).ifPresent(h -> tell(session, h, "the hold"));
        return ExitCode.OK;
    }

    private static void tell(Session session, Holder holder, String what) {
        session.console().errLine("vlmc: broke " + what + " of node " + holder.node() + " (daemon "
            + holder.daemon().substring(0, Math.min(8, holder.daemon().length())) + ")");
    }
}
