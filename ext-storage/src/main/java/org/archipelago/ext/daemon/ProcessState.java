package org.archipelago.ext.daemon;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/**
 * What a process of ours says of itself in RUN/NAME.state, for whoever started it and for status.
 *
 * @param phase as it was when the file was written; a process that has died cannot tell
 * @param why of FAILED, one line
 * @param roles how each of its roles is: an empty text where it runs, else why it does not
 * @param since seconds since 1970
 */
public record ProcessState(ProcessId process, Phase phase, String why, Map<String, String> roles, long since) {
    /** Name of the main process. */
    public static final String MAIN = "archipelagod";

    private static final long POLL_MILLIS = 5;

    public enum Phase { STARTING, RUNNING, FAILED, STOPPED }

    public static ProcessState now(Phase phase, String why, Map<String, String> roles) {
        return new ProcessState(ProcessId.current(), phase, why, roles, System.currentTimeMillis() / 1000);
    }

    /** Runs, as far as it can be told from outside. */
    public boolean running() {
        return phase == Phase.RUNNING && process.alive();
    }

    /** Sends SIGTERM and waits; true once it has ended. For the daemon: root does not believe the file ({@link Launcher}). */
    boolean stop(long boundMillis) {
        ProcessHandle.of(process.pid()).filter(h -> process.alive()).ifPresent(ProcessHandle::destroy);
        return awaitEnd(boundMillis);
    }

    /** Sends SIGKILL and waits; true once it has ended. */
    boolean kill(long boundMillis) {
        ProcessHandle.of(process.pid()).filter(h -> process.alive()).ifPresent(ProcessHandle::destroyForcibly);
        return awaitEnd(boundMillis);
    }

    /** True once it has ended. */
    boolean awaitEnd(long boundMillis) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(boundMillis);
        try {
            while (process.alive() && System.nanoTime() - deadline < 0) {
                Thread.sleep(POLL_MILLIS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return !process.alive();
    }

    static Path pidFile(Path run, String name) {
        return run.resolve(name + ".pid");
    }

    private static Path file(Path run, String name) {
        return run.resolve(name + ".state");
    }

    public void write(Path run, String name) {
        JsonObject json = new JsonObject();
        json.addProperty("pid", process.pid());
        json.addProperty("start", process.start());
        json.addProperty("phase", phase.name());
        json.addProperty("why", why);
        json.addProperty("since", since);
        JsonObject roleStates = new JsonObject();
        roles.forEach(roleStates::addProperty);
        json.add("roles", roleStates);
        try {
            replace(file(run, name), json + "\n");
            if (phase == Phase.STARTING) {
                replace(pidFile(run, name), process.pid() + "\n");
            } else if (phase == Phase.FAILED || phase == Phase.STOPPED) {
                Files.deleteIfExists(pidFile(run, name));
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file(run, name) + ": " + e.getMessage(), e);
        }
    }

    private static void replace(Path file, String text) throws IOException {
        Path temporary = file.resolveSibling(file.getFileName() + ".new");
        Files.write(temporary, text.getBytes(StandardCharsets.UTF_8));
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Empty where the process has never run since the boot, or the file is no state. */
    public static Optional<ProcessState> read(Path run, String name) {
        try {
            JsonObject json = JsonParser.parseString(Files.readString(file(run, name))).getAsJsonObject();
            Map<String, String> roles = new TreeMap<>();
            json.getAsJsonObject("roles").entrySet().forEach(e -> roles.put(e.getKey(), e.getValue().getAsString()));
            return Optional.of(new ProcessState(new ProcessId(json.get("pid").getAsLong(), json.get("start").getAsLong()),
                Phase.valueOf(json.get("phase").getAsString()), json.get("why").getAsString(), roles, json.get("since").getAsLong()));
        } catch (IOException | JsonParseException | IllegalStateException | IllegalArgumentException | NullPointerException e) {
            return Optional.empty();
        }
    }
}
