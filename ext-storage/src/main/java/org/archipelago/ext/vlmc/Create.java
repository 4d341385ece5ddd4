package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import java.util.List;
import java.util.Map;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.node.Volumes;
import org.archipelago.ext.text.Sizes;

/** vlmc create. */
final class Create implements Command {
    static final CommandSpec SPEC = CommandSpec.of("create", Needs.PEERS, "Makes a volume, blank or from a snapshot", Create::new)
        .operands("VOLUME").group(Vlmc.VOLUMES)
        .details("At least one of --snap and --size must be given. With --size alone the volume is blank: it reads as zeros. With --snap "
            + "it starts as the snapshot's contents, and nothing is copied; it is as large as the snapshot, or as --size says, which "
            + "cannot be less. What is beyond the snapshot's end reads as zeros.")
        .example("data1 --size 20G", "a blank volume of 20 GiB")
        .example("web1 --snap debian", "a volume that starts as snapshot debian")
        .example("web2 --snap debian --size 40960", "the same, with 40960 MiB");

    @Parameter(names = {"-s", "--size"}, order = 1, description = "SIZE  How large: MiB, or a number with a unit (512M, 10G, 1.5T).")
    private String size = "";

    @Parameter(names = {"--snap"}, order = 2, description = "SNAPSHOT  What it starts as.")
    private String snapshot = "";

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String name = Names.checkNew(operands.get(0));
        if (size.isEmpty() && snapshot.isEmpty()) {
            throw Failure.usage("create " + name + ": give --size, --snap, or both");
        }
        long bytes = size.isEmpty() ? 0 : Sizes.parse("size", size);
        String origin = snapshot.isEmpty() ? "" : Names.check(snapshot);
        Volumes volumes = session.node().volumes();
        session.node().locks().run(name, session.console(), () -> {
            volumes.create(name, bytes, origin, Map.of());
            if (session.console().gone()) {
                volumes.remove(name);
            }
        });
        return ExitCode.OK;
    }
}
