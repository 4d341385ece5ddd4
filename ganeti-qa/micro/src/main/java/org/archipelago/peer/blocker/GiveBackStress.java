package org.archipelago.peer.blocker;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.archipelago.peer.host.Reactor;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentParameters;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Jobs that two workers give back to a file blocker are finished once each, with what the workers left in them. */
@JCStressTest
@Outcome(id = "1, 1", expect = ACCEPTABLE)
@Outcome(expect = FORBIDDEN, desc = "lost or late, twice, or not whole")
@State
public class GiveBackStress {
    private static final int LATE_MILLIS = 500;
    private static final FileBlocker BLOCKER = start();

    private final Counted first = new Counted();
    private final Counted second = new Counted();

    private static final class Counted extends Job {
        private int left;
        private volatile int finished;

        @Override
        void run(Scratch scratch) {
            left = 77;
            BLOCKER.giveBack(this);
        }

        @Override
        void finished() {
            finished += left == 77 ? 1 : 1000;
        }
    }

    /** Makes it on a thread that is a daemon, so that the reactor's is one too and the harness can end. */
    private static final class Maker extends Thread {
        private FileBlocker made;

        @Override
        public void run() {
            try {
                Path directory = Files.createTempDirectory("give-back");
                Segment segment = Segment.anonymous(new SegmentParameters(2, 2, 2, 0600, 4096));
                Reactor reactor = new Reactor("stressed", 0, 0);
                made = FileStore.open("blockerb", directory, 1, 2, false).blocker(reactor, segment, 1);
                reactor.start();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static FileBlocker start() {
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

    @Actor
    public void one() {
        first.run(null);
    }

    @Actor
    public void another() {
        second.run(null);
    }

    @Arbiter
    public void await(II_Result r) {
        long end = System.nanoTime() + LATE_MILLIS * 1_000_000L;
        while ((first.finished == 0 || second.finished == 0) && System.nanoTime() < end) {
            Thread.onSpinWait();
        }
        r.r1 = first.finished;
        r.r2 = second.finished;
    }
}
