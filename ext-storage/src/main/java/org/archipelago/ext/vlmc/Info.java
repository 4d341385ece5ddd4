package org.archipelago.ext.vlmc;

import com.beust.jcommander.ParametersDelegate;
import java.util.List;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.table.TableOptions;

/** vlmc info. */
final class Info implements Command {
    static final CommandSpec SPEC = CommandSpec.of("info", Needs.PEERS, "Shows what is known of a volume or snapshot", Info::new)
        .operands("VOLUME").group(Vlmc.VOLUMES)
        .example("web1", "all about web1")
        .example("--bytes -o size web1", "its size in bytes")
        .appendix(VolumeRow.INFO.help());

    @ParametersDelegate
    private final TableOptions table = new TableOptions();

    @Override
    public ExitCode run(Session session, List<String> operands) {
        String name = Names.check(operands.get(0));
        VolumeRow row = new VolumeRow(session.node().volumes().info(name), session.node().mapped().get(name));
        session.console().out(VolumeRow.INFO.renderOne(row, table));
        return ExitCode.OK;
    }
}
