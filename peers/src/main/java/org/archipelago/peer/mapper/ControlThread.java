package org.archipelago.peer.mapper;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeName;
import org.archipelago.peer.mapper.VolumeState.Lease;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.peer.host.Reactor;

/**
 * The thread that does, one after another, the control operations on the volumes of one reactor: what
 * waits for the store never stops a reactor, and no two change one volume at a time.
 */
final class ControlThread {
    private static final System.Logger LOG = System.getLogger(ControlThread.class.getName());
    private static final int LIST_ROOM = 240 << 10;
    private static final String VOLUME_PREFIX = VolumeHeader.objectOf("");

    private final Reactor reactor;
    private final ExecutorService thread;
    private final ExecutorService reclaimer;
    private final VolumeStore store;
    private final Leases leases;
    private final ObjectStore maps;
    private final VolumeDescriber describer;

    ControlThread(Reactor reactor, ExecutorService thread, ExecutorService reclaimer, VolumeStore store, Leases leases,
            ObjectStore maps, NodeIdentity me) {
        this.reactor = reactor;
        this.thread = thread;
        this.reclaimer = reclaimer;
        this.store = store;
        this.leases = leases;
        this.maps = maps;
        this.describer = new VolumeDescriber(store, leases);
    }

    /** Work that waits; returns what the reactor shall do after it. */
    interface Work {
        Runnable with(VolumeStore store);
    }

    /** Does the work, then runs on the reactor what it returned; refused: on the reactor, when too much waits. */
    void execute(Work work, Runnable refused) {
        try {
            thread.execute(() -> {
                Runnable after;
                try {
                    after = work.with(store);
                } catch (RuntimeException e) {
                    LOG.log(Level.ERROR, "a defect in a control operation", e);
                    after = refused;
                }
                reactor.execute(after);
            });
        } catch (RejectedExecutionException e) {
            refused.run();
        }
    }

    /** An operation that leaves maps in memory alone. */
    void run(Request request) {
        execute(request, Optional.empty(), state -> { });
    }

    /** An operation that may change a volume; after: on the reactor, with how the volume goes on. */
    void execute(Request request, Optional<VolumeState> held, Consumer<Optional<VolumeState>> after) {
        Outcome outcome = new Outcome(request, held);
        execute(ignored -> {
            try {
                perform(outcome);
            } catch (Failure e) {
                outcome.fail(e.errno(), e.getMessage());
            } catch (JsonParseException | IllegalStateException | NullPointerException e) {
                outcome.fail(Errno.EINVAL, "bad argument of " + Op.name(request.op()) + " " + outcome.name + ": " + e.getMessage());
            }
            return () -> {
                after.accept(outcome.state);
                outcome.answer();
            };
        }, () -> {
            after.accept(Optional.empty());
            request.fail(Errno.EAGAIN, "too many control operations wait: try again");
        });
    }

    /** What a control operation works on and comes to; the request is answered on the reactor. */
    private static final class Outcome {
        final Request request;
        final String name;
        Optional<VolumeState> state;
        private Consumer<Request> answer = done -> done.complete(0);

        Outcome(Request request, Optional<VolumeState> state) {
            this.request = request;
            this.name = request.target();
            this.state = state;
        }

        void fail(int errno, String message) {
            answer = done -> done.fail(errno, message);
        }

        void reply(JsonObject json) {
            answer = done -> done.reply(json.toString().getBytes(StandardCharsets.UTF_8));
        }

        void reply(JsonObject json, long size) {
            answer = done -> done.range(done.offset(), size).reply(json.toString().getBytes(StandardCharsets.UTF_8));
        }

        JsonObject argument() {
            String text = new String(request.payload((int) Math.min(request.length(), request.dataLength())), StandardCharsets.UTF_8);
            return text.isEmpty() ? new JsonObject() : JsonParser.parseString(text).getAsJsonObject();
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
                VolumeHeader header = store.header(o.name);
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
            case Op.LOCK -> leases.lock(o.name, store.header(o.name).id());
            case Op.UNLOCK -> leases.unlock(o.name, store.header(o.name).id(), o.request.has(Op.FORCE));
            default -> throw Failure.of(Errno.EOPNOTSUPP, Op.name(op));
        }
    }

    private static void checkName(String name) {
        VolumeName.problem(name).ifPresent(problem -> {
            throw new Failure(Errno.EINVAL, problem);
        });
    }

    private void create(Outcome o) {
        JsonObject argument = o.argument();
        Optional<String> origin = argument.has("origin") ? Optional.of(argument.get("origin").getAsString()) : Optional.empty();
        origin.ifPresent(ControlThread::checkName);
        long size = argument.has("size") ? argument.get("size").getAsLong() : 0;
        store.create(o.name, size, origin, argument.has("metadata") ? strings(argument.getAsJsonObject("metadata")) : Map.of());
    }

    private static Map<String, String> strings(JsonObject json) {
        Map<String, String> strings = new HashMap<>();
        json.entrySet().forEach(entry -> strings.put(entry.getKey(), entry.getValue().getAsString()));
        return strings;
    }

    private void setInfo(Outcome o) {
        store.annotate(o.name, strings(o.argument()));
    }

    private void open(Outcome o) {
        if (o.request.has(Op.SHARED)) {
            VolumeHeader header = store.header(o.name);
            leases.share(o.name, header.id());
            o.state = o.state.filter(state -> state.lease != Lease.NONE).map(state -> {
                state.lease = Lease.SHARED;
                return state;
            });
        } else if (o.state.filter(state -> state.lease == Lease.EXCLUSIVE).isEmpty()) {
            o.state = Optional.empty();
            o.state = Optional.of(store.open(o.name));
        }
    }

    private void close(Outcome o) {
        Optional<VolumeState> open = o.state.filter(state -> state.lease != Lease.NONE);
        o.state = Optional.empty();
        if (open.isPresent()) {
            store.close(open.get());
        } else {
            releaseUnopened(o.name);
        }
    }

    /** A volume whose header cannot be read has nothing open that closing could lose. */
    private void releaseUnopened(String name) {
        try {
            leases.release(name, store.header(name).id());
        } catch (Failure e) {
            if (e.errno() != Errno.EUCLEAN) {
                throw e;
            }
            LOG.log(Level.WARNING, "closed without giving a lease back: {0}", e.getMessage());
        }
    }

    /** Runs an operation on an open volume; one that was not open is opened for it, and closed again. */
    private void whileOpen(Outcome o, java.util.function.UnaryOperator<VolumeState> operation) {
        boolean opened = o.state.filter(state -> state.lease == Lease.EXCLUSIVE).isEmpty();
        VolumeState volume = opened ? store.open(o.name) : o.state.get();
        o.state = Optional.empty(); // after a failure half way, what is in memory counts no more
        try {
            VolumeState after = operation.apply(volume);
            if (opened) {
                store.close(after);
            } else {
                o.state = Optional.of(after);
            }
        } catch (Failure e) {
            if (opened) {
                leases.release(o.name, volume.header.id());
            }
            throw e;
        }
    }

    private void snapshot(Outcome o) {
        String snapshot = o.argument().get("name").getAsString();
        checkName(snapshot);
        whileOpen(o, volume -> store.snapshot(volume, snapshot));
    }

    private void resize(Outcome o) {
        long size = o.request.length();
        whileOpen(o, volume -> {
            store.resize(volume, size);
            return volume;
        });
    }

    private void delete(Outcome o) {
        if (o.request.has(Op.FORCE) && isDamaged(o.name)) {
            o.state = Optional.empty();
            store.deleteUnread(o.name);
            return;
        }
        VolumeHeader header = store.header(o.name);
        if (header.readOnly()) {
            o.state = Optional.empty();
            store.deleteSnapshot(o.name, header.id());
            return;
        }
        VolumeState volume = o.state.filter(state -> state.lease == Lease.EXCLUSIVE).orElseGet(() -> store.open(o.name));
        o.state = Optional.empty();
        store.delete(volume);
        reclaimer.execute(() -> {
            try {
                store.reclaim(volume);
            } catch (Failure e) {
                LOG.log(Level.WARNING, "not all space of removed volume {0} was freed: {1}", volume.name, e.getMessage());
            }
        });
    }

    /** Whether nobody can open the volume; one that another node holds is not ours to judge. */
    private boolean isDamaged(String name) {
        try {
            VolumeHeader header = store.header(name);
            if (leases.holder(LockRecord.Kind.LEASE, name, header.id()).filter(holder -> !leases.mine(holder)).isEmpty()) {
                store.load(name);
            }
            return false;
        } catch (Failure e) {
            return e.errno() == Errno.EUCLEAN;
        }
    }

    private void rename(Outcome o) {
        String to = o.argument().get("to").getAsString();
        checkName(to);
        VolumeHeader header = store.header(o.name);
        if (header.readOnly()) {
            o.state = Optional.empty();
            store.rename(o.name, to);
            return;
        }
        VolumeState volume = o.state.filter(state -> state.lease == Lease.EXCLUSIVE).orElseGet(() -> store.open(o.name));
        o.state = Optional.empty();
        try {
            store.rename(o.name, to);
        } finally {
            leases.release(o.name, volume.header.id());
        }
    }

    private void list(Outcome o) {
        String prefix = o.name.equals("*") ? "" : o.name;
        JsonArray volumes = new JsonArray();
        JsonObject argument = o.argument();
        String after = argument.has("after") && !argument.get("after").getAsString().isEmpty()
            ? VolumeHeader.objectOf(argument.get("after").getAsString()) : "";
        boolean more = true;
        int room = LIST_ROOM;
        while (more && room > 0) {
            ObjectStore.Page page = maps.list(VOLUME_PREFIX + prefix, after);
            more = page.more();
            for (String object : page.names()) {
                JsonObject description = describer.describe(object.substring(VOLUME_PREFIX.length()));
                room -= description.toString().length() + 1;
                if (room < 0) {
                    more = true;
                    break;
                }
                volumes.add(description);
                after = object;
            }
            if (page.names().isEmpty()) {
                break;
            }
        }
        JsonObject answer = new JsonObject();
        answer.add("volumes", volumes);
        answer.addProperty("more", more);
        o.reply(answer);
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
