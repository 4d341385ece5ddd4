package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import com.beust.jcommander.ParametersDelegate;
import com.google.gson.GsonBuilder;
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
import org.archipelago.ext.table.TableOptions;
import org.archipelago.ext.text.Sizes;
import org.archipelago.xseg.Op;

/** vlmc du. */
final class DiskUsage implements Command {
    static final CommandSpec SPEC = CommandSpec.of("du", Needs.PEERS, "Shows what volumes take of the store", DiskUsage::new)
        .operands(0, "VOLUME...").group(Vlmc.VOLUMES)
        .details("Of all volumes, snapshots and images, or of those that are named. What several of them have in common is "
            + "stored once: it counts as used for each, and as exclusive for none. All maps are read, so nothing is remembered that "
            + "could be out of date; what is written or removed meanwhile counts as it was found. Exit status 8 if a map cannot be "
            + "read: what it names then counts as if it did not.")
        .example("", "all of them")
        .example("-b web1 web1-monday", "two of them, in bytes")
        .example("--json", "for a program, with what the store takes in all")
        .appendix(UsageRow.TABLE.help());

    @ParametersDelegate
    private final TableOptions table = new TableOptions();

    @Parameter(names = {"-a", "--all"}, order = 1, description = "Temporary ones too; they begin with @.")
    private boolean all;

    @Parameter(names = {"-t", "--total"}, order = 2,
        description = "A last line with all of them together, and what no map names; as on a terminal.")
    private boolean total;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        operands.forEach(Names::check);
        if (total && !operands.isEmpty()) {
            throw Failure.usage("--total is of all volumes, and some are named");
        }
        Console console = session.console();
        List<UsageRow> rows = new ArrayList<>();
        JsonObject store;
        try (Progress progress = new Progress(console)) {
            store = session.node().volumes().longRun(Op.USAGE, "*", new JsonObject(), step -> {
                console.checkPresent();
                progress.say(step.get("objects").getAsLong() + " objects, " + step.get("volumes").getAsLong() + " of "
                    + step.get("of").getAsLong() + " maps");
                if (step.has("usage")) {
                    step.getAsJsonArray("usage").forEach(row -> rows.add(UsageRow.of(row.getAsJsonObject())));
                }
            }).getAsJsonObject("store");
        }
        show(console, chosen(rows, operands), rows, store, operands.isEmpty() && (total || console.terminal().out()));
        long unread = rows.stream().filter(row -> !row.problem().isEmpty()).count();
        if (unread > 0) {
            console.errLine("the maps of " + unread + " volumes cannot be read, and what they name is counted as if they did "
                + "not: see 'vlmc du -o name,problem'");
            return ExitCode.DAMAGED;
        }
        return ExitCode.OK;
    }

    private List<UsageRow> chosen(List<UsageRow> rows, List<String> names) {
        if (names.isEmpty()) {
            return rows.stream().filter(row -> all || !row.temporary()).toList();
        }
        return names.stream().map(name -> rows.stream().filter(row -> row.name().equals(name)).findFirst()
            .orElseThrow(() -> new Failure(ExitCode.NOT_FOUND, "volume " + name
                + " does not exist (vlmc list shows those that do)"))).toList();
    }

    private void show(Console console, List<UsageRow> chosen, List<UsageRow> rows, JsonObject store, boolean withTotal) {
        if (table.json()) {
            JsonObject json = UsageRow.TABLE.json(chosen, table);
            json.add("store", store);
            console.outLine(new GsonBuilder().setPrettyPrinting().serializeNulls().disableHtmlEscaping().create().toJson(json));
            return;
        }
        List<UsageRow> lines = new ArrayList<>(chosen);
        if (withTotal) {
            lines.add(UsageRow.total(rows, store.get("named").getAsLong()));
        }
        console.out(UsageRow.TABLE.render(lines, table));
        long garbage = store.get("garbageObjects").getAsLong();
        if (withTotal && garbage > 0) {
            console.outLine(garbage + " objects that no map names take " + Sizes.format(store.get("garbage").getAsLong())
                + ": 'vlmc gc' frees them");
        }
    }
}
