package org.archipelago.ext.daemon;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.archipelago.config.ComposerRole;
import org.archipelago.config.Configuration;
import org.archipelago.config.DaemonSettings;
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
import org.archipelago.xseg.Segment;

/** Starts and ends the daemon and the processes of roles, from a process of its own. Every wait has a bound. */
public final class Launcher {
    private static final long START_MILLIS = 30_000;
    private static final long STOP_MILLIS = 60_000;
    private static final long SILENCE_MILLIS = 30_000;
    private static final long POLL_MILLIS = 10;
    private static final int TAIL_LINES = 5;
    private static final int TAIL_BYTES = 64 << 10;
    /** All that uses a device would wait for a daemon that was killed for its memory. */
    private static final List<String> KEPT_WHEN_MEMORY_ENDS =
        List.of("sh", "-c", "{ echo -900 > /proc/self/oom_score_adj; } 2> /dev/null; exec \"$@\"", "sh");
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

    /** Joins the segment of the daemon; throws SegmentException, or Failure where there is none. */
    public static Segment join(Locations locations, Configuration configuration) {
        if (ProcessState.read(locations.run(), ProcessState.MAIN).filter(ProcessState::running).isEmpty()) {
            throw new Failure(ExitCode.NOT_RUNNING, "archipelagod is not running: there is no segment to join; start it (archipelago start)");
        }
        String id = Identity.peek(locations.data()).orElseThrow(() -> new Failure(ExitCode.FAILED, "the identity below "
            + locations.data() + " cannot be read"));
        return Segment.join(Daemon.segmentName(configuration, Identity.shorten(id)));
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
        ProcessBuilder builder = new ProcessBuilder(command(process, output)).directory(new File("/"))
            .redirectInput(new File("/dev/null")).redirectErrorStream(true);
        environment(builder.environment());
        if (Reclaim.wanted(configuration)) {
            Reclaim.prepareChildren();
        }
        Process child;
        try {
            child = builder.start();
        } catch (IOException e) {
            throw new Failure(ExitCode.FAILED, "cannot start " + process + ": " + e.getMessage(), e);
        }
        await(process, child, output);
    }

    /** Root touches nothing in the log folder, where the daemon's user may have put a link: the process itself makes the file. */
    private List<String> command(String process, Path output) {
        List<String> words = new ArrayList<>(List.of("setsid"));
        if (Posix.geteuid() == 0 && Reclaim.wanted(configuration)) {
            words.addAll(KEPT_WHEN_MEMORY_ENDS);
        }
        words.addAll(asDaemon());
        if (Posix.geteuid() == 0 && asDaemon().isEmpty()) {
            complaints.accept("archipelago: warning: there is no user " + configuration.daemon().user() + " with a group "
                + configuration.daemon().group() + " (USER, GROUP): " + process + " runs as root");
        }
        words.addAll(List.of("sh", "-c", "rm -f \"$0\" && exec \"$@\" >\"$0\" 2>&1", output.toString()));
        words.addAll(javaCommand());
        words.addAll(List.of("archipelagod", "--config", locations.configuration().toString()));
        if (!process.equals(ProcessState.MAIN)) {
            words.addAll(List.of("--process", process));
        }
        return words;
    }

    /** What gives up root's rights for those of the daemon's user; nothing where there are none to give up, or no such user. */
    private List<String> asDaemon() {
        DaemonSettings daemon = configuration.daemon();
        return Posix.geteuid() == 0 && Folders.userExists(daemon)
            ? List.of("setpriv", "--reuid=" + daemon.user(), "--regid=" + daemon.group(), "--init-groups") : List.of();
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
                    .map(ProcessState::why).orElseGet(() -> "it ended with status " + child.exitValue() + tail(child, output)));
            }
            if (System.nanoTime() - deadline > 0) {
                child.destroyForcibly();
                throw new Failure(ExitCode.TIMED_OUT, process + " was not ready after " + START_MILLIS / 1000 + " s and has been ended; "
                    + "see " + locations.log().resolve(process + ".log"));
            }
            pause();
        }
    }

    /** The end of what a process printed that did not live to log, and before that what started it. */
    private static String tail(Process child, Path output) {
        try (InputStream before = child.getInputStream()) {
            String text = new String(before.readNBytes(TAIL_BYTES), StandardCharsets.UTF_8);
            if (Files.isRegularFile(output, LinkOption.NOFOLLOW_LINKS)) {
                try (InputStream in = Files.newInputStream(output, LinkOption.NOFOLLOW_LINKS)) {
                    text += new String(in.readNBytes(TAIL_BYTES), StandardCharsets.UTF_8);
                }
            }
            List<String> all = text.lines().filter(l -> !l.isBlank()).toList();
            List<String> last = all.subList(Math.max(0, all.size() - TAIL_LINES), all.size());
            return last.isEmpty() ? " and printed nothing" : ": " + String.join("; ", last);
        } catch (IOException e) {
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
            terminate(ProcessState.MAIN, main.get());
        }
        ended(ProcessState.MAIN, main.get(), main.get().awaitEnd(STOP_MILLIS));
        return true;
    }

    /** Ends the process of a role; true where it ran. */
    public boolean stopProcess(String process) {
        Optional<ProcessState> state = living(process);
        state.ifPresent(s -> {
            terminate(process, s);
            ended(process, s, s.awaitEnd(STOP_MILLIS));
        });
        return state.isPresent();
    }

    /** Sends SIGTERM with the rights of the daemon's user, who wrote which process that is. */
    private void terminate(String process, ProcessState state) {
        List<String> words = new ArrayList<>(asDaemon());
        words.addAll(List.of("sh", "-c", "kill -TERM \"$0\"", Long.toString(state.process().pid())));
        try {
            int status = new ProcessBuilder(words).redirectErrorStream(true).redirectOutput(Redirect.DISCARD).start().waitFor();
            if (status != 0 && state.process().alive()) {
                throw new Failure(ExitCode.FAILED, "cannot end " + process + ", which is process " + state.process().pid() + " by "
                    + locations.run().resolve(process + ".state") + ": that is no process of user " + configuration.daemon().user()
                    + " (USER): if it is " + process + " indeed, end it yourself; if not, remove that file");
            }
        } catch (IOException e) {
            throw new Failure(ExitCode.FAILED, "cannot end " + process + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    private static Failure interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new Failure(ExitCode.FAILED, "interrupted", e);
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
            throw interrupted(e);
        }
    }
}
