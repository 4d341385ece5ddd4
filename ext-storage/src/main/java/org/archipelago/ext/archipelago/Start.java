package org.archipelago.ext.archipelago;

import java.util.List;
import java.util.Optional;
import org.archipelago.config.Configuration;
import org.archipelago.config.Finding;
import org.archipelago.config.Role;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.daemon.KernelModules;
import org.archipelago.ext.daemon.Launcher;
import org.archipelago.ext.daemon.ProcessState;

/** archipelago start. */
final class Start implements Command {
    static final CommandSpec SPEC = CommandSpec.of("start", Needs.NOTHING, "Starts archipelagod, or a role", Start::new)
        .operands(0, "ROLE").group(Archipelago.DAEMON)
        .details("Checks the configuration, loads the kernel module that makes block devices (ENDPOINT; not with -u), makes the folders for "
            + "sockets, logs and state, starts archipelagod in the background as the "
            + "configured user, and waits until it is ready, at most 30 s. Volumes that are mapped are served again at once. What runs "
            + "already stays as it is.\nROLE must be one that has a process of its own.")
        .example("", "all that is configured");

    @Override
    public ExitCode run(Session session, List<String> operands) {
        Configuration configuration = Launcher.read(session.locations());
        Launcher launcher = new Launcher(session.locations(), configuration, session.console()::errLine);
        if (operands.isEmpty()) {
            startAll(session, configuration, launcher);
        } else {
            String process = Roles.processOf(configuration, operands.get(0), "start");
            startOne(session, configuration, launcher, process);
        }
        return ExitCode.OK;
    }

    /** Also the second half of a restart. */
    static void startAll(Session session, Configuration configuration, Launcher launcher) {
        check(session, configuration);
        startOne(session, configuration, launcher, ProcessState.MAIN);
        launcher.otherProcesses().forEach(process -> startOne(session, configuration, launcher, process));
    }

    static void startOne(Session session, Configuration configuration, Launcher launcher, String process) {
        Optional<ProcessState> living = launcher.living(process);
        if (living.isPresent()) {
            session.console().outLine(process + " runs already, process " + living.get().process().pid());
            return;
        }
        if (session.daemon().isPresent()) {
            throw new Failure(ExitCode.TRY_AGAIN, process + " is not running, and archipelagod cannot start it: give -c after the command: "
                + "archipelago start -c FILE");
        }
        if (!process.equals(ProcessState.MAIN) && launcher.living(ProcessState.MAIN).isEmpty()) {
            throw new Failure(ExitCode.NOT_RUNNING, "archipelagod is not running, and process " + process + " works in its segment: start "
                + "both with 'archipelago start'");
        }
        launcher.start(process);
        for (Role role : configuration.roles()) {
            if (role.process().orElse(ProcessState.MAIN).equals(process)) {
                session.console().outLine("%-22s OK".formatted("Starting " + role.name()));
            }
        }
    }

    /** Throws Failure with CONFIGURATION, naming all that is wrong. Then what there is of kernel modules is loaded. */
    static void check(Session session, Configuration configuration) {
        Launcher.prepare(session.locations());
        configuration.warnings().forEach(w -> session.console().errLine(w.toString()));
        List<Finding> findings = Launcher.check(session.locations(), configuration);
        findings.stream().filter(f -> !f.isError()).forEach(f -> session.console().errLine(f.toString()));
        List<String> errors = findings.stream().filter(Finding::isError).map(Finding::toString).toList();
        if (!errors.isEmpty()) {
            throw new Failure(ExitCode.CONFIGURATION, String.join("\n", errors));
        }
        if (!ArchipelagoOptions.userOnly(session)) {
            KernelModules.load(configuration.endpoint().device(), session.console()::errLine);
        }
    }
}
