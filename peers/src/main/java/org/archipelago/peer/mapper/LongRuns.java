package org.archipelago.peer.mapper;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Reactor;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;

/**
 * Work on volumes that may take hours: done in steps of about a second, each of which a command asks for. So it has a rate, shows
 * how far it is, and ends with its command.
 *
 * <p>A request carries {@code {"run": "name of the run", ...}}; the first one of a run begins it, the answer that has
 * {@code "done": true} ends it, and so does a failure. {@code "end": true} gives it up; so is, after some minutes, what is
 * asked for no more.
 * Thread-safe; works on threads of its own.
 */
final class LongRuns implements AutoCloseable {
    /** Work in steps. One thread at a time. */
    interface Run extends AutoCloseable {
        /** Works for about {@link #STEP_NANOS}; the answer has "done" when there is nothing left. */
        JsonObject step(JsonObject argument);

        /** Lets go of what it holds, whether it has come to its end or not. */
        @Override
        default void close() { }
    }

    /** Begins a run: name is the request's target. */
    interface Beginner {
        Run begin(String name, JsonObject argument);
    }

    /** How long a step works. */
    static final long STEP_NANOS = 1_000_000_000L;

    private static final System.Logger LOG = System.getLogger(LongRuns.class.getName());
    private static final int RUNS_MAX = 16;
    private static final long FORGOTTEN_NANOS = 300_000_000_000L;

    private final ExecutorService threads;
    private final Map<Integer, Beginner> beginners;
    private final Map<String, Entry> runs = new ConcurrentHashMap<>();

    private static final class Entry {
        final int op;
        final Run run;
        private boolean ended;
        private volatile boolean stepping;
        private volatile long asked = System.nanoTime();

        Entry(int op, Run run) {
            this.op = op;
            this.run = run;
        }

        synchronized JsonObject step(JsonObject argument) {
            if (ended) {
                throw new Failure(Errno.ENOENT, "the run has been given up: begin again");
            }
            stepping = true;
            try {
                return run.step(argument);
            } finally {
                stepping = false;
                asked = System.nanoTime();
            }
        }

        synchronized void end() {
            if (!ended) {
                ended = true;
                run.close();
            }
        }

        boolean isForgotten() {
            return !stepping && System.nanoTime() - asked > FORGOTTEN_NANOS;
        }
    }

    /**
     * @param threads with a bounded queue; ended with this
     * @param beginners for each operation
     */
    LongRuns(ExecutorService threads, Map<Integer, Beginner> beginners) {
        this.threads = threads;
        this.beginners = Map.copyOf(beginners);
    }

    /** Takes a step for a request, and answers it on its reactor. */
    void step(Reactor reactor, Request request) {
        step(reactor, request, argument -> { });
    }

    /** more: adds to the request's argument what the mapper knows. */
    void step(Reactor reactor, Request request, Consumer<JsonObject> more) {
        int op = request.op();
        String name = request.target();
        byte[] argument = request.payload((int) Math.max(0, Math.min(request.length(), Math.min(request.dataLength(), Caller.PAYLOAD_MAX))));
        try {
            threads.execute(() -> {
                Runnable answer = step(op, name, argument, more, request);
                reactor.execute(answer);
            });
        } catch (RejectedExecutionException e) {
            request.fail(Errno.EAGAIN, "too many long operations wait: try again");
        }
    }

    private Runnable step(int op, String name, byte[] bytes, Consumer<JsonObject> more, Request request) {
        try {
            JsonObject argument = JsonParser.parseString(new String(bytes, StandardCharsets.UTF_8)).getAsJsonObject();
            more.accept(argument);
            byte[] answer = step(op, name, argument).toString().getBytes(StandardCharsets.UTF_8);
            return () -> request.reply(answer);
        } catch (Failure e) {
            return () -> request.fail(e.errno(), e.getMessage());
        } catch (JsonParseException | IllegalStateException | UnsupportedOperationException | NumberFormatException e) {
            return () -> request.fail(Errno.EINVAL, "bad argument of " + Op.name(op) + " " + name + ": " + e.getMessage());
        } catch (RuntimeException | Error e) {
            LOG.log(Level.ERROR, "a defect in " + Op.name(op) + " of " + name, e);
            return () -> request.fail(Errno.EIO, "a defect in " + Op.name(op) + " of " + name + ": see the daemon's log");
        }
    }

    private JsonObject step(int op, String name, JsonObject argument) {
        if (!argument.has("run")) {
            throw new Failure(Errno.EINVAL, Op.name(op) + " of " + name + " needs the name of a run");
        }
        String key = argument.get("run").getAsString();
        endForgotten();
        if (argument.has("end")) {
            return giveUp(key);
        }
        Entry entry = runs.computeIfAbsent(key, added -> begin(op, name, argument));
        boolean ends = true;
        try {
            if (entry.op != op) {
                throw new Failure(Errno.EINVAL, "run " + key + " is one of " + Op.name(entry.op));
            }
            JsonObject answer = entry.step(argument);
            ends = answer.has("done") && answer.get("done").getAsBoolean();
            return answer;
        } finally {
            if (ends) {
                runs.remove(key, entry);
                entry.end();
            }
        }
    }

    private JsonObject giveUp(String key) {
        Entry entry = runs.remove(key);
        if (entry != null) {
            entry.end();
        }
        JsonObject answer = new JsonObject();
        answer.addProperty("done", true);
        return answer;
    }

    private Entry begin(int op, String name, JsonObject argument) {
        if (runs.size() >= RUNS_MAX) {
            throw new Failure(Errno.EAGAIN, RUNS_MAX + " long operations are under way, which is the most at a time: try again later");
        }
        return new Entry(op, beginners.get(op).begin(name, argument));
    }

    private void endForgotten() {
        runs.forEach((key, entry) -> {
            if (entry.isForgotten() && runs.remove(key, entry)) {
                entry.end();
            }
        });
    }

    /** Lets the steps that are under way end, and gives up the runs. */
    @Override
    public void close() {
        ControlThread.end(threads);
        runs.values().forEach(Entry::end);
        runs.clear();
    }
}
