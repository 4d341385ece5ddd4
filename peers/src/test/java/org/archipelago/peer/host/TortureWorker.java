package org.archipelago.peer.host;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.archipelago.peer.Peer;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.LibXseg;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.Target;

/**
 * A client, composer or blocker of the torture test, on the stack that serves in earnest. Its C brothers, and what the
 * three do, are in {@code core/libxseg/tests/torture.h} and {@code torture_worker.c}. Ends with 0 when it is told to,
 * with 3 when something is not as it should be; but mostly it is killed.
 */
final class TortureWorker {
    private static final int REACTORS = 2;
    private static final int PARTS = 16;
    private static final long PATIENCE_NANOS = 20_000_000_000L;

    private final Segment segment;
    private final TortureLedger ledger;
    private final int me;
    private final AtomicLong done = new AtomicLong();
    private final AtomicInteger out = new AtomicInteger();
    private volatile long heard = System.nanoTime();

    private TortureWorker(Segment segment, TortureLedger ledger, int me) {
        this.segment = segment;
        this.ledger = ledger;
        this.me = me;
    }

    public static void main(String[] args) throws Exception {
        try {
            int me = Integer.parseInt(args[2]);
            try (Segment segment = Segment.join(args[0])) {
                new TortureWorker(segment, new TortureLedger(Path.of(args[1]), me), me).run();
            }
        } catch (Throwable e) {
            fail(e);
        }
    }

    private static void fail(Throwable e) {
        e.printStackTrace();
        Runtime.getRuntime().halt(3);
    }

    private static void check(boolean condition, Object what) {
        if (!condition) {
            fail(new AssertionError(what));
        }
    }

    private void run() throws InterruptedException {
        boolean blocker = me < TortureLedger.BLOCKERS;
        boolean client = me >= TortureLedger.BLOCKERS + TortureLedger.COMPOSERS;
        try (Host host = new Host("torture-" + me, segment, REACTORS, 20_000)) {
            if (blocker) {
                host.serve(me, "torture-" + me, reactor -> request -> block(reactor, request));
            } else if (!client) {
                host.serve(me, "torture-" + me, reactor -> new Composer(host, reactor));
            }
            ledger.progress(1);
            host.start();
            if (client) {
                for (Reactor reactor : host.reactors()) {
                    reactor.execute(() -> startClient(host, reactor));
                }
            }
            int last = blocker ? TortureLedger.END_BLOCKERS
                : client ? TortureLedger.END_CLIENTS : TortureLedger.END_COMPOSERS;
            while (ledger.phase() < last || out.get() > 0) {
                check(out.get() == 0 || System.nanoTime() - heard < PATIENCE_NANOS, "lost: " + out + " requests");
                Thread.sleep(2);
            }
        }
    }

    /** Of some ports, one that is served, as far as that is known. */
    private static int anyOf(Host host, int from, int count) {
        int port = from;
        for (int tries = 0; tries < 4; tries++) {
            port = from + ThreadLocalRandom.current().nextInt(count);
            if (host.alive(port)) {
                break;
            }
        }
        return port;
    }

    private void didOne() {
        ledger.progress(done.incrementAndGet());
    }

    // --- blocker

    private void block(Reactor reactor, Request request) {
        if (ThreadLocalRandom.current().nextInt(8) > 0) {
            guarded(() -> doOnDisk(request));
        } else { // some are answered late, so as to be overtaken
            reactor.schedule(ThreadLocalRandom.current().nextLong(3_000_000), () -> guarded(() -> doOnDisk(request)));
        }
    }

    private void doOnDisk(Request request) {
        int cell = (int) request.offset();
        check(cell >= 0 && cell < TortureLedger.CELLS && request.dataLength() == TortureLedger.PAGE, request);
        ByteBuffer disk = ledger.disk(cell);
        ByteBuffer page = request.data();
        if (request.op() == Op.WRITE) {
            TortureLedger.check(page, cell, request.length());
            check(disk.getLong(8) <= request.length(), "older than what is there, " + disk.getLong(8) + ": " + request);
            disk.put(page);
        } else {
            page.put(disk);
        }
        didOne();
        request.complete(TortureLedger.receipt(cell, request.length()));
    }

    // --- composer

    private final class Composer implements Peer {
        private final Host host;
        private final Reactor reactor;
        private final RequestPool pool;
        private final Queue<Request> waiting = new ArrayDeque<>();

        Composer(Host host, Reactor reactor) {
            this.host = host;
            this.reactor = reactor;
            this.pool = host.pool(reactor, "parts", PARTS, 0);
        }

        @Override
        public void accept(Request request) {
            waiting.add(request);
            while (!waiting.isEmpty() && !pool.isEmpty()) {
                begin(waiting.poll());
            }
        }

        private void begin(Request whole) {
            Request part = pool.take();
            part.op(whole.op()).range(whole.offset(), whole.length()).targetOf(whole)
                .data(whole.dataAddress(), whole.dataLength())
                .onCompletion(done -> guarded(() -> ended(whole, done)));
            host.submit(part, reactor, anyOf(host, 0, TortureLedger.BLOCKERS));
        }

        private void ended(Request whole, Request part) {
            int status = part.status();
            check(status == 0 || status == Errno.EOWNERDEAD || status == Errno.EHOSTDOWN, part);
            whole.serviced(part.serviced());
            pool.release(part);
            didOne();
            whole.complete(status);
            if (!waiting.isEmpty()) {
                begin(waiting.poll());
            }
        }
    }

    // --- client

    private void startClient(Host host, Reactor reactor) {
        int each = TortureLedger.DEPTH / REACTORS;
        RequestPool pool = host.pool(reactor, "client", each, TortureLedger.PAGE);
        int firstCell = (me - TortureLedger.BLOCKERS - TortureLedger.COMPOSERS) * TortureLedger.DEPTH
            + reactor.index() * each;
        for (int i = 0; i < each; i++) {
            new Writer(host, reactor, pool.take(), firstCell + i).next();
        }
    }

    /** Writes and reads one cell, for ever. */
    private final class Writer {
        private final Host host;
        private final Reactor reactor;
        private final Request request;
        private final int cell;
        private final Target target;
        private long number;
        private boolean reading = true;
        private boolean isOut;

        Writer(Host host, Reactor reactor, Request request, int cell) {
            this.host = host;
            this.reactor = reactor;
            this.request = request;
            this.cell = cell;
            this.target = Target.of("cell%04d".formatted(cell));
            this.number = ledger.sent(cell);
            request.onCompletion(answered -> guarded(this::answered));
        }

        void next() {
            if (ledger.phase() != 0) {
                reactor.schedule(1_000_000, this::next);
                return;
            }
            ledger.out(out.incrementAndGet());
            reading = !reading;
            ByteBuffer page = request.data();
            if (reading) {
                page.put(0, new byte[TortureLedger.PAGE]);
            } else {
                number++;
                ledger.sent(cell, number);
                TortureLedger.fill(page, cell, number);
            }
            send();
        }

        private void send() {
            isOut = true;
            request.op(reading ? Op.READ : Op.WRITE).range(cell, number).target(target);
            host.submit(request, reactor, anyOf(host, TortureLedger.BLOCKERS, TortureLedger.COMPOSERS));
        }

        private void answered() {
            check(isOut, "answered twice: " + request);
            isOut = false;
            heard = System.nanoTime();
            if (request.status() != 0) {
                check(request.status() == Errno.EOWNERDEAD || request.status() == Errno.EHOSTDOWN, request);
                send();
                return;
            }
            check(request.serviced() == TortureLedger.receipt(cell, number), request);
            if (reading) {
                TortureLedger.check(request.data(), cell, number);
            } else {
                ledger.answered(cell, number);
            }
            didOne();
            ledger.out(out.decrementAndGet());
            next();
        }
    }

    /** A reactor goes on after an exception; this test does not. */
    private static void guarded(Runnable task) {
        try {
            task.run();
        } catch (Throwable e) {
            fail(e);
        }
    }
}
