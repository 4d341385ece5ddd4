package org.archipelago.ext;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.archipelago.config.Configuration;
import org.archipelago.config.ConfigurationException;
import org.archipelago.config.Locations;
import org.archipelago.config.Role;
import org.archipelago.ext.command.Program;
import org.archipelago.ext.daemon.Daemon;
import org.archipelago.ext.daemon.DirectBacking;
import org.archipelago.ext.daemon.Launcher;
import org.archipelago.ext.daemon.Logging;
import org.archipelago.ext.daemon.ProcessState;
import org.archipelago.ext.daemon.RoleProcess;
import org.archipelago.posix.Posix;

/**
 * Where every process of this module begins: {@code PROGRAM ARGUMENT...}. The client runs it where no
 * daemon answers; {@code archipelagod} is the daemon.
 */
public final class Main {
    private static final int UMASK = 007;
    private static final long LEAVE_MILLIS = 20_000;

    private Main() {}

    public static void main(String[] words) {
        List<String> arguments = List.of(words);
        if (arguments.isEmpty()) {
            System.err.println("archipelago: no program named: vlmc, archipelago, ext-storage, archipelagod");
            System.exit(ExitCode.USAGE.number());
        }
        String program = arguments.get(0);
        List<String> rest = arguments.subList(1, arguments.size());
        ExitCode code = program.equals("archipelagod") ? daemon(rest) : command(program, rest);
        System.exit(code.number());
    }

    private static ExitCode command(String name, List<String> arguments) {
        Logging.toStderr(arguments.contains("--debug"));
        Optional<Program> program = Programs.find(name);
        if (program.isEmpty()) {
            System.err.println("archipelago: there is no program " + name);
            return ExitCode.USAGE;
        }
        Locations locations = Locations.of(System.getenv());
        LocalConsole console = new LocalConsole(locations);
        CountDownLatch done = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> leaveInOrder(console, done), "leave"));
        try (DirectBacking backing = new DirectBacking(locations)) {
            return program.get().run(arguments, console, backing);
        } finally {
            done.countDown();
        }
    }

    /** Ctrl-C: the command is told, and gets some time to undo its work. */
    private static void leaveInOrder(LocalConsole console, CountDownLatch done) {
        console.leave();
        try {
            if (!done.await(LEAVE_MILLIS, TimeUnit.MILLISECONDS)) {
                System.err.println("archipelago: the command was not undone within " + LEAVE_MILLIS / 1000 + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static ExitCode daemon(List<String> arguments) {
        try {
            return serve(arguments);
        } catch (Failure e) {
            System.err.println("archipelagod: " + e.getMessage());
            return e.code();
        } catch (InterruptedException e) {
            return ExitCode.FAILED;
        }
    }

    private static ExitCode serve(List<String> arguments) throws InterruptedException {
        DaemonArguments given = DaemonArguments.parse(arguments);
        Posix.umask(UMASK);
        Locations usual = Locations.of(System.getenv());
        Locations locations = given.configuration().map(usual::withConfiguration).orElse(usual);
        Launcher.prepare(locations);
        Logging.toFile(locations.log().resolve(given.process() + ".log"), logLevel(locations, given.process()));
        if (given.process().equals(ProcessState.MAIN)) {
            Daemon daemon = new Daemon(locations);
            Runtime.getRuntime().addShutdownHook(new Thread(daemon::close, "stop"));
            daemon.await();
            daemon.close();
        } else {
            RoleProcess process = new RoleProcess(locations, given.process());
            Runtime.getRuntime().addShutdownHook(new Thread(process::close, "stop"));
            process.await();
            process.close();
        }
        return ExitCode.OK;
    }

    /** The highest of the roles of the process; a configuration that cannot be read is told later. */
    private static int logLevel(Locations locations, String process) {
        try {
            return Configuration.read(locations).roles().stream()
                .filter(r -> r.process().orElse(ProcessState.MAIN).equals(process)).mapToInt(Role::logLevel).max().orElse(1);
        } catch (ConfigurationException e) {
            return 1;
        }
    }
}
