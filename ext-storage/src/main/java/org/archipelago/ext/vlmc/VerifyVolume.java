package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.List;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Progress;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;
import org.archipelago.xseg.Op;

/** vlmc verify. */
final class VerifyVolume implements Command {
    static final CommandSpec SPEC = CommandSpec.of("verify", Needs.PEERS, "Reads all of a volume's objects and names the damaged ones",
            VerifyVolume::new)
        .operands("VOLUME").group(Vlmc.VOLUMES)
        .details("Every object that the map of the volume or snapshot names is read, also what newer blocks cover. What is missing, "
            + "shorter than it must be, or cannot be read is damaged; of images each block is hashed, too, and compared with its name. "
            + "Exit status 8 if anything is damaged. Changes nothing, and disturbs nobody who uses the volume.")
        .example("debian13", "is the image as it was imported?");

    @Parameter(names = {"-J", "--json"}, order = 1, description = "JSON.")
    private boolean json;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String name = Names.check(operands.get(0));
        Console console = session.console();
        JsonArray damaged = new JsonArray();
        JsonObject last;
        try (Progress progress = new Progress(console)) {
            last = session.node().volumes().longRun(Op.VERIFY, name, new JsonObject(), step -> {
                console.checkPresent();
                damaged.addAll(step.getAsJsonArray("damaged"));
                progress.say("verifying " + name, step.get("blocks").getAsLong(), step.get("of").getAsLong());
            });
        }
        last.add("damaged", damaged);
        last.remove("done");
        last.remove("of");
        if (json) {
            console.outLine(new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create().toJson(last));
        } else {
            for (JsonElement element : damaged) {
                JsonObject one = element.getAsJsonObject();
                console.outLine("block " + one.get("block").getAsLong() + ", object " + one.get("object").getAsString() + ": "
                    + one.get("problem").getAsString());
            }
        }
        if (!damaged.isEmpty()) {
            console.errLine("damaged objects of " + name + ": " + damaged.size() + "; restore them from a copy of the store, or the volume "
                + "from a backup");
            return ExitCode.DAMAGED;
        }
        return ExitCode.OK;
    }
}
