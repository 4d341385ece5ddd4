package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Progress;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.node.Volume;
import org.archipelago.ext.node.Volumes;
import org.archipelago.xseg.Op;

/** vlmc check. */
final class Check implements Command {
    static final CommandSpec SPEC = CommandSpec.of("check", Needs.PEERS, "Looks whether volumes are sound, and mends what can be proven",
            Check::new)
        .operands(0, "VOLUME...").group(Vlmc.VOLUMES)
        .details("Without names, all. Looks into headers, their records, checkpoints and tables (both copies of each) and logs, and whether "
            + "each object is there and long enough; 'vlmc verify' also reads what is in them. With --repair a damaged copy is made anew from the "
            + "other, a header from its record, a record from its header: only what is certain, nothing is guessed. A header is "
            + "mended only while no other node has the volume open. Exit status 8 if anything is damaged that was not mended.")
        .example("", "looks into all volumes and snapshots, changes nothing")
        .example("--repair web1", "mends what can be mended of web1");

    @Parameter(names = {"--repair"}, order = 1, description = "Mend what can be mended.")
    private boolean repair;
    @Parameter(names = {"-J", "--json"}, order = 2, description = "JSON.")
    private boolean json;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        Console console = session.console();
        Volumes volumes = session.node().volumes();
        List<String> names = new ArrayList<>();
        if (operands.isEmpty()) {
            volumes.list("").stream().map(Volume::name).forEach(names::add);
        }
        operands.forEach(name -> names.add(Names.check(name)));
        JsonArray all = new JsonArray();
        int left = 0;
        try (Progress progress = new Progress(console)) {
            for (String name : names) {
                JsonObject result = check(console, volumes, progress, name);
                all.add(result);
                left += result.has("problem") ? 1 : 0;
                for (JsonElement finding : result.getAsJsonArray("findings")) {
                    left += finding.getAsJsonObject().get("state").getAsString().equals("mended") ? 0 : 1;
                }
            }
        }
        if (json) {
            console.outLine(new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create().toJson(all));
        } else {
            all.forEach(result -> print(console, result.getAsJsonObject()));
        }
        return left == 0 ? ExitCode.OK : ExitCode.DAMAGED;
    }

    private JsonObject check(Console console, Volumes volumes, Progress progress, String name) {
        JsonObject argument = new JsonObject();
        argument.addProperty("repair", repair);
        JsonObject result = new JsonObject();
        JsonArray findings = new JsonArray();
        result.addProperty("name", name);
        result.add("findings", findings);
        try {
            volumes.longRun(Op.CHECK, name, argument, step -> {
                console.checkPresent();
                findings.addAll(step.getAsJsonArray("findings"));
                progress.say("checking " + name, step.get("blocks").getAsLong(), step.get("of").getAsLong());
            });
        } catch (Failure e) {
            if (e.code() != ExitCode.DAMAGED) {
                throw e;
            }
            result.addProperty("problem", e.getMessage());
        }
        return result;
    }

    private static void print(Console console, JsonObject result) {
        String name = result.get("name").getAsString();
        for (JsonElement element : result.getAsJsonArray("findings")) {
            JsonObject finding = element.getAsJsonObject();
            String what = switch (finding.get("state").getAsString()) {
                case "mended" -> "mended";
                case "mendable" -> "'vlmc check --repair " + name + "' mends it";
                default -> "cannot be mended: restore the object from a copy of the store, or the volume from a backup";
            };
            String problem = finding.get("problem").getAsString();
            String object = finding.get("object").getAsString();
            console.outLine(name + ": " + problem + (problem.contains(object) ? " (" : " (object " + object + "; ") + what + ")");
        }
        if (result.has("problem")) {
            console.outLine(name + ": " + result.get("problem").getAsString());
        }
    }
}
