package org.archipelago.ext;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.commons.exec.CommandLine;
import org.apache.commons.exec.DefaultExecutor;
import org.apache.commons.exec.PumpStreamHandler;
import org.archipelago.config.Locations;

/** The caller of a command that runs in a process of its own; runs the verbs about images itself. */
final class LocalConsole implements Console {
    private static final int COLUMNS = 80;

    private final Map<String, String> environment = System.getenv();
    private final Locations locations;
    private final PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, StandardCharsets.UTF_8);

    private volatile boolean leaving;
    private volatile boolean verbRuns;

    LocalConsole(Locations locations) {
        this.locations = locations;
    }

    @Override
    public Map<String, String> environment() {
        return environment;
    }

    @Override
    public Path directory() {
        return Path.of("").toAbsolutePath();
    }

    @Override
    public Terminal terminal() {
        boolean interactive = System.console() != null;
        String columns = environment.getOrDefault("COLUMNS", "");
        return new Terminal(interactive, interactive, interactive, columns.matches("\\d{2,3}") ? Integer.parseInt(columns) : COLUMNS);
    }

    @Override
    public void out(String text) {
        out.print(text);
        out.flush();
    }

    @Override
    public void err(String text) {
        System.err.print(text);
    }

    @Override
    public VerbResult verb(List<String> words) {
        switch (words.get(0)) {
            case "inspect":
                return run(true, "qemu-img", "info", "--output=json", file(words.get(1)));
            case "convert-in":
                return convert("-n", "-W", "-f", words.get(1), "-O", "raw", file(words.get(2)), volume(words.get(3)));
            case "convert-out":
                return convert("-f", "raw", "-O", words.get(1), volume(words.get(2)), file(words.get(3)));
            default:
                throw new Failure(ExitCode.NOT_RUNNING, "archipelagod is not running: start it with 'archipelago start'");
        }
    }

    private VerbResult convert(String... words) {
        Stream<String> progress = terminal().err() ? Stream.of("-p") : Stream.empty();
        Stream<String> line = Stream.concat(Stream.of("qemu-img", "convert", "-m", "8"), Stream.concat(progress, Stream.of(words)));
        return run(false, line.toArray(String[]::new));
    }

    /** A colon in a name is no protocol, a dash no option. */
    private static String file(String name) {
        return name.startsWith("/") ? name : "./" + name;
    }

    private String volume(String name) {
        return "nbd:unix:" + locations.imageSocket(name);
    }

    /** With the caller's rights, though this process may work as another user. */
    private VerbResult run(boolean capture, String... words) {
        List<String> line = new ArrayList<>();
        if ("root".equals(System.getProperty("user.name"))) {
            line.addAll(List.of("setpriv", "--reuid=0", "--regid=0", "--clear-groups"));
        }
        line.addAll(List.of(words));
        CommandLine command = new CommandLine(line.get(0));
        line.stream().skip(1).forEach(word -> command.addArgument(word, false));
        ByteArrayOutputStream captured = new ByteArrayOutputStream();
        DefaultExecutor executor = new DefaultExecutor();
        executor.setExitValues(null);
        executor.setStreamHandler(new PumpStreamHandler(capture ? captured : System.err, System.err));
        verbRuns = true;
        try {
            checkPresent();
            int status = executor.execute(command);
            return new VerbResult(status, captured.toString(StandardCharsets.UTF_8));
        } catch (IOException e) {
            return new VerbResult(Verb.NOT_INSTALLED, "");
        } finally {
            verbRuns = false;
        }
    }

    /** The process ends; so shall a verb's program, for which the command waits, but no daemon that was started here. */
    void leave() {
        leaving = true;
        if (verbRuns) {
            ProcessHandle.current().children().forEach(ProcessHandle::destroy);
        }
    }

    @Override
    public boolean gone() {
        return leaving;
    }
}
