package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class WorkerPoolTest {
    private static final int JOBS = 20_000;

    /** Counts how it ends. */
    private static final class Counted extends Job {
        private final Runnable task;
        private final AtomicInteger runs = new AtomicInteger();
        private final AtomicInteger drops = new AtomicInteger();

        Counted(Runnable task) {
            this.task = task;
        }

        @Override
        void run(Scratch scratch) {
            runs.incrementAndGet();
            task.run();
        }

        @Override
        void finished() {}

        @Override
        void dropped() {
            drops.incrementAndGet();
        }
    }

    @Test
    void everyJob_runsOnce_whoeverSubmitsIt() throws Exception {
        try (WorkerPool pool = new WorkerPool("test", 4)) {
            CountDownLatch left = new CountDownLatch(2 * JOBS);
            List<Counted> jobs = new ArrayList<>();
            for (int i = 0; i < 2 * JOBS; i++) {
                jobs.add(new Counted(left::countDown));
            }
            Thread[] submitters = new Thread[2];
            for (int i = 0; i < 2; i++) {
                List<Counted> mine = jobs.subList(i * JOBS, (i + 1) * JOBS);
                submitters[i] = new Thread(() -> {
                    for (int j = 0; j < JOBS; j++) {
                        if (j % 3 == 0) {
                            pool.submitSlow(mine.get(j));
                        } else {
                            pool.submit(mine.get(j));
                        }
                        if (j % 64 == 0) {
                            LockSupport.parkNanos(20_000); // so that workers fall asleep now and then
                        }
                    }
                });
                submitters[i].start();
            }
            assertThat(left.await(40, TimeUnit.SECONDS)).as("jobs left: " + left.getCount()).isTrue();
            for (Thread submitter : submitters) {
                submitter.join();
            }
            assertThat(jobs).allMatch(job -> job.runs.get() == 1 && job.drops.get() == 0);
        }
    }

    @Test
    void slowJobs_leaveAThreadToQuickOnes_andGoOnAfterwards() throws Exception {
        try (WorkerPool pool = new WorkerPool("test", 4)) {
            Semaphore gate = new Semaphore(0);
            CountDownLatch slowDone = new CountDownLatch(6);
            for (int i = 0; i < 6; i++) {
                pool.submitSlow(new Counted(() -> {
                    gate.acquireUninterruptibly();
                    slowDone.countDown();
                }));
            }
            CountDownLatch quickDone = new CountDownLatch(10);
            for (int i = 0; i < 10; i++) {
                pool.submit(new Counted(quickDone::countDown));
            }
            assertThat(quickDone.await(20, TimeUnit.SECONDS)).isTrue();
            gate.release(6);
            assertThat(slowDone.await(20, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void closing_dropsWhatHasNotBegun() throws Exception {
        WorkerPool pool = new WorkerPool("test", 1);
        CountDownLatch begun = new CountDownLatch(1);
        Semaphore gate = new Semaphore(0);
        Counted running = new Counted(() -> {
            begun.countDown();
            gate.acquireUninterruptibly();
        });
        Counted queued = new Counted(() -> { });
        Counted late = new Counted(() -> { });
        pool.submit(running);
        assertThat(begun.await(20, TimeUnit.SECONDS)).isTrue();
        pool.submitSlow(queued);
        Thread closer = new Thread(pool::close);
        closer.start();
        while (queued.drops.get() == 0) {
            Thread.onSpinWait();
        }
        pool.submit(late);
        gate.release();
        closer.join();
        assertThat(pool.isBusy()).isFalse();
        assertThat(List.of(running.runs.get(), queued.runs.get(), late.runs.get())).containsExactly(1, 0, 0);
        assertThat(List.of(queued.drops.get(), late.drops.get())).containsExactly(1, 1);
    }
}
