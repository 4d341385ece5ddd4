package org.archipelago.peer.host;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;

/**
 * Lets ordinary threads send requests and wait for their answers: what control work is written with.
 * Thread-safe.
 */
public final class Caller {
    /** Most bytes that go with one request, either way. */
    public static final int PAYLOAD_MAX = 256 << 10;

    private static final int AT_ONCE = 8;
    private static final int AGAIN_MOST = 3;
    private static final byte[] NOTHING = new byte[0];

    private final Host host;
    private final RequestPool[] pools;
    private final Semaphore permits = new Semaphore(AT_ONCE, true);
    private final long timeoutMillis;

    /** @param timeoutMillis bound of each wait but that of {@link #insist} */
    public Caller(Host host, String role, long timeoutMillis) {
        this.host = host;
        this.timeoutMillis = timeoutMillis;
        this.pools = new RequestPool[host.reactors().length];
        for (Reactor reactor : host.reactors()) {
            pools[reactor.index()] = host.pool(reactor, role, AT_ONCE, PAYLOAD_MAX);
        }
    }

    /** What to send; data: goes with it. */
    public record Call(int port, int op, int flags, String target, long offset, long length, byte[] data) {
        public static Call of(int port, int op, String target) {
            return new Call(port, op, 0, target, 0, 0, NOTHING);
        }

        public Call flags(int newFlags) {
            return new Call(port, op, newFlags, target, offset, length, data);
        }

        public Call range(long newOffset, long newLength) {
            return new Call(port, op, flags, target, newOffset, newLength, data);
        }

        public Call data(byte[] newData) {
            return new Call(port, op, flags, target, offset, newData.length, newData);
        }
    }

    /** What came back; length: as the peer left it; data: serviced bytes of the request's data. */
    public record Reply(int status, long serviced, long length, byte[] data) {
        /** The sentence of a failure; empty when the peer gave none. */
        public String message() {
            return new String(data, StandardCharsets.UTF_8);
        }
    }

    /** Sends and waits; a request that is not answered in time gives ETIMEDOUT. */
    public Reply call(Call call) {
        return call(call, timeoutMillis);
    }

    /**
     * Sends and waits for the answer, however long it takes: for what changes something, since who gives up does not
     * know whether the change will come yet. Only the wait before it is sent has a bound.
     */
    public Reply insist(Call call) {
        return call(call, Long.MAX_VALUE);
    }

    /** What its peer did not live to answer is done again by the successor, where that leaves the same behind. */
    private Reply call(Call call, long answerMillis) {
        Reply reply = once(call, answerMillis);
        boolean repeatable = call.op == Op.PUT || call.op == Op.INFO || call.op == Op.LIST || call.op == Op.SCAN;
        for (int again = 0; reply.status == Errno.EOWNERDEAD && repeatable && again < AGAIN_MOST; again++) {
            reply = once(call, answerMillis);
        }
        return reply;
    }

    private Reply once(Call call, long answerMillis) {
        if (call.target.isEmpty() || call.target.getBytes(StandardCharsets.UTF_8).length > Target.MAX) {
            return failure(Errno.EINVAL, "a name has 1 to " + Target.MAX + " bytes");
        }
        if (call.data.length > PAYLOAD_MAX) {
            return failure(Errno.EMSGSIZE, "at most " + PAYLOAD_MAX + " bytes go with a request: " + call.data.length);
        }
        try {
            if (!permits.tryAcquire(timeoutMillis, TimeUnit.MILLISECONDS)) {
                return failure(Errno.EAGAIN, "all " + AT_ONCE + " control requests of this process are taken");
            }
            CompletableFuture<Reply> answer = new CompletableFuture<>();
            Target target = Target.of(call.target);
            Reactor reactor = host.reactorOf(target.hashCode());
            reactor.execute(() -> send(call, target, reactor, answer));
            return answer.get(answerMillis, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            return failure(Errno.ETIMEDOUT, "no answer to " + Op.name(call.op) + " " + call.target + " within "
                + timeoutMillis / 1000 + " s");
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return failure(Errno.EINTR, "interrupted");
        }
    }

    private static Reply failure(int errno, String message) {
        return new Reply(errno, 0, 0, message.getBytes(StandardCharsets.UTF_8));
    }

    /** A permit stands for a request and comes back with it, however long its caller waited. */
    private void send(Call call, Target target, Reactor reactor, CompletableFuture<Reply> answer) {
        RequestPool pool = pools[reactor.index()];
        Request request = pool.take();
        if (call.data.length > 0) {
            request.data().put(0, call.data);
        }
        request.op(call.op).flags(call.flags).target(target).range(call.offset, call.length)
            .onCompletion(done -> {
                Reply reply = new Reply(done.status(), done.serviced(), done.length(),
                    done.payload((int) Math.min(done.serviced(), PAYLOAD_MAX)));
                pool.release(done);
                permits.release();
                answer.complete(reply);
            });
        host.submit(request, reactor, call.port);
    }
}
