package org.archipelago.ext.vlmc;

import com.beust.jcommander.Parameter;
import com.beust.jcommander.ParametersDelegate;
import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.MappingStore;
import org.archipelago.ext.table.TableOptions;

/** vlmc list. */
final class ListVolumes implements Command {
    static final CommandSpec SPEC = CommandSpec.of("list", Needs.PEERS, "Lists volumes and snapshots", ListVolumes::new).alias("ls")
        .operands(0, "PREFIX").group(Vlmc.VOLUMES)
        .details("All, or those whose names begin with PREFIX.")
        .example("", "all of them")
        .example("--json -o name,size web", "names and sizes, for a program, of those that begin with 'web'")
        .appendix(VolumeRow.LIST.help());

    @ParametersDelegate
    private final TableOptions table = new TableOptions();

    @Parameter(names = {"-a", "--all"}, order = 1, description = "Temporary ones too; they begin with @.")
    private boolean all;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        MappingStore mapped = session.node().mapped();
        String prefix = operands.isEmpty() ? "" : operands.get(0);
        List<VolumeRow> rows = session.node().volumes().list(prefix).stream()
            .filter(v -> all || prefix.startsWith("@") || !v.temporary())
            .map(v -> new VolumeRow(v, mapped.get(v.name()))).toList();
        session.console().out(VolumeRow.LIST.render(rows, table));
        return ExitCode.OK;
    }
}
