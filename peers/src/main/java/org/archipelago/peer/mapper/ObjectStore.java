package org.archipelago.peer.mapper;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayOutputStream;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.BiConsumer;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;

/** The objects behind one blocker's port, for control work: every call waits, and one that changes something until it is answered. Thread-safe. */
final class ObjectStore implements Texts {
    private static final System.Logger LOG = System.getLogger(ObjectStore.class.getName());
    /** Most bytes of a text. */
    static final int TEXT_MAX = 16 << 10;

    private final Caller caller;
    private final int port;
    private final String what;

    /** @param what is stored there, for messages */
    ObjectStore(Caller caller, int port, String what) {
        this.caller = caller;
        this.port = port;
        this.what = what;
    }

    /** Names of objects that begin so, after a name, in order; fewer than there are. */
    record Page(List<String> names, boolean more) {}

    /** Names of objects, with the bytes that each takes of the store where they were asked for; cursor: where the next page goes on, empty after the last. */
    record ScanPage(List<String> names, List<Long> sizes, String cursor) {}

    @Override
    public Optional<byte[]> readText(String object) {
        Reply reply = caller.call(Call.of(port, Op.READ, object).flags(Op.FRESH).range(0, TEXT_MAX));
        if (reply.status() == Errno.ENOENT) {
            return Optional.empty();
        }
        check(reply, "cannot read object " + object);
        int end = reply.data().length;
        while (end > 0 && reply.data()[end - 1] == 0) {
            end--; // what lies past an object's end reads as zeros
        }
        return Optional.of(Arrays.copyOf(reply.data(), end));
    }

    /** The whole object, which may have grown meanwhile but is never replaced; empty when it is absent. */
    Optional<byte[]> read(String object) {
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        long size = size(object);
        if (size < 0) {
            return Optional.empty();
        }
        while (whole.size() < size) {
            int length = (int) Math.min(Caller.PAYLOAD_MAX, size - whole.size());
            Reply reply = caller.call(Call.of(port, Op.READ, object).flags(whole.size() == 0 ? Op.FRESH : 0)
                .range(whole.size(), length));
            if (reply.status() == Errno.ENOENT) {
                return Optional.empty();
            }
            check(reply, "cannot read object " + object);
            whole.writeBytes(reply.data());
        }
        return Optional.of(whole.toByteArray());
    }

    /** A part of an object that must be there; flags: EXACT: all of it, else zeros follow its end; FRESH. */
    byte[] read(String object, long offset, int length, int flags) {
        Reply reply = caller.call(Call.of(port, Op.READ, object).flags(flags).range(offset, length));
        check(reply, "cannot read object " + object);
        return reply.data();
    }

    boolean exists(String object) {
        return size(object) >= 0;
    }

    /** Bytes; negative: it is absent. */
    long size(String object) {
        Reply reply = caller.call(Call.of(port, Op.INFO, object));
        if (reply.status() == Errno.ENOENT) {
            return -1;
        }
        check(reply, "cannot look at object " + object);
        return JsonParser.parseString(reply.message()).getAsJsonObject().get("size").getAsLong();
    }

    /** Makes an object; false when there is one already. */
    boolean create(String object, byte[] contents) {
        Reply reply = caller.insist(Call.of(port, Op.CREATE, object).data(contents));
        if (reply.status() == Errno.EEXIST) {
            return false;
        }
        check(reply, "cannot make object " + object);
        return true;
    }

    /** Replaces an object's contents, or makes it; atomic and durable whatever its size. */
    void put(String object, byte[] contents) {
        if (contents.length <= Caller.PAYLOAD_MAX) {
            check(caller.insist(Call.of(port, Op.PUT, object).data(contents)), "cannot write object " + object);
            return;
        }
        // too large for one request: such an object is named by nothing yet, so it may grow piece by piece
        delete(object);
        for (int at = 0; at < contents.length; at += Caller.PAYLOAD_MAX) {
            byte[] piece = Arrays.copyOfRange(contents, at, Math.min(contents.length, at + Caller.PAYLOAD_MAX));
            write(object, at, piece);
        }
        sync(object);
    }

    /** The same of what can be done without: where the store is full, all stays as it is. */
    void putIfRoom(String object, byte[] contents) {
        try {
            put(object, contents);
        } catch (Failure e) {
            if (!e.isFull()) {
                throw e;
            }
            LOG.log(Level.DEBUG, "done without: {0}", e.getMessage());
        }
    }

    /** What was written to the object before survives a power cut. */
    void sync(String object) {
        check(caller.insist(Call.of(port, Op.SYNC, object)), "cannot make object " + object + " durable");
    }

    void write(String object, long offset, byte[] bytes) {
        check(caller.insist(Call.of(port, Op.WRITE, object).flags(Op.CREATE_ABSENT).data(bytes).range(offset, bytes.length)),
            "cannot write object " + object);
    }

    /** False when it was absent. */
    boolean delete(String object) {
        return delete(object, 0);
    }

    private boolean delete(String object, int flags) {
        Reply reply = caller.insist(Call.of(port, Op.DELETE, object).flags(flags));
        if (reply.status() == Errno.ENOENT) {
            return false;
        }
        check(reply, "cannot remove object " + object);
        return true;
    }

    /** The same, but a power cut may bring it back. */
    boolean deleteLazily(String object) {
        return delete(object, Op.LAZY);
    }

    /** Returns 0, ENOENT or EEXIST. */
    int rename(String object, String to) {
        JsonObject argument = new JsonObject();
        argument.addProperty("to", to);
        Reply reply = caller.insist(Call.of(port, Op.RENAME, object).data(bytes(argument)));
        if (reply.status() != Errno.ENOENT && reply.status() != Errno.EEXIST) {
            check(reply, "cannot rename object " + object);
        }
        return reply.status();
    }

    Page list(String prefix, String after) {
        return list(prefix, after, false);
    }

    /** The same for objects that the original left. */
    Page listOriginal(String prefix, String after) {
        return list(prefix.isEmpty() ? "*" : prefix, after, true);
    }

    private Page list(String prefix, String after, boolean original) {
        JsonObject argument = new JsonObject();
        argument.addProperty("after", after);
        argument.addProperty("original", original);
        Reply reply = caller.call(Call.of(port, Op.LIST, prefix).data(bytes(argument)));
        check(reply, "cannot list objects " + prefix + "*");
        JsonObject answer = JsonParser.parseString(reply.message()).getAsJsonObject();
        List<String> names = new ArrayList<>();
        JsonArray array = answer.getAsJsonArray("names");
        for (JsonElement name : array) {
            names.add(name.getAsString());
        }
        return new Page(names, answer.get("more").getAsBoolean());
    }

    /**
     * Goes on with a walk through all objects that begin so, in the store's own order: what is there throughout is told once.
     *
     * @param prefix {@code *}: all
     * @param cursor of the page before; empty: begins
     */
    ScanPage scan(String prefix, String cursor, boolean sizes) {
        JsonObject answer = scan(prefix, cursor, sizes ? "sizes" : "names");
        List<String> names = new ArrayList<>();
        answer.getAsJsonArray("names").forEach(name -> names.add(name.getAsString()));
        List<Long> allocated = new ArrayList<>();
        if (sizes) {
            answer.getAsJsonArray("sizes").forEach(size -> allocated.add(size.getAsLong()));
        }
        return new ScanPage(names, allocated, answer.get("cursor").getAsString());
    }

    /**
     * Walks through all texts whose names begin so.
     *
     * @param prefixes separated by commas
     * @param text takes a name and what is in it, in the store's own order: what is there throughout is told once
     */
    void texts(String prefixes, BiConsumer<String, byte[]> text) {
        String cursor = "";
        do {
            JsonObject page = scan(prefixes, cursor, "texts");
            JsonArray names = page.getAsJsonArray("names");
            JsonArray texts = page.getAsJsonArray("texts");
            for (int i = 0; i < names.size(); i++) {
                text.accept(names.get(i).getAsString(), texts.get(i).getAsString().getBytes(StandardCharsets.ISO_8859_1));
            }
            cursor = page.get("cursor").getAsString();
        } while (!cursor.isEmpty());
    }

    private JsonObject scan(String prefixes, String cursor, String detail) {
        JsonObject argument = new JsonObject();
        argument.addProperty("cursor", cursor);
        argument.addProperty(detail, true);
        Reply reply = caller.call(Call.of(port, Op.SCAN, prefixes).data(bytes(argument)));
        check(reply, "cannot list objects " + prefixes);
        return JsonParser.parseString(reply.message()).getAsJsonObject();
    }

    private static byte[] bytes(JsonObject json) {
        return json.toString().getBytes(StandardCharsets.UTF_8);
    }

    private void check(Reply reply, String failed) {
        int errno = reply.status();
        if (errno != 0) {
            throw new Failure(errno, failed + (reply.message().isEmpty() ? " in the store of " + what + " (the role at port " + port
                + "): " + Errno.text(errno) + ": " + advice(errno) : ": " + reply.message()));
        }
    }

    /** Where the blocker said nothing to people, it did so in its log. */
    private static String advice(int errno) {
        return switch (errno) {
            case Errno.ENOSPC, Errno.EDQUOT -> "free space there or add some, then try again";
            case Errno.EROFS -> "make its file system writable, then try again";
            default -> "the daemon's log says more";
        };
    }
}
