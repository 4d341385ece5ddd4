package org.archipelago.peer.blocker;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentParameters;
import org.archipelago.xseg.Target;

/**
 * How many random 4 KiB reads or writes of the page cache one reactor makes in a second: 32 in flight,
 * through {@link Host#submit}. Arguments: a folder, seconds.
 */
final class BlockerBench {
    private static final int DEPTH = 32;
    private static final int OBJECTS = 64;
    private static final int OBJECT = 4 << 20;
    private static final int PIECE = 4096;

    private final Host host;
    private final Reactor reactor;
    private final RequestPool pool;
    private final Target[] targets = new Target[OBJECTS];
    private final ArrayDeque<Request> idle = new ArrayDeque<>(2 * DEPTH);
    private final SplittableRandom random = new SplittableRandom(1);
    private long done;
    private int op;
    private long end;
    private CountDownLatch finished;

    private BlockerBench(Host host) {
        this.host = host;
        this.reactor = host.reactors()[0];
        this.pool = host.pool(reactor, "bench", DEPTH, 64 << 10);
        for (int i = 0; i < OBJECTS; i++) {
            targets[i] = Target.of("bench_%016x_%08x".formatted(1, i));
        }
    }

    public static void main(String[] arguments) throws Exception {
        Path directory = Files.createTempDirectory(Path.of(arguments.length > 0 ? arguments[0] : "."), "blocker-bench");
        int seconds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 3;
        Segment segment = Segment.anonymous(new SegmentParameters(64, 256, 1024, 0600, 64 << 20));
        FileStore store = FileStore.open("blockerb", directory, 4, 2 * OBJECTS, false, () -> 0);
        Host host = new Host("bench", segment, 1, 50_000);
        host.serve(1, "blockerb", reactor -> store.blocker(reactor, segment, 1));
        BlockerBench bench = new BlockerBench(host);
        host.start();
        bench.fill();
        for (int i = 0; i < 3; i++) {
            System.out.printf("4 KiB reads a second: %,d%n", bench.run(Op.READ, seconds));
        }
        System.out.printf("4 KiB writes a second: %,d%n", bench.run(Op.WRITE, seconds));
        host.close();
        segment.close();
        try (Stream<Path> files = Files.walk(directory)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        }
    }

    private void fill() throws Exception {
        CountDownLatch filled = new CountDownLatch(1);
        reactor.execute(() -> {
            Request request = pool.take();
            int[] next = {0};
            request.onCompletion(r -> reactor.execute(() -> fillNext(request, next, filled)));
            fillNext(request, next, filled);
        });
        filled.await();
    }

    private void fillNext(Request request, int[] next, CountDownLatch filled) {
        int pieces = OBJECT / (64 << 10);
        if (next[0] == OBJECTS * pieces) {
            pool.release(request);
            filled.countDown();
            return;
        }
        int i = next[0]++;
        host.submit(request.op(Op.WRITE).flags(Op.CREATE_ABSENT).target(targets[i / pieces])
            .range((long) (i % pieces) << 16, 64 << 10), reactor, 1);
    }

    private long run(int operation, int seconds) throws Exception {
        long start = System.nanoTime();
        finished = new CountDownLatch(1);
        reactor.execute(() -> {
            op = operation;
            done = 0;
            end = start + seconds * 1_000_000_000L;
            while (!pool.isEmpty()) {
                idle.add(pool.take().onCompletion(this::completed));
            }
            reactor.execute(this::round);
        });
        finished.await();
        return done * 1_000_000_000L / (System.nanoTime() - start);
    }

    private void completed(Request request) {
        if (request.status() != 0 || request.serviced() != PIECE) {
            throw new IllegalStateException(request.toString());
        }
        done++;
        idle.add(request);
    }

    /** Sends what is idle; answers that come at once are sent in the next round. */
    private void round() {
        boolean more = System.nanoTime() < end;
        for (int i = more ? idle.size() : 0; i > 0; i--) {
            int where = random.nextInt(OBJECTS * (OBJECT / PIECE));
            host.submit(idle.poll().op(op).target(targets[where & OBJECTS - 1]).range((long) (where / OBJECTS) * PIECE, PIECE),
                reactor, 1);
        }
        if (more || idle.size() < DEPTH) {
            reactor.execute(this::round);
        } else {
            while (!idle.isEmpty()) {
                pool.release(idle.poll());
            }
            finished.countDown();
        }
    }
}
