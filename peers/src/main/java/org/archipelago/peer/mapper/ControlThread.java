package org.archipelago.peer.mapper;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.ByteArrayOutputStream;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntConsumer;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeName;
import org.archipelago.peer.mapper.Leases.Taken;
import org.archipelago.peer.mapper.Leases.Use;
import org.archipelago.peer.mapper.VolumeState.Lease;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Reactor;

/**
 * The thread that does, one after another, the control operations on the volumes of one reactor: what
 * waits for the store never stops a reactor, and no two change one volume at a time.
 */
final class ControlThread {
    private static final System.Logger LOG = System.getLogger(ControlThread.class.getName());
    private static final int LIST_ROOM = 240 << 10;
    private static final byte[] LIST_HEAD = "{\"volumes\":[".getBytes(StandardCharsets.UTF_8);

    private final Reactor reactor;
    private final ExecutorService thread;
    private final ExecutorService reclaimer;
    private final VolumeStore store;
    private final Leases leases;
    private final ObjectStore maps;
    private final VolumeDescriber describer;
    private VolumeListing listing = VolumeListing.none();

    ControlThread(Reactor reactor, ExecutorService thread, ExecutorService reclaimer, VolumeStore store, Leases leases,
            ObjectStore maps, NodeIdentity me) {
        this.reactor = reactor;
        this.thread = thread;
        this.reclaimer = reclaimer;
        this.store = store;
        this.leases = leases;
        this.maps = maps;
        this.describer = new VolumeDescriber(store, leases, maps);
    }

    /** Work that waits; returns what the reactor shall do after it. */
    interface Work {
        Runnable with(VolumeStore store);
    }

    /** Does the work, then runs on the reactor what it returned; failed: on the reactor, why it was not done. */
    void execute(Work work, IntConsumer failed) {
        try {
            thread.execute(() -> {
                Runnable after;
                try {
                    after = work.with(store);
                } catch (RuntimeException | Error e) {
                    LOG.log(Level.ERROR, "a defect in a control operation", e);
                    after = () -> failed.accept(Errno.EIO);
                }
                reactor.execute(after);
            });
        } catch (RejectedExecutionException e) {
            failed.accept(Errno.EAGAIN);
        }
    }

    /** An operation that leaves maps in memory alone. */
    void run(Request request) {
        execute(request, Optional.empty(), state -> { });
    }

    /** An operation that may change a volume; after: on the reactor, with how the volume goes on. */
    void execute(Request request, Optional<VolumeState> held, Consumer<Optional<VolumeState>> after) {
        execute(new Outcome(request, held), outcome -> {
            held.ifPresent(VolumeState::prune);
            perform(outcome);
        }, after);
    }

    /** Makes the log that a volume shall go on in, in a new epoch, for a snapshot; then: on the reactor, with that log, before the answer. */
    void prepare(Request request, VolumeState volume, Consumer<Optional<LogState>> then) {
        LogState last = volume.log;
        Outcome prepared = new Outcome(request, Optional.empty());
        execute(prepared, o -> {
            LogState made = store.prepare(o.name, volume.header().id(), last.generation, last.epoch + 1, Optional.of(name(o, "name")));
            o.made = Optional.of(made);
            o.count(made.generation);
        }, ignored -> then.accept(prepared.made));
    }

    /** Makes a snapshot of a volume as it was before a log, while it goes on; then: on the reactor, before the answer. */
    void snapshot(Request request, VolumeState volume, LogState from, Runnable then) {
        execute(new Outcome(request, Optional.empty()), o -> store.snapshot(volume, from.generation, from.epoch, name(o, "name")),
            ignored -> then.run());
    }

    private void execute(Outcome outcome, Consumer<Outcome> operation, Consumer<Optional<VolumeState>> after) {
        Request request = outcome.request;
        Optional<VolumeState> held = outcome.state;
        execute(ignored -> {
            try {
                operation.accept(outcome);
            } catch (Failure e) {
                outcome.fail(e.errno(), e.getMessage());
            }
            return () -> {
                after.accept(outcome.state);
                outcome.answer();
            };
        }, errno -> {
            after.accept(errno == Errno.EAGAIN ? held : Optional.empty());
            request.fail(errno, errno == Errno.EAGAIN ? "too many control operations wait: try again"
                : "a defect in " + Op.name(request.op()) + " of " + outcome.name + ": see the daemon's log");
        });
    }

    /** What a control operation works on and comes to; the request is answered on the reactor. */
    private static final class Outcome {
        final Request request;
        final String name;
        Optional<VolumeState> state;
        Optional<LogState> made = Optional.empty();
        private final long length;
        /** Read once, on the reactor: others may write to a request's data. */
        private final byte[] argument;
        private Consumer<Request> answer = done -> done.complete(0);

        Outcome(Request request, Optional<VolumeState> state) {
            this.request = request;
            this.name = request.target();
            this.state = state;
            this.length = Math.max(0, Math.min(request.length(), request.dataLength()));
            this.argument = request.payload(length > Caller.PAYLOAD_MAX ? 0 : (int) length);
        }

        void fail(int errno, String message) {
            answer = done -> done.fail(errno, message);
        }

        void count(long number) {
            answer = done -> done.complete(number);
        }

        void reply(JsonObject json) {
            reply(json.toString().getBytes(StandardCharsets.UTF_8));
        }

        void reply(byte[] json) {
            answer = done -> done.reply(json);
        }

        void reply(JsonObject json, long size) {
            answer = done -> done.range(done.offset(), size).reply(json.toString().getBytes(StandardCharsets.UTF_8));
        }

        /** Takes what it needs from the request's argument. */
        <T> T argument(Function<JsonObject, T> take) {
            if (length > Caller.PAYLOAD_MAX) {
                throw new Failure(Errno.EMSGSIZE, "the argument of " + Op.name(request.op()) + " " + name + " has " + length + " bytes; "
                    + Caller.PAYLOAD_MAX + " are allowed");
            }
            String text = new String(argument, StandardCharsets.UTF_8);
            try {
                return take.apply(text.isEmpty() ? new JsonObject() : JsonParser.parseString(text).getAsJsonObject());
            } catch (JsonParseException | IllegalStateException | UnsupportedOperationException | IllegalArgumentException e) {
                throw new Failure(Errno.EINVAL, "bad argument of " + Op.name(request.op()) + " " + name + ": " + e.getMessage());
            }
        }

        void answer() {
            answer.accept(request);
        }
    }

    private void perform(Outcome o) {
        int op = o.request.op();
        if (op != Op.LIST) {
            checkName(o.name);
        }
        switch (op) {
            case Op.INFO -> {
                VolumeHeader header = store.headers().header(o.name);
                o.reply(describer.describe(o.name, header), header.size());
            }
            case Op.STATUS -> o.reply(describer.map(o.name));
            case Op.LIST -> list(o);
            case Op.CREATE -> create(o);
            case Op.SETINFO -> setInfo(o);
            case Op.OPEN -> open(o);
            case Op.CLOSE -> close(o);
            case Op.SNAPSHOT -> snapshot(o);
            case Op.RESIZE -> resize(o);
            case Op.DELETE -> delete(o);
            case Op.RENAME -> rename(o);
            case Op.LOCK -> leases.lock(o.name, store.headers().changeable(o.name).id());
            case Op.UNLOCK -> leases.unlock(o.name, store.headers().header(o.name).id(), o.request.has(Op.FORCE));
            default -> throw Failure.of(Errno.EOPNOTSUPP, Op.name(op));
        }
    }

    static void checkName(String name) {
        VolumeName.problem(name).ifPresent(problem -> {
            throw new Failure(Errno.EINVAL, problem);
        });
    }

    private void create(Outcome o) {
        Optional<String> origin = o.argument(json -> json.has("origin") ? Optional.of(json.get("origin").getAsString()) : Optional.empty());
        origin.ifPresent(ControlThread::checkName);
        OptionalLong originSize = o.argument(json -> json.has("originSize") ? OptionalLong.of(json.get("originSize").getAsLong())
            : OptionalLong.empty());
        long size = o.argument(json -> json.has("size") ? json.get("size").getAsLong() : 0);
        Map<String, String> metadata = o.argument(json -> json.has("metadata") ? strings(json.getAsJsonObject("metadata")) : Map.of());
        store.create(o.name, size, origin, originSize, metadata);
    }

    private static Map<String, String> strings(JsonObject json) {
        Map<String, String> strings = new HashMap<>();
        json.entrySet().forEach(entry -> strings.put(entry.getKey(), entry.getValue().getAsString()));
        return strings;
    }

    /** A name in the argument. */
    private static String name(Outcome o, String key) {
        String name = o.argument(json -> json.has(key) ? json.get(key).getAsString() : "");
        checkName(name);
        return name;
    }

    private void setInfo(Outcome o) {
        store.annotate(o.name, o.argument(ControlThread::strings));
    }

    private void open(Outcome o) {
        if (o.request.has(Op.SHARED)) {
            VolumeHeader header = store.headers().header(o.name);
            o.state = o.state.filter(state -> state.lease != Lease.NONE);
            o.state.ifPresent(state -> state.lease = Lease.SHARED); // before the other node may know
            leases.share(o.name, header.id());
            return;
        }
        Optional<VolumeState> before = o.state.filter(state -> state.lease != Lease.NONE);
        if (before.filter(state -> state.lease == Lease.EXCLUSIVE && leases.isMine(o.name, state.header().id())).isPresent()) {
            return;
        }
        o.state = Optional.empty();
        VolumeState open = store.open(o.name, Use.EXCLUSIVE);
        if (open.resumed && before.isPresent()) {
            open.unclean = before.get().unclean; // it was this life that had it
        }
        o.state = Optional.of(open);
    }

    private void close(Outcome o) {
        Optional<VolumeState> open = o.state.filter(state -> state.lease != Lease.NONE);
        o.state = Optional.empty();
        if (open.isEmpty()) {
            releaseUnopened(o.name);
            return;
        }
        VolumeState volume = open.get();
        if (leases.isMine(o.name, volume.header().id())) {
            volume.unclean |= o.request.has(Op.UNCLEAN);
            store.close(volume);
        } else {
            LOG.log(Level.WARNING, "{0} is closed, but its lease was broken before: what was written since may be lost", o.name);
        }
    }

    /** A volume whose header cannot be read has nothing open that closing could lose. */
    private void releaseUnopened(String name) {
        try {
            leases.release(name, store.headers().header(name).id(), false);
        } catch (Failure e) {
            if (e.errno() != Errno.EUCLEAN) {
                throw e;
            }
            LOG.log(Level.WARNING, "closed without giving a lease back: {0}", e.getMessage());
        }
    }

    /**
     * Changes a volume under its lease; what was not open is opened for it, and closed again.
     *
     * @param use CONTROL or REMOVE
     * @param change returns how the volume goes on; empty: not under this name
     */
    private void change(Outcome o, Use use, Function<VolumeState, Optional<VolumeState>> change) {
        Optional<VolumeState> open = o.state.filter(state -> state.lease != Lease.NONE);
        o.state = Optional.empty();
        open.ifPresent(state -> leases.check(o.name, state.header().id()));
        VolumeState volume = open.orElseGet(() -> store.open(o.name, use));
        boolean stays = open.isPresent() || volume.resumed;
        try {
            Optional<VolumeState> after = change.apply(volume);
            if (stays) {
                o.state = after;
            } else {
                after.ifPresent(store::close);
            }
        } catch (Failure e) {
            if (!stays) {
                store.releaseAfterFailure(o.name, volume.header().id(), !volume.unclean);
            } else if (!e.isHalfWay()) {
                o.state = Optional.of(volume);
            }
            throw e;
        }
    }

    private void snapshot(Outcome o) {
        String snapshot = name(o, "name");
        change(o, Use.CONTROL, volume -> Optional.of(store.snapshot(volume, snapshot)));
    }

    private void resize(Outcome o) {
        long size = o.request.length();
        change(o, Use.CONTROL, volume -> {
            store.resize(volume, size);
            return Optional.of(volume);
        });
    }

    private void delete(Outcome o) {
        if (o.request.has(Op.FORCE) && isDamaged(o.name)) {
            o.state = Optional.empty();
            store.headers().removeUnread(o.name);
            return;
        }
        VolumeHeader header = store.headers().header(o.name);
        if (header.readOnly()) {
            o.state = Optional.empty();
            store.deleteSnapshot(o.name, header.id());
            return;
        }
        change(o, Use.REMOVE, volume -> {
            store.delete(volume);
            reclaim(volume);
            return Optional.empty();
        });
    }

    private void reclaim(VolumeState volume) {
        try {
            reclaimer.execute(() -> {
                try {
                    store.reclaim(volume);
                } catch (Failure e) {
                    LOG.log(Level.WARNING, "not all space of removed volume {0} was freed: {1}", volume.name, e.getMessage());
                }
            });
        } catch (RejectedExecutionException e) {
            LOG.log(Level.WARNING, "the space of removed volume {0} was not freed: too many are being removed", volume.name);
        }
    }

    /** Whether nobody can open the volume; one that another node holds is not ours to judge. */
    private boolean isDamaged(String name) {
        try {
            VolumeHeader header = store.headers().header(name);
            if (leases.holder(LockRecord.Kind.LEASE, name, header.id()).filter(holder -> !leases.mine(holder)).isEmpty()) {
                store.load(name);
            }
            return false;
        } catch (Failure e) {
            return e.errno() == Errno.EUCLEAN;
        }
    }

    private void rename(Outcome o) {
        String to = name(o, "to");
        VolumeHeader header = store.headers().header(o.name);
        if (header.readOnly()) {
            o.state = Optional.empty();
            store.renameSnapshot(o.name, header.id(), to);
            return;
        }
        change(o, Use.CONTROL, volume -> {
            volume.unclean |= o.request.has(Op.UNCLEAN);
            store.rename(volume, to);
            return Optional.empty();
        });
    }

    private void list(Outcome o) {
        String prefix = o.name.equals("*") ? "" : o.name;
        String after = o.argument(json -> json.has("after") ? json.get("after").getAsString() : "");
        if (!listing.goesOn(prefix, after)) {
            listing = VolumeListing.none(); // before the next one: there is memory for one
            listing = VolumeListing.read(maps, prefix, after);
        }
        ByteArrayOutputStream volumes = new ByteArrayOutputStream();
        volumes.writeBytes(LIST_HEAD);
        for (Optional<String> name = listing.next(); name.isPresent(); name = listing.next()) {
            Optional<JsonObject> found = describer.describe(name.get(), listing);
            if (found.isEmpty()) {
                listing.pass();
                continue;
            }
            byte[] description = found.get().toString().getBytes(StandardCharsets.UTF_8);
            if (volumes.size() + description.length > LIST_ROOM) {
                break;
            }
            if (volumes.size() > LIST_HEAD.length) {
                volumes.write(',');
            }
            volumes.writeBytes(description);
            listing.pass();
        }
        volumes.writeBytes(("],\"more\":" + listing.hasMore() + "}").getBytes(StandardCharsets.UTF_8));
        o.reply(volumes.toByteArray());
    }

    void close() {
        end(thread);
    }

    static void end(ExecutorService executor) {
        executor.shutdown();
        try {
            if (!executor.awaitTermination(5, TimeUnit.SECONDS)) {
                executor.shutdownNow();
            }
        } catch (InterruptedException e) {
            executor.shutdownNow();
            Thread.currentThread().interrupt();
        }
    }
}
