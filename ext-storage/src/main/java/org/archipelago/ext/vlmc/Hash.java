package org.archipelago.ext.vlmc;

import com.google.gson.JsonObject;
import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Progress;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;
import org.archipelago.xseg.Op;

/** vlmc hash. */
final class Hash implements Command {
    static final CommandSpec SPEC = CommandSpec.of("hash", Needs.PEERS, "Stores a snapshot by its contents", Hash::new)
        .operands("SNAPSHOT").group(Vlmc.IMAGES)
        .details("Each block of the snapshot is stored under the SHA-256 of its contents without the zeros at its end, so blocks that "
            + "are equal, in this and other hashed snapshots and imported images, are stored once. The snapshot keeps its name and "
            + "contents, and what it was cloned to keeps what it has. Prints the image's name: the root of the hashes' Merkle tree. "
            + "The space of what is not needed any more is freed by 'vlmc gc'.")
        .example("web1-monday", "web1-monday shares its blocks with all that have equal ones");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String name = Names.check(operands.get(0));
        JsonObject last;
        try (Progress progress = new Progress(session.console())) {
            last = session.node().volumes().longRun(Op.HASH, name, new JsonObject(), step -> {
                session.console().checkPresent();
                progress.say("hashing " + name, step.get("blocks").getAsLong(), step.get("of").getAsLong());
            });
        }
        session.console().outLine("Hash name: " + last.get("root").getAsString());
        return ExitCode.OK;
    }
}
