package org.archipelago.peer.bench;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;

/**
 * Keeps a number of requests under way at a port and measures how many come back, and how soon: from
 * the reactor next door to the port, or from a process of its own through the rings.
 */
public final class Bench {
    private static final int MAX_SAMPLES = 1 << 18;

    private final Host host;
    private final Reactor reactor;
    private final BenchSettings settings;
    private final Target target;
    private final RequestPool pool;
    private final SplittableRandom random;
    private final long[] nanos = new long[MAX_SAMPLES];
    private final CompletableFuture<Result> result = new CompletableFuture<>();
    private long done;
    private long failed;
    private int lastStatus;
    private long next;
    private long started;
    private long deadline;
    private int out;
    private boolean issuing;

    /** reactor: where the requests come from and their answers go to. */
    public Bench(Host host, Reactor reactor, BenchSettings settings) {
        this.host = host;
        this.reactor = reactor;
        this.settings = settings;
        this.target = Target.of(settings.target());
        this.random = new SplittableRandom(settings.seed());
        this.pool = host.pool(reactor, "bench", settings.depth(), settings.blockSize());
    }

    /** seconds: that it took; p50, p99, p999: nanoseconds from submit to answer; status: of the last failure. */
    public record Result(long requests, long failed, int status, double seconds, long p50, long p99, long p999) {
        public double perSecond() {
            return requests / seconds;
        }
    }

    /** Begins; the future is completed when the time is up and the last answer is in. */
    public CompletableFuture<Result> run() {
        reactor.execute(() -> {
            started = System.nanoTime();
            deadline = started + settings.seconds() * 1_000_000_000L;
            issue();
        });
        return result;
    }

    /** Sends as long as requests are free; an answer that comes at once only frees one more. */
    private void issue() {
        if (issuing) {
            return;
        }
        issuing = true;
        int burst = 4 * settings.depth();
        while (!pool.isEmpty() && burst-- > 0 && System.nanoTime() < deadline) {
            send(pool.take());
        }
        issuing = false;
        boolean over = System.nanoTime() >= deadline;
        if (over && out == 0) {
            end();
        } else if (!over && !pool.isEmpty()) {
            reactor.execute(this::issue);
        }
    }

    private void send(Request request) {
        long blocks = settings.size() / settings.blockSize();
        long block = settings.random() ? random.nextLong(blocks) : next++ % blocks;
        out++;
        request.op(settings.write() ? Op.WRITE : Op.READ).flags(settings.write() ? Op.CREATE_ABSENT : 0)
            .target(target).range(block * settings.blockSize(), settings.blockSize()).cookie(System.nanoTime())
            .onCompletion(this::answered);
        host.submit(request, reactor, settings.port());
    }

    private void answered(Request request) {
        nanos[(int) (done % MAX_SAMPLES)] = System.nanoTime() - request.cookie();
        done++;
        out--;
        if (request.status() != 0) {
            failed++;
            lastStatus = request.status();
        }
        pool.release(request);
        issue();
    }

    private void end() {
        int samples = (int) Math.min(done, MAX_SAMPLES);
        double seconds = (System.nanoTime() - started) / 1e9;
        Arrays.sort(nanos, 0, samples);
        result.complete(new Result(done, failed, lastStatus, seconds, percentile(samples, 0.5), percentile(samples, 0.99),
            percentile(samples, 0.999)));
    }

    /** Of the first samples, which are sorted. */
    private long percentile(int samples, double part) {
        return samples == 0 ? 0 : nanos[(int) Math.min(samples - 1, part * samples)];
    }
}
