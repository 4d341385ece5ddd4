package org.archipelago.peer.volume;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.archipelago.peer.Peer;
import org.archipelago.peer.volume.MemoryStore.Content;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;

/** A blocker over a {@link MemoryStore}: answers at once, and keeps what it has open, as file blockers do. */
final class MemoryBlocker implements Peer {
    private static final int SCAN_PAGE = 10;
    private static final int TEXT_MAX = 16 << 10;

    /** As a file blocker does, so that a SYNC of everything has nothing left to do. */
    static boolean syncsAtItsStart = true;

    private final MemoryStore store;
    private final Map<String, Content> open;

    /** open: what this node has open, shared by its reactors: a concurrent map. */
    MemoryBlocker(MemoryStore store, Map<String, Content> open) {
        this.store = store;
        this.open = open;
    }

    private Optional<Content> content(Request request) {
        String name = request.target();
        if (request.has(Op.FRESH)) {
            open.remove(name);
        }
        Content known = open.get(name);
        if (known != null) {
            return Optional.of(known);
        }
        Optional<Content> found = request.has(Op.CREATE_ABSENT) ? Optional.of(store.open(name, madeSize(request))) : store.find(name);
        found.ifPresent(content -> open.put(name, content));
        return found;
    }

    @Override
    public void accept(Request request) {
        String name = request.target();
        switch (request.op()) {
            case Op.READ, Op.WRITE, Op.ZERO, Op.SYNC -> data(request, name);
            case Op.INFO -> store.find(name).ifPresentOrElse(
                content -> request.reply(("{\"size\": " + store.size(content) + "}").getBytes(StandardCharsets.UTF_8)),
                () -> request.complete(Errno.ENOENT));
            case Op.CREATE -> {
                open.remove(name);
                request.complete(store.create(name, request.payload((int) request.length())) ? 0 : Errno.EEXIST);
            }
            case Op.PUT -> {
                open.remove(name);
                store.put(name, request.payload((int) request.length()));
                request.complete(0);
            }
            case Op.DELETE -> {
                open.remove(name);
                request.complete(store.delete(name, request.has(Op.LAZY)) ? 0 : Errno.ENOENT);
            }
            case Op.RENAME -> rename(request, name);
            case Op.LIST -> list(request, name);
            case Op.SCAN -> scan(request, name);
            default -> request.complete(Errno.EOPNOTSUPP);
        }
    }

    private void data(Request request, String name) {
        if (request.op() == Op.SYNC && name.equals("*")) {
            if (!syncsAtItsStart) {
                store.sync();
            } // a file blocker did that when it started, and answers at once
            request.complete(0);
            return;
        }
        Optional<Content> found = content(request);
        if (found.isEmpty()) {
            request.complete(Errno.ENOENT);
            return;
        }
        Content content = found.get();
        int length = (int) request.length();
        switch (request.op()) {
            case Op.READ -> {
                if (request.has(Op.EXACT) && length > 0 && request.offset() + length > store.size(content)) {
                    request.complete(Errno.EIO);
                    return;
                }
                request.data().put(0, store.read(content, request.offset(), length));
            }
            case Op.WRITE -> store.write(content, request.offset(), request.payload(length));
            case Op.ZERO -> store.write(content, request.offset(), new byte[length]);
            default -> { }
        }
        if (request.op() == Op.SYNC || request.has(Op.FUA)) {
            store.sync(name, content);
        }
        request.complete(request.length());
    }

    private void rename(Request request, String name) {
        String to = argument(request).get("to").getAsString();
        open.remove(name);
        open.remove(to);
        if (store.find(name).isEmpty()) {
            request.complete(Errno.ENOENT);
        } else if (store.find(to).isPresent()) {
            request.complete(Errno.EEXIST);
        } else {
            store.rename(name, to);
            request.complete(0);
        }
    }

    private static long madeSize(Request request) {
        return Op.madeSize(request.flags()) == 0 ? 0 : 1L << Op.madeSize(request.flags());
    }

    private static JsonObject argument(Request request) {
        return JsonParser.parseString(new String(request.payload((int) request.length()), StandardCharsets.UTF_8)).getAsJsonObject();
    }

    /** A page of few names, so that cursors matter. */
    private void scan(Request request, String name) {
        JsonObject argument = argument(request);
        String after = argument.get("cursor").getAsString();
        JsonArray names = new JsonArray();
        JsonArray sizes = new JsonArray();
        JsonObject answer = new JsonObject();
        answer.addProperty("cursor", "");
        JsonArray texts = new JsonArray();
        for (String found : store.list("")) {
            if (found.compareTo(after) <= 0 || !name.equals("*") && Stream.of(name.split(",")).noneMatch(found::startsWith)) {
                continue;
            }
            if (names.size() == SCAN_PAGE) {
                answer.addProperty("cursor", names.get(SCAN_PAGE - 1).getAsString());
                break;
            }
            names.add(found);
            texts.add(store.find(found).map(content -> new String(store.read(content, 0, (int) Math.min(TEXT_MAX, store.size(content))),
                StandardCharsets.ISO_8859_1)).orElse(""));
            sizes.add(store.find(found).map(store::allocated).orElse(0L));
        }
        answer.add("names", names);
        if (argument.has("sizes") && argument.get("sizes").getAsBoolean()) {
            answer.add("sizes", sizes);
        }
        if (argument.has("texts") && argument.get("texts").getAsBoolean()) {
            answer.add("texts", texts);
        }
        request.reply(answer.toString().getBytes(StandardCharsets.UTF_8));
    }

    private void list(Request request, String name) {
        String after = argument(request).get("after").getAsString();
        JsonArray names = new JsonArray();
        boolean none = argument(request).get("original").getAsBoolean(); // the original left nothing here
        store.list(name).stream().filter(found -> !none && found.compareTo(after) > 0).forEach(names::add);
        JsonObject answer = new JsonObject();
        answer.add("names", names);
        answer.addProperty("more", false);
        request.reply(answer.toString().getBytes(StandardCharsets.UTF_8));
    }
}
