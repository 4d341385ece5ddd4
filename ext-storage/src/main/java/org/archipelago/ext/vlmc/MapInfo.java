package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.List;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.text.Sizes;

/** vlmc mapinfo. */
final class MapInfo implements Command {
    static final CommandSpec SPEC = CommandSpec.of("mapinfo", Needs.PEERS, "Shows what a volume's map consists of", MapInfo::new)
        .operands("VOLUME").group(Vlmc.VOLUMES)
        .details("How many of its blocks read as zeros, are stored whole, or only in part over what they started as; and how many "
            + "objects come from which layer: the volume's own, and those of the snapshots below it. Reads the whole map, so it "
            + "also tells whether the map is sound.")
        .example("web1", "the map of web1");

    @Parameter(names = {"-J", "--json"}, order = 1, description = "JSON.")
    private boolean json;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        JsonObject map = session.node().volumes().mapInfo(Names.check(operands.get(0)));
        Console console = session.console();
        if (json) {
            console.outLine(new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create().toJson(map));
            return ExitCode.OK;
        }
        long blockSize = map.get("blockSize").getAsLong();
        line(console, "size", Sizes.format(map.get("size").getAsLong()));
        line(console, "blocks", map.get("blocks").getAsString() + " of " + Sizes.format(blockSize));
        line(console, "zero", map.get("zero").getAsString());
        line(console, "whole", map.get("whole").getAsString());
        line(console, "in part", map.get("partial").getAsString());
        line(console, "checkpoint", map.get("checkpoint").getAsString());
        line(console, "log", map.get("log").getAsString() + " (" + map.get("logRecords").getAsString() + " records)");
        for (JsonElement element : map.getAsJsonArray("layers")) {
            JsonObject layer = element.getAsJsonObject();
            line(console, "layer", layer.get("layer").getAsString() + ": " + layer.get("blocks").getAsString() + " blocks");
        }
        return ExitCode.OK;
    }

    private static void line(Console console, String key, String value) {
        console.outLine("%-12s%s".formatted(key + ":", value));
    }
}
