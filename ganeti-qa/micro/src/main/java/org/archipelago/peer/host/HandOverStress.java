package org.archipelago.peer.host;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.nio.ByteBuffer;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.archipelago.xseg.Request;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * What is handed to a reactor, which sleeps whenever it can, arrives once, whole, and before it would wake up anyway:
 * above all the second thing, which comes when it has done the first and falls asleep.
 */
@JCStressTest
@Outcome(id = "1, 1", expect = ACCEPTABLE)
@Outcome(expect = FORBIDDEN, desc = "lost or late, twice, or not whole")
@State
public class HandOverStress {
    private static final int LATE_MILLIS = 500; // a reactor that was not woken sleeps for a second
    private static final Reactor REACTOR = start();
    private static final ByteBuffer SLOT = ByteBuffer.allocateDirect(256);

    private final Request first = new Request(SLOT, 0, 0, 0, false, request -> { });
    private final Request second = new Request(SLOT, 0, 0, 0, false, request -> { });
    private final AtomicInteger arrivedFirst = new AtomicInteger();
    private final AtomicInteger arrivedSecond = new AtomicInteger();

    /** Makes it on a thread that is a daemon, so that the reactor's is one too and the harness can end. */
    private static final class Maker extends Thread {
        private Reactor made;

        @Override
        public void run() {
            made = new Reactor("stressed", 0, 0);
            made.start();
        }
    }

    private static Reactor start() {
        Maker maker = new Maker();
        maker.setDaemon(true);
        maker.start();
        try {
            maker.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        return maker.made;
    }

    private static void post(Request request, AtomicInteger arrived) {
        request.onCompletion(done -> arrived.addAndGet(done.offset() == 77 && done.serviced() == 78 ? 1 : 1000));
        request.range(77, 0).serviced(78);
        REACTOR.post(request);
    }

    /** The other actor is the reactor: a third thread that spins would leave two cores no room for it. */
    @Actor
    public void handBoth() {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        post(first, arrivedFirst);
        await(arrivedFirst);
        for (int spin = random.nextInt(400); spin > 0; spin--) {
            Thread.onSpinWait();
        }
        if (random.nextBoolean()) {
            post(second, arrivedSecond);
        } else {
            REACTOR.execute(arrivedSecond::incrementAndGet);
        }
    }

    private static void await(AtomicInteger arrived) {
        long end = System.nanoTime() + LATE_MILLIS * 1_000_000L;
        while (arrived.get() == 0 && System.nanoTime() < end) {
            Thread.onSpinWait();
        }
    }

    @Arbiter
    public void look(II_Result r) {
        await(arrivedSecond);
        r.r1 = arrivedFirst.get();
        r.r2 = arrivedSecond.get();
    }
}
