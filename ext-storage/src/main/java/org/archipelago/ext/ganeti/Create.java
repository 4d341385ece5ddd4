package org.archipelago.ext.ganeti;

import java.util.List;
import java.util.Map;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Volumes;

/** The script create. */
final class Create implements Command {
    static final CommandSpec SPEC = CommandSpec.of("create", Needs.DAEMON, "Makes the volume VOL_NAME of VOL_SIZE MiB", Create::new)
        .group(ExtStorage.MAKING)
        .details("Blank, or, with EXTP_ORIGIN, from that snapshot. A volume of that name must not exist. Wholly or not at all.")
        .appendix("""
            Parameters of the disk
              origin (EXTP_ORIGIN)            The snapshot that it starts as; without it the disk is blank.
              origin_size (EXTP_ORIGIN_SIZE)  Bytes of an origin that is an image of the original Archipelago (format v0), whose
                                              map has whole blocks alone. -1: not known. Of other origins it says nothing.
            """);

    @Override
    public ExitCode run(Session session, List<String> operands) {
        Orders orders = new Orders(session);
        String name = orders.newVolume();
        long size = orders.size("VOL_SIZE");
        Parameters parameters = Parameters.of(session.console().environment());
        Map<String, String> notes = orders.notes();
        notes.values().removeIf(String::isEmpty);
        Volumes volumes = session.node().volumes();
        session.node().locks().run(name, session.console(), () -> {
            volumes.create(name, size, parameters.origin(), parameters.originSize(), notes);
            if (session.console().gone()) {
                volumes.remove(name); // nobody would ever know of it
            }
        });
        return ExitCode.OK;
    }
}
