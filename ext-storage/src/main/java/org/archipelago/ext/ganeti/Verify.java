package org.archipelago.ext.ganeti;

import java.util.List;
import org.archipelago.config.Configuration;
import org.archipelago.config.FileBlockerRole;
import org.archipelago.config.Finding;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.daemon.Launcher;
import org.archipelago.ext.node.Names;
import org.archipelago.ext.node.NodeStatus;
import org.archipelago.ext.node.NodeStatus.RoleStatus;
import org.archipelago.ext.node.NodeStatus.State;

/** The script verify. */
final class Verify implements Command {
    static final CommandSpec SPEC = CommandSpec.of("verify", Needs.NOTHING, "Verifies that this node can serve volumes", Verify::new)
        .operands(0, "VOLUME...").group(ExtStorage.OTHER)
        .details("Without arguments: the configuration, the stores' folders, archipelagod, and whether each role answers. With names of "
            + "volumes: that their maps can be read and are sound. Every check is told; the first that fails decides the exit code.");

    private ExitCode worst = ExitCode.OK;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        if (operands.isEmpty()) {
            verifyNode(session);
        } else {
            operands.forEach(volume -> verifyVolume(session, volume));
        }
        return worst;
    }

    private void verifyNode(Session session) {
        Console console = session.console();
        Configuration configuration = Launcher.read(session.locations());
        tell(console, "configuration " + configuration.file(), "", ExitCode.OK);
        for (Finding finding : configuration.checkHost(session.locations())) {
            tell(console, "host", finding.toString(), finding.isError() ? ExitCode.CONFIGURATION : ExitCode.OK);
        }
        configuration.roles().stream().filter(FileBlockerRole.class::isInstance).map(FileBlockerRole.class::cast)
            .forEach(b -> tell(console, "store " + b.archipDir(), java.nio.file.Files.isWritable(b.archipDir()) ? ""
                : "this process cannot write to it", ExitCode.FAILED));
        NodeStatus status = session.daemon().map(d -> d.status())
            .orElseGet(() -> Launcher.stopped(session.locations(), configuration));
        tell(console, "archipelagod", status.pid() != 0 ? "" : "not running: start it with 'archipelago start'", ExitCode.NOT_RUNNING);
        for (RoleStatus role : status.roles()) {
            tell(console, "role " + role.name(), role.state() == State.RUNNING ? "" : role.why(), ExitCode.NOT_RUNNING);
        }
    }

    private void verifyVolume(Session session, String volume) {
        String problem = "";
        ExitCode code = ExitCode.OK;
        try {
            session.node().volumes().mapInfo(Names.check(volume));
        } catch (Failure e) {
            problem = e.getMessage();
            code = e.code();
        }
        tell(session.console(), "volume " + org.archipelago.ext.text.Text.printable(volume), problem, code);
    }

    /** problem: empty where the check went well. */
    private void tell(Console console, String what, String problem, ExitCode code) {
        if (problem.isEmpty()) {
            console.outLine("ok       " + what);
            return;
        }
        console.errLine((code == ExitCode.OK ? "warning  " : "FAILED   ") + what + ": " + problem);
        if (worst == ExitCode.OK) {
            worst = code;
        }
    }
}
