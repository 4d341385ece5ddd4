package org.archipelago.ext.vlmc;

import com.beust.jcommander.ParametersDelegate;
import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Mapping;
import org.archipelago.ext.node.MappingStore;
import org.archipelago.ext.table.Column;
import org.archipelago.ext.table.Table;
import org.archipelago.ext.table.TableOptions;
import org.archipelago.ext.table.Value;

/** vlmc showmapped. */
final class ShowMapped implements Command {
    private static final Table<Mapping> TABLE = new Table<>("mapped", List.of(
        Column.right("id", "number of the mapping", m -> Value.of(m.id())),
        Column.left("volume", "its name", m -> Value.of(m.volume())),
        Column.left("device", "block device, if it has one", m -> Value.of(m.device())),
        Column.left("endpoint", "how the device is made: xsegbd, nbd, loop, or none", m -> Value.of(Mapping.word(m.kind()))),
        Column.left("socket", "NBD socket", m -> Value.of(m.socket())),
        Column.left("state", "attached; attaching or detaching where a command died half way: map or unmap it again",
            m -> Value.of(Mapping.word(m.state()))),
        Column.left("since", "when it was mapped", m -> Value.time(m.since()))),
        List.of("id", "volume", "device", "socket", "state"));

    static final CommandSpec SPEC = CommandSpec.of("showmapped", Needs.NOTHING, "Shows the volumes that are mapped on this host", ShowMapped::new)
        .group(Vlmc.HOST)
        .example("", "all that are mapped")
        .example("--json", "the same, for programs")
        .appendix(TABLE.help());

    @ParametersDelegate
    private final TableOptions table = new TableOptions();

    @Override
    public ExitCode run(Session session, List<String> operands) {
        List<Mapping> mapped = session.daemon().isPresent() ? session.node().mapped().all() : MappingStore.look(session.locations().run());
        if (mapped.isEmpty() && !table.json()) {
            session.console().outLine("No volumes mapped");
        } else {
            session.console().out(TABLE.render(mapped, table));
        }
        return ExitCode.OK;
    }
}
