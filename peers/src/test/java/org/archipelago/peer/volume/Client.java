package org.archipelago.peer.volume;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;

/** Keeps requests of one volume under way, from the reactor that the volume belongs to. */
final class Client {
    private final Host host;
    private final Reactor reactor;
    private final Target volume;
    private final RequestPool pool;

    Client(Host host, String volume, int requests, int dataBytes) {
        this.host = host;
        this.volume = Target.of(volume);
        this.reactor = host.reactorOf(this.volume.hashCode());
        this.pool = host.pool(reactor, "client", requests, dataBytes);
    }

    /** What came back; data: of a read. */
    record Answer(int status, long serviced, byte[] data) {}

    CompletableFuture<Answer> write(long offset, byte[] data, int flags) {
        return send(Op.WRITE, flags, offset, data.length, data);
    }

    CompletableFuture<Answer> zero(long offset, long length, int flags) {
        return send(Op.ZERO, flags, offset, length, new byte[0]);
    }

    CompletableFuture<Answer> read(long offset, int length) {
        return send(Op.READ, 0, offset, length, new byte[0]);
    }

    CompletableFuture<Answer> flush() {
        return send(Op.FLUSH, 0, 0, 0, new byte[0]);
    }

    CompletableFuture<Answer> send(int op, int flags, long offset, long length, byte[] data) {
        CompletableFuture<Answer> answer = new CompletableFuture<>();
        reactor.execute(() -> {
            Request request = pool.take();
            if (data.length > 0) {
                request.data().put(0, data);
            }
            request.op(op).flags(flags).target(volume).range(offset, length).onCompletion(done -> {
                Answer result = new Answer(done.status(), done.serviced(), op == Op.READ ? done.payload((int) length) : new byte[0]);
                pool.release(done);
                answer.complete(result);
            });
            host.submit(request, reactor, Node.COMPOSER);
        });
        return answer;
    }

    static Answer get(CompletableFuture<Answer> answer) throws InterruptedException, ExecutionException, TimeoutException {
        return answer.get(15, TimeUnit.SECONDS);
    }

    static int status(CompletableFuture<Answer> answer) throws InterruptedException, ExecutionException, TimeoutException {
        return get(answer).status();
    }
}
