package org.archipelago.ext.daemon;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.archipelago.config.ComposerRole;
import org.archipelago.config.Configuration;
import org.archipelago.config.Finding;
import org.archipelago.config.Locations;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.control.ControlClient;
import org.archipelago.ext.control.Invocation;
import org.archipelago.ext.daemon.ProcessState.Phase;
import org.archipelago.ext.node.NodeStatus;
import org.archipelago.posix.Posix;

/** Starts and ends the daemon and the processes of roles, from a process of its own. Every wait has a bound. */
public final class Launcher {
    private static final long START_MILLIS = 30_000;
    private static final long STOP_MILLIS = 60_000;
    private static final long SILENCE_MILLIS = 30_000;
    private static final long POLL_MILLIS = 10;
    private static final int TAIL_LINES = 5;
    private static final String PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private final Locations locations;
    private final Configuration configuration;
    private final Consumer<String> complaints;

    /** @param complaints takes a line about what is not as it should be, but no hindrance */
    public Launcher(Locations locations, Configuration configuration, Consumer<String> complaints) {
        this.locations = locations;
        this.configuration = configuration;
        this.complaints = complaints;
    }

    /** Throws Failure with CONFIGURATION where it cannot be used. */
    public static Configuration read(Locations locations) {
        return Daemon.read(locations);
    }

    /** What is wrong with a configuration on this host. */
    public static List<Finding> check(Locations locations, Configuration configuration) {
        List<Finding> findings = new ArrayList<>(configuration.checkHost(locations));
        SegmentPlan.problem(configuration).ifPresent(findings::add);
        if (configuration.roles().stream().noneMatch(ComposerRole.class::isInstance)) {
            findings.add(new Finding(Finding.Severity.ERROR, configuration.file(), configuration.line("", "roles"), 0, "roles", "",
                "none of type vlmcd, so nothing would serve volumes", "at least one of that type"));
        }
        return findings;
    }

    /** How the node is, by what its processes left. */
    public static NodeStatus stopped(Locations locations, Configuration configuration) {
        return new NodeInspector(locations, configuration, process -> "").stopped();
    }

    /** The process, where it lives. */
    public Optional<ProcessState> living(String process) {
        return ProcessState.read(locations.run(), process).filter(s -> s.process().alive());
    }

    /** Makes the folders that the daemon needs. */
    public static void prepare(Locations locations) {
        Folders.make(locations, Daemon.read(locations));
    }

    /** Names of the processes beside the daemon, in the order of the roles. */
    public List<String> otherProcesses() {
        return configuration.roles().stream().flatMap(r -> r.process().stream()).distinct().toList();
    }

    /** Starts a process and waits until it is ready. Throws Failure with the reason where it is not. */
    public void start(String process) {
        Path output = locations.log().resolve(process + ".out");
        ProcessBuilder builder = new ProcessBuilder(command(process)).directory(new File("/"))
            .redirectInput(new File("/dev/null")).redirectOutput(output.toFile()).redirectErrorStream(true);
        environment(builder.environment());
        Process child;
        try {
            child = builder.start();
        } catch (IOException e) {
            throw new Failure(ExitCode.FAILED, "cannot start " + process + ": " + e.getMessage(), e);
        }
        await(process, child, output);
    }

    private List<String> command(String process) {
        List<String> words = new ArrayList<>(List.of("setsid"));
        if (Posix.geteuid() == 0) {
            if (Folders.userExists(configuration.daemon())) {
                words.addAll(List.of("setpriv", "--reuid=" + configuration.daemon().user(), "--regid=" + configuration.daemon().group(),
                    "--init-groups"));
            } else {
                complaints.accept("archipelago: warning: there is no user " + configuration.daemon().user() + " with a group "
                    + configuration.daemon().group() + " (USER, GROUP): " + process + " runs as root");
            }
        }
        words.addAll(javaCommand());
        words.addAll(List.of("archipelagod", "--config", locations.configuration().toString()));
        if (!process.equals(ProcessState.MAIN)) {
            words.addAll(List.of("--process", process));
        }
        return words;
    }

    private static List<String> javaCommand() {
        String launcher = System.getProperty("archipelago.jvm", "");
        if (!launcher.isEmpty()) {
            return List.of(launcher);
        }
        return List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp", System.getProperty("java.class.path"),
            "-Djna.library.path=" + System.getProperty("jna.library.path", ""), "org.archipelago.ext.Main");
    }

    private static void environment(Map<String, String> environment) {
        environment.keySet().removeIf(name -> !List.of("LANG", "LC_ALL", "TZ", Locations.ROOT_VARIABLE).contains(name));
        environment.put("PATH", PATH);
    }

    private void await(String process, Process child, Path output) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(START_MILLIS);
        while (true) {
            boolean ended = !child.isAlive();
            Optional<ProcessState> state = ProcessState.read(locations.run(), process).filter(s -> s.process().pid() == child.pid());
            if (state.filter(s -> s.phase() == Phase.RUNNING).isPresent() && !ended) {
                return;
            }
            if (ended) {
                throw new Failure(ExitCode.of(child.exitValue()), process + " does not start: " + state.filter(s -> s.phase() == Phase.FAILED)
                    .map(ProcessState::why).orElseGet(() -> "it ended with status " + child.exitValue() + tail(output)));
            }
            if (System.nanoTime() - deadline > 0) {
                child.destroyForcibly();
                throw new Failure(ExitCode.TIMED_OUT, process + " was not ready after " + START_MILLIS / 1000 + " s and has been ended; "
                    + "see " + locations.log().resolve(process + ".log"));
            }
            pause();
        }
    }

    /** The end of what a process printed that did not live to log. */
    private static String tail(Path output) {
        try (Stream<String> lines = Files.lines(output)) {
            List<String> all = lines.filter(l -> !l.isBlank()).limit(1000).toList();
            List<String> last = all.subList(Math.max(0, all.size() - TAIL_LINES), all.size());
            return last.isEmpty() ? " and printed nothing" : ": " + String.join("; ", last);
        } catch (IOException | RuntimeException e) {
            return " (" + output + ")";
        }
    }

    /** Stops the daemon with all that is mapped; true where it ran. */
    public boolean stopMain() {
        Optional<ProcessState> main = living(ProcessState.MAIN);
        if (main.isEmpty()) {
            return false;
        }
        Invocation stop = new Invocation("archipelago", List.of("stop", "--force"), Map.of(), Path.of("/"), Console.Terminal.NONE);
        try {
            ControlClient.Result result = ControlClient.call(locations.controlSocket(), stop, SILENCE_MILLIS);
            if (result.code() != ExitCode.OK.number()) {
                throw new Failure(ExitCode.FAILED, "archipelagod does not stop: " + result.output().strip());
            }
        } catch (IOException e) {
            complaints.accept("archipelago: " + locations.controlSocket() + ": " + e.getMessage() + ": process " + main.get().process().pid()
                + " gets SIGTERM instead");
            main.get().stop(0);
        }
        ended(ProcessState.MAIN, main.get(), main.get().awaitEnd(STOP_MILLIS));
        return true;
    }

    /** Ends the process of a role; true where it ran. */
    public boolean stopProcess(String process) {
        Optional<ProcessState> state = living(process);
        state.ifPresent(s -> ended(process, s, s.stop(STOP_MILLIS)));
        return state.isPresent();
    }

    private static void ended(String process, ProcessState state, boolean ended) {
        if (!ended) {
            throw new Failure(ExitCode.TIMED_OUT, process + ", process " + state.process().pid() + ", has not ended within "
                + STOP_MILLIS / 1000 + " s: look at its log; kill -9 loses no write that was answered");
        }
    }

    private static void pause() {
        try {
            Thread.sleep(POLL_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Failure(ExitCode.FAILED, "interrupted", e);
        }
    }
}
