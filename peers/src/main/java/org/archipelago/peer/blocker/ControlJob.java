package org.archipelago.peer.blocker;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.sun.jna.Pointer;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;

/** A control operation on a store: on whole objects or on names. */
final class ControlJob extends Job {
    /** Target of a LIST, a SCAN, or a SYNC, of everything. */
    private static final String ALL = "*";

    private final FileBlocker blocker;
    private final FileStore store;
    private final Request request;
    private final int op;
    private final String name;
    private final long address;
    private final long room;
    private final long length;
    /** Names whose open files may be out of date then, even if it failed. */
    private List<String> changed = List.of();
    private byte[] answer;
    private int errno;
    private String message;

    /** On the reactor; the request's data lies within the segment. */
    ControlJob(FileBlocker blocker, FileStore store, Request request, int op, long address, long room) {
        this.blocker = blocker;
        this.store = store;
        this.request = request;
        this.op = op;
        this.address = address;
        this.room = room;
        this.length = request.length();
        this.name = request.target();
    }

    @Override
    void run(Scratch scratch) {
        try {
            work();
        } catch (StoreException e) {
            errno = e.errno();
            message = e.getMessage();
        } catch (RuntimeException | Error e) {
            errno = Errno.EIO;
            message = "a defect in " + Op.name(op) + " of object " + name + ": see the daemon's log";
            store.log().say(Level.ERROR, message, e);
        }
        if (changed.isEmpty()) {
            blocker.giveBack(this);
        } else {
            store.onEachReactor(b -> changed.forEach(b::forget), () -> blocker.giveBack(this));
        }
    }

    private void work() {
        boolean isAll = name.equals(ALL) && (op == Op.LIST || op == Op.SCAN || op == Op.SYNC);
        if (!isAll && !(op == Op.SCAN ? prefixes().stream().allMatch(ObjectPath::isName) : ObjectPath.isName(name))) {
            throw new StoreException(Errno.EINVAL, "not a name of an object, which is 1 to " + ObjectPath.NAME_MAX
                + " of A-Z a-z 0-9 . _ + : @ - and does not begin with a dot: " + name.replaceAll("[^ -~]", "?"));
        }
        StoreFiles files = store.files();
        switch (op) {
            case Op.INFO -> {
                JsonObject json = new JsonObject();
                json.addProperty("size", files.size(name));
                answer = json.toString().getBytes(StandardCharsets.UTF_8);
            }
            case Op.LIST -> answer = list();
            case Op.SCAN -> answer = scan();
            case Op.SYNC -> sync();
            case Op.CREATE -> {
                long size = payloadLength();
                changed = List.of(name);
                files.create(name, address, size);
            }
            case Op.PUT -> {
                long size = payloadLength();
                changed = List.of(name);
                files.put(name, address, size);
            }
            case Op.DELETE -> {
                changed = List.of(name);
                files.delete(name, request.has(Op.LAZY));
            }
            case Op.RENAME -> {
                String to = member("to", JsonElement::getAsString, "");
                if (!ObjectPath.isName(to)) {
                    throw new StoreException(Errno.EINVAL, "cannot rename object " + name
                        + ": its data must be {\"to\": name}, with a name of an object");
                }
                changed = List.of(name, to);
                files.rename(name, to);
            }
            default -> throw new IllegalStateException(Op.name(op));
        }
    }

    private void sync() {
        int result = store.syncAll();
        if (result != 0) {
            store.log().failure("sync of everything", ALL, result);
            throw StoreException.of(result, "cannot make durable what is in " + store.files().paths().root());
        }
    }

    private byte[] list() {
        StoreListing listing = new StoreListing(prefix(), member("after", JsonElement::getAsString, ""), room);
        boolean original = member("original", JsonElement::getAsBoolean, false);
        read(names -> {
            if (original) {
                store.files().originals().forEach(listing::add);
            } else {
                listing.read(names);
            }
        });
        refuseRoom(listing.isTooSmall());
        return listing.answer();
    }

    private byte[] scan() {
        StoreScan.Detail detail = member("texts", JsonElement::getAsBoolean, false) ? StoreScan.Detail.TEXTS
            : member("sizes", JsonElement::getAsBoolean, false) ? StoreScan.Detail.SIZES : StoreScan.Detail.NONE;
        StoreScan scan = StoreScan.from(member("cursor", JsonElement::getAsString, ""), prefixes(), detail, room);
        read(scan::read);
        refuseRoom(scan.isTooSmall());
        return scan.answer();
    }

    private String prefix() {
        return name.equals(ALL) ? "" : name;
    }

    private List<String> prefixes() {
        return List.of(prefix().split(",", -1));
    }

    /** Reads names, of which only those of a store that is still there count. */
    private void read(Consumer<StoreNames> reader) {
        try (StoreNames names = new StoreNames(store.files().paths())) {
            reader.accept(names);
        } catch (StoreException e) {
            store.log().say(Level.ERROR, e.getMessage());
            throw e;
        }
        if (!store.files().isThere()) {
            throw new StoreException(Errno.EIO, "the store in " + store.files().paths().root()
                + " has gone: mount it again, or restart the daemon");
        }
    }

    private void refuseRoom(boolean isTooSmall) {
        if (isTooSmall) {
            throw new StoreException(Errno.EMSGSIZE, "the request has no room for a name: " + room + " bytes");
        }
    }

    private long payloadLength() {
        if (length < 0 || length > room) {
            throw new StoreException(Errno.EINVAL, "cannot write object " + name + ": its length is " + length
                + ", the request has " + room + " bytes of data");
        }
        return length;
    }

    /** A member of the JSON object in the request's data, or what it is where there is none. */
    private <T> T member(String key, Function<JsonElement, T> type, T absent) {
        byte[] bytes = new Pointer(address).getByteArray(0, Math.toIntExact(Math.min(payloadLength(), 1 << 16)));
        try {
            if (bytes.length == 0) {
                return absent;
            }
            JsonElement value = JsonParser.parseString(new String(bytes, StandardCharsets.UTF_8)).getAsJsonObject()
                .get(key);
            return value == null ? absent : type.apply(value);
        } catch (JsonParseException | IllegalStateException | UnsupportedOperationException e) {
            throw new StoreException(Errno.EINVAL, Op.name(op) + " of " + name + ": its data must be a JSON object with \""
                + key + "\"");
        }
    }

    @Override
    void finished() {
        if (errno != 0) {
            request.fail(errno, message);
        } else if (answer != null) {
            request.reply(answer);
        } else {
            request.complete(0L);
        }
    }
}
