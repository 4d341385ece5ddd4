package org.archipelago.ext.node;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;

/**
 * The control operations on volumes, sent to the composer: docs/operations.md. A failure becomes a
 * {@link Failure} with the peer's own sentence. Thread-safe; every call has a bound.
 */
public final class Volumes {
    private static final String ALL = "*";

    private final Caller caller;
    private final int port;
    private final int mapperPort;

    /**
     * @param port of the composer
     * @param mapperPort of the composer's mapper
     */
    public Volumes(Caller caller, int port, int mapperPort) {
        this.caller = caller;
        this.port = port;
        this.mapperPort = mapperPort;
    }

    public Volume info(String name) {
        return Volume.of(json(send(call(Op.INFO, name), "info")));
    }

    /** Empty where there is none of that name. */
    public Optional<Volume> find(String name) {
        Reply reply = caller.call(call(Op.INFO, name));
        return reply.status() == Errno.ENOENT ? Optional.empty() : Optional.of(Volume.of(json(checked(reply, "info", name))));
    }

    /** All whose names begin so, in the order of their names. */
    public List<Volume> list(String prefix) {
        List<Volume> volumes = new ArrayList<>();
        String after = "";
        while (true) {
            JsonObject ask = new JsonObject();
            ask.addProperty("after", after);
            JsonObject page = json(send(call(Op.LIST, prefix.isEmpty() ? ALL : prefix).data(bytes(ask)), "list"));
            for (JsonElement volume : page.getAsJsonArray("volumes")) {
                volumes.add(Volume.of(volume.getAsJsonObject()));
            }
            if (!page.get("more").getAsBoolean() || volumes.isEmpty() || volumes.get(volumes.size() - 1).name().equals(after)) {
                return volumes;
            }
            after = volumes.get(volumes.size() - 1).name();
        }
    }

    /**
     * Makes a volume.
     *
     * @param size bytes; 0: the origin's
     * @param origin a snapshot; empty: zeros
     */
    public void create(String name, long size, String origin, Map<String, String> metadata) {
        create(name, size, origin, OptionalLong.empty(), metadata);
    }

    /** originSize: bytes that an image of the original has, whose map has whole blocks alone. */
    public void create(String name, long size, String origin, OptionalLong originSize, Map<String, String> metadata) {
        JsonObject ask = new JsonObject();
        ask.addProperty("size", size);
        if (!origin.isEmpty()) {
            ask.addProperty("origin", origin);
        }
        originSize.ifPresent(bytes -> ask.addProperty("originSize", bytes));
        ask.add("metadata", object(metadata));
        send(call(Op.CREATE, name).data(bytes(ask)), "create");
    }

    public void snapshot(String volume, String snapshot) {
        JsonObject ask = new JsonObject();
        ask.addProperty("name", snapshot);
        send(call(Op.SNAPSHOT, volume).data(bytes(ask)), "snapshot");
    }

    public void rename(String volume, String to) {
        JsonObject ask = new JsonObject();
        ask.addProperty("to", to);
        send(call(Op.RENAME, volume).data(bytes(ask)), "rename");
    }

    public void remove(String name) {
        remove(name, false);
    }

    /** force: also one that is damaged, whose space garbage collection frees where nothing else names it. */
    public void remove(String name, boolean force) {
        send(call(Op.DELETE, name).flags(force ? Op.FORCE : 0), "remove");
    }

    /** False where there is none of that name. */
    public boolean removeIfThere(String name, boolean force) {
        return sendIfThere(call(Op.DELETE, name).flags(force ? Op.FORCE : 0), "remove");
    }

    public void resize(String name, long size) {
        send(call(Op.RESIZE, name).range(0, size), "resize");
    }

    /** An empty value removes a key. */
    public void setInfo(String name, Map<String, String> values) {
        send(call(Op.SETINFO, name).data(bytes(object(values))), "setinfo");
    }

    /** Takes the volume for this node, or, not exclusive, announces that another will take over. */
    public void open(String name, boolean exclusive) {
        send(call(Op.OPEN, name).flags(exclusive ? Op.EXCLUSIVE : Op.SHARED), "open");
    }

    public void close(String name) {
        send(call(Op.CLOSE, name), "close");
    }

    /** False where there is none of that name. */
    public boolean closeIfThere(String name) {
        return sendIfThere(call(Op.CLOSE, name), "close");
    }

    /** Makes what was written durable. */
    public void flush(String name) {
        send(call(Op.FLUSH, name), "flush");
    }

    public void lock(String name) {
        send(call(Op.LOCK, name), "lock");
    }

    /** Breaks another node's lock and lease where force is set. */
    public void unlock(String name, boolean force) {
        send(call(Op.UNLOCK, name).flags(force ? Op.FORCE : 0), "unlock");
    }

    /** What a volume's map consists of; reads all of it. */
    public JsonObject mapInfo(String name) {
        return json(send(Call.of(mapperPort, Op.STATUS, name), "mapinfo"));
    }

    /**
     * Does work of the mapper that takes long, in steps.
     *
     * @param argument what the operation wants to know
     * @param eachStep told of the answer to each step, the last one too; what it throws ends the work
     * @return the last answer
     */
    public JsonObject longRun(int op, String name, JsonObject argument, Consumer<JsonObject> eachStep) {
        return longRun(op, name, argument, () -> false, eachStep);
    }

    /** isWritten: asked before each step; whether the volume is being written: it then begins while no write is under way. */
    public JsonObject longRun(int op, String name, JsonObject argument, BooleanSupplier isWritten,
            Consumer<JsonObject> eachStep) {
        JsonObject ask = argument.deepCopy();
        ask.addProperty("run", UUID.randomUUID().toString());
        boolean done = false;
        try {
            while (true) {
                Call step = isWritten.getAsBoolean() ? call(op, name).flags(Op.EXCLUSIVE) : Call.of(mapperPort, op, name);
                JsonObject answer = json(send(step.data(bytes(ask)), Op.name(op)));
                done = answer.has("done") && answer.get("done").getAsBoolean();
                eachStep.accept(answer);
                if (done) {
                    return answer;
                }
            }
        } finally {
            if (!done) {
                ask.addProperty("end", true);
                caller.call(Call.of(mapperPort, op, name).data(bytes(ask)));
            }
        }
    }

    /** Status of a PING to any port of the segment, and who answers for it in words. */
    public Reply ping(int ofPort) {
        return caller.call(Call.of(ofPort, Op.PING, "ping"));
    }

    private Call call(int op, String name) {
        return Call.of(port, op, name);
    }

    private Reply send(Call call, String what) {
        return checked(caller.call(call), what, call.target());
    }

    private boolean sendIfThere(Call call, String what) {
        Reply reply = caller.call(call);
        if (reply.status() == Errno.ENOENT) {
            return false;
        }
        checked(reply, what, call.target());
        return true;
    }

    private static Reply checked(Reply reply, String what, String name) {
        if (reply.status() == Errno.OK) {
            return reply;
        }
        String sentence = !reply.message().isBlank() ? reply.message() : what + " " + name + ": " + (reply.status() == Errno.EHOSTDOWN
            ? "a role that this needs is not running ('archipelago status' tells which)" : Errno.text(reply.status()));
        throw new Failure(ExitCode.ofErrno(reply.status()), sentence);
    }

    private static byte[] bytes(JsonObject json) {
        return json.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static JsonObject object(Map<String, String> values) {
        JsonObject object = new JsonObject();
        values.forEach(object::addProperty);
        return object;
    }

    private static JsonObject json(Reply reply) {
        try {
            return JsonParser.parseString(reply.message()).getAsJsonObject();
        } catch (JsonParseException | IllegalStateException e) {
            throw new Failure(ExitCode.FAILED, "the mapper answered what is no JSON object: " + reply.message(), e);
        }
    }
}
