package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.List;
import java.util.Map;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Progress;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Leftovers;
import org.archipelago.ext.node.Node;
import org.archipelago.ext.text.Sizes;
import org.archipelago.xseg.Op;

/** vlmc gc. */
final class Gc implements Command {
    static final CommandSpec SPEC = CommandSpec.of("gc", Needs.PEERS, "Frees the space of what no volume needs any more", Gc::new)
        .group(Vlmc.STORE)
        .details("Looks at the maps of all volumes and snapshots, then removes the objects that none of them names: of removed snapshots, "
            + "of hashed ones, of removes and imports that were cut off, with their locks. Volumes stay in use meanwhile, on this and "
            + "other nodes, and gc may run on several nodes. It can be ended and started again at any time: it goes on where it was. It "
            + "does not touch objects of other programs, nor volumes and snapshots; and where a map is damaged so that nobody can tell "
            + "what it names, it removes nothing at all. An object that a node left behind by dying in the middle of a write goes after "
            + "the volume's next snapshot.")
        .example("", "frees what can be freed")
        .example("--dry-run", "tells what would be freed")
        .example("--rate 500", "more gently: a million objects take half an hour");

    private static final int RATE_MAX = 10_000_000;

    @Parameter(names = {"-n", "--dry-run"}, order = 1, description = "Remove nothing, only tell.")
    private boolean dryRun;

    @Parameter(names = "--rate", order = 2, description = "N  Objects to look at a second, at most; otherwise as many as can be.")
    private int rate;

    @Parameter(names = {"-J", "--json"}, order = 3, description = "JSON.")
    private boolean json;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        if (rate < 0 || rate > RATE_MAX) {
            throw Failure.usage("--rate " + rate + ": 1 to " + RATE_MAX + " objects a second can be looked at");
        }
        Node node = session.node();
        Console console = session.console();
        if (!dryRun) {
            Leftovers.removeVolumesOnce(node);
        }
        JsonObject ask = new JsonObject();
        ask.addProperty("dryRun", dryRun);
        ask.addProperty("rate", rate);
        JsonObject result;
        try (Progress progress = new Progress(console)) {
            result = node.volumes().longRun(Op.COLLECT, "*", ask, step -> follow(console, progress, step));
        }
        List.of("phase", "part", "parts", "pause", "done").forEach(result::remove);
        result.addProperty("dryRun", dryRun);
        if (json) {
            console.outLine(new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create().toJson(result));
        } else {
            tell(console, result);
        }
        complain(node, console, result);
        return result.getAsJsonArray("damage").isEmpty() ? ExitCode.OK : ExitCode.DAMAGED;
    }

    private static void follow(Console console, Progress progress, JsonObject step) {
        console.checkPresent();
        String part = step.get("parts").getAsInt() == 1 ? "" : " (part " + step.get("part") + " of " + step.get("parts") + ")";
        progress.say(step.get("phase").getAsString() + part + ": " + step.get("volumes") + " volumes and snapshots, " + step.get("marked")
            + " objects named; " + step.get("scanned") + " looked at, " + step.get("removed") + " removed, " + freed(step) + " freed");
        long pause = step.get("pause").getAsLong();
        if (pause > 0) {
            try {
                Thread.sleep(pause);
            } catch (InterruptedException e) {
                throw new Failure(ExitCode.TRY_AGAIN, "archipelagod is stopping: run 'vlmc gc' again", e);
            }
        }
    }

    private static String freed(JsonObject result) {
        return Sizes.format(result.get("bytes").getAsLong());
    }

    private void tell(Console console, JsonObject result) {
        String removed = dryRun ? "to be removed" : "removed";
        line(console, "volumes and snapshots", result.get("volumes").getAsString());
        line(console, "objects named", result.get("marked").getAsString());
        line(console, "objects " + removed, result.get("removed") + " of " + result.get("scanned"));
        line(console, "map objects " + removed, result.get("mapsRemoved") + " of " + result.get("mapsScanned"));
        line(console, dryRun ? "space to be freed" : "space freed", freed(result));
        if (result.get("resumed").getAsBoolean()) {
            console.outLine("A run that was cut off before was gone on with: what became garbage since is left to the next one.");
        }
    }

    private static void line(Console console, String key, String value) {
        console.outLine("%-28s%s".formatted(key + ":", value));
    }

    private static void complain(Node node, Console console, JsonObject result) {
        for (JsonElement sentence : result.getAsJsonArray("damage")) {
            console.errLine("vlmc: " + sentence.getAsString());
        }
        for (JsonElement sentence : result.getAsJsonArray("notes")) {
            console.errLine("vlmc: " + sentence.getAsString());
        }
        for (Map.Entry<String, JsonElement> held : result.getAsJsonObject("held").entrySet()) {
            console.errLine("vlmc: node " + held.getKey() + " holds " + held.getValue() + " volumes (vlmc list): only if it is dead, `vlmc "
                + "unlock -f VOLUME` each");
        }
        for (String name : Leftovers.ofOtherNodes(node)) {
            console.errLine("vlmc: volume " + name + " is of another node's import: if that is over, `vlmc remove " + name + "`");
        }
    }
}
