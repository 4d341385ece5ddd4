package org.archipelago.peer.blocker;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import java.util.stream.Stream;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentParameters;
import org.archipelago.xseg.Target;

/** A host with a file blocker, as one node has them. */
final class TestNode implements AutoCloseable {
    static final int PORT = 1;
    static final int DATA = 128 << 10;
    private static final int REQUESTS = 64;

    final Segment segment;
    final Host host;
    final FileStore store;
    private final Caller caller;
    private final RequestPool[] pools;

    /** What a node is made of. */
    record Settings(int reactors, int threads, int descriptors, boolean direct, IntSupplier firstSync) {
        Settings() {
            this(2, 4, 16, false, () -> 0);
        }

        Settings direct(boolean newDirect) {
            return new Settings(reactors, threads, descriptors, newDirect, firstSync);
        }

        Settings firstSync(IntSupplier newFirstSync) {
            return new Settings(reactors, threads, descriptors, direct, newFirstSync);
        }

        Settings threads(int newThreads, int newDescriptors) {
            return new Settings(reactors, newThreads, newDescriptors, direct, firstSync);
        }
    }

    TestNode(Path directory) {
        this(directory, new Settings());
    }

    TestNode(Path directory, Settings settings) {
        store = FileStore.open("blockerb", directory, settings.threads, settings.descriptors, settings.direct,
            settings.firstSync);
        segment = Segment.anonymous(new SegmentParameters(64, 256, 1024, 0600, 64 << 20));
        host = new Host("test", segment, settings.reactors, 0);
        host.serve(PORT, "blockerb", reactor -> store.blocker(reactor, segment, settings.reactors));
        caller = new Caller(host, "caller", 60_000);
        pools = new RequestPool[settings.reactors];
        for (Reactor reactor : host.reactors()) {
            pools[reactor.index()] = host.pool(reactor, "direct", REQUESTS, DATA);
        }
        host.start();
    }

    static Call call(int op, String object) {
        return Call.of(PORT, op, object);
    }

    /** Through the caller: on the reactor that the object's name belongs to. */
    Reply send(Call call) {
        return caller.call(call);
    }

    Reply send(int op, String object) {
        return send(call(op, object));
    }

    /** Directly, on a reactor of the test's choice. */
    CompletableFuture<Reply> submit(int reactorIndex, Call call) {
        Reactor reactor = host.reactors()[reactorIndex % host.reactors().length];
        RequestPool pool = pools[reactor.index()];
        CompletableFuture<Reply> answer = new CompletableFuture<>();
        reactor.execute(() -> {
            Request request = pool.take();
            if (call.data().length > 0) {
                request.data().put(0, call.data());
            }
            request.op(call.op()).flags(call.flags()).target(Target.of(call.target())).range(call.offset(), call.length())
                .onCompletion(done -> {
                    answer.complete(new Reply(done.status(), done.serviced(), done.length(),
                        done.payload((int) Math.min(done.serviced(), DATA))));
                    pool.release(done);
                });
            host.submit(request, reactor, PORT);
        });
        return answer;
    }

    Reply direct(int reactorIndex, Call call) {
        return await(submit(reactorIndex, call));
    }

    static Reply await(CompletableFuture<Reply> answer) {
        try {
            return answer.get(60, TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new AssertionError("no answer", e);
        }
    }

    Reply write(String object, long offset, byte[] bytes) {
        return send(call(Op.WRITE, object).flags(Op.CREATE_ABSENT).data(bytes).range(offset, bytes.length));
    }

    Reply read(String object, long offset, int length) {
        return send(call(Op.READ, object).range(offset, length));
    }

    Reply put(String object, byte[] bytes) {
        return send(call(Op.PUT, object).data(bytes));
    }

    Reply create(String object, byte[] bytes) {
        return send(call(Op.CREATE, object).data(bytes));
    }

    Reply sendJson(int op, String object, String json) {
        return send(call(op, object).data(json.getBytes(StandardCharsets.UTF_8)));
    }

    /** How many files below a directory this process has open. */
    static long openFiles(Path directory) {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors.filter(descriptor -> {
                try {
                    return Files.readSymbolicLink(descriptor).startsWith(directory);
                } catch (IOException e) {
                    return false; // closed in the meantime
                }
            }).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        host.close();
        segment.close();
    }
}
