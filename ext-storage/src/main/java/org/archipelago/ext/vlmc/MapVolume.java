package org.archipelago.ext.vlmc;

import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;

/** vlmc map. */
final class MapVolume implements Command {
    static final CommandSpec SPEC = CommandSpec.of("map", Needs.DAEMON, "Maps a volume or snapshot to a device of this host", MapVolume::new)
        .operands("VOLUME").group(Vlmc.HOST)
        .details("Prints the block device, or the NBD socket where the configuration (ENDPOINT) or the caller's rights allow no device: "
            + "making one needs root. 'archipelago status' tells which driver makes it. A volume that is mapped already stays as it is. "
            + "Mapping does not take the volume for this node; the first write does, or 'vlmc open'. A program that copies images (qemu-img, nbdcopy) should use the volume's other socket, "
            + "img/ in place of nbd/: it tells what is empty.")
        .example("web1", "prints something like /dev/xsegbd1, /dev/nbd0 or /dev/loop7");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        session.console().outLine(session.node().mappings().map(Names.check(operands.get(0)), session.console()).place());
        return ExitCode.OK;
    }
}
