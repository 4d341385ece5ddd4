package org.archipelago.peer.blocker;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Threads for I/O that blocks. Work stands in two queues: what is quick on a healthy disk, and what
 * waits for it to write everything down (sync, control work). The slow kind never has all threads, so
 * reads go on while syncs wait.
 *
 * <p>A job is handed to the thread that became idle last, whose memory is in the caches still, and which may
 * not be asleep yet.
 *
 * <p>The queues are bounded by what can stand in them: a job for each accepted request, of which there are as
 * many as the segment has, and one for each descriptor to close. Thread-safe.
 */
final class WorkerPool implements AutoCloseable {
    private static final long CLOSE_MILLIS = 5000;
    /** Tells a worker to end. */
    private static final Job END = new Job() {
        @Override
        void run(Scratch scratch) {}

        @Override
        void finished() {}
    };

    private final ReentrantLock lock = new ReentrantLock();
    private final Queue quick = new Queue();
    private final Queue slow = new Queue();
    private final Worker[] workers;
    /** Who has nothing to do; the first {@link #idleCount} are meant, the last of them came last. */
    private final Worker[] idle;
    private final int slowMost;
    private int idleCount;
    private int slowRunning;
    private boolean slowTurn;
    private boolean closing;

    private static final class Queue {
        private Job head;
        private Job tail;

        void add(Job job) {
            job.next = null;
            if (tail == null) {
                head = job;
            } else {
                tail.next = job;
            }
            tail = job;
        }

        Job poll() {
            Job first = head;
            head = first.next;
            if (head == null) {
                tail = null;
            }
            first.next = null;
            return first;
        }

        boolean isEmpty() {
            return head == null;
        }
    }

    /** A thread, and what it is given to do. */
    private final class Worker implements Runnable {
        private final Thread thread;
        private final Scratch scratch = new Scratch();
        /** Of the job at hand. */
        private boolean isSlow;
        /** Set by whoever hands it over, cleared by the worker when it takes it. */
        private final AtomicReference<Job> given = new AtomicReference<>();
        private volatile boolean asleep;

        Worker(String name) {
            thread = new Thread(this, name);
            thread.setDaemon(true);
        }

        void give(Job job) {
            given.set(job);
            if (asleep) {
                LockSupport.unpark(thread);
            }
        }

        @Override
        public void run() {
            for (Job job = next(this); job != END; job = next(this)) {
                job.run(scratch);
            }
        }

        /** Sleeps until it is given something. To spin first costs more than it saves: it is the client that wants the core. */
        Job await() {
            Job job = given.getAndSet(null);
            if (job == null) {
                asleep = true;
                for (job = given.getAndSet(null); job == null; job = given.getAndSet(null)) {
                    LockSupport.park(WorkerPool.this);
                }
                asleep = false;
            }
            return job;
        }
    }

    /** Starts the threads, which do not keep the process alive; size: at least 1. */
    WorkerPool(String name, int size) {
        slowMost = size == 1 ? 1 : size - Math.max(1, size / 4);
        workers = new Worker[size];
        idle = new Worker[size];
        for (int i = 0; i < size; i++) {
            workers[i] = new Worker(name + "-io-" + i);
        }
        for (Worker worker : workers) {
            worker.thread.start();
        }
    }

    /** Queues a job that takes as long as a read or a write. */
    void submit(Job job) {
        add(quick, job, false);
    }

    /** Queues a job that may take long. */
    void submitSlow(Job job) {
        add(slow, job, true);
    }

    private void add(Queue queue, Job job, boolean isSlow) {
        Worker worker;
        lock.lock();
        try {
            if (closing) {
                worker = null;
            } else if (idleCount == 0 || isSlow && slowRunning == slowMost) {
                queue.add(job);
                return;
            } else {
                worker = idle[--idleCount];
                begin(worker, isSlow);
            }
        } finally {
            lock.unlock();
        }
        if (worker == null) {
            job.dropped();
        } else {
            worker.give(job);
        }
    }

    private void begin(Worker worker, boolean isSlow) {
        worker.isSlow = isSlow;
        if (isSlow) {
            slowRunning++;
        }
    }

    /** A worker is done with what it had; waits for more. */
    private Job next(Worker worker) {
        lock.lock();
        try {
            if (worker.isSlow) {
                slowRunning--;
                worker.isSlow = false;
            }
            if (closing) {
                return END;
            }
            boolean slowMayRun = slowRunning < slowMost && !slow.isEmpty();
            if (slowMayRun || !quick.isEmpty()) {
                boolean isSlow = slowMayRun && (quick.isEmpty() || slowTurn);
                slowTurn = !isSlow;
                begin(worker, isSlow);
                return (isSlow ? slow : quick).poll();
            }
            idle[idleCount++] = worker;
        } finally {
            lock.unlock();
        }
        return worker.await();
    }

    /** Drops what is queued and ends the threads after what they have at hand; waits five seconds for it. */
    @Override
    public void close() {
        Queue left = new Queue();
        lock.lock();
        try {
            closing = true;
            for (Queue queue : new Queue[] {quick, slow}) {
                while (!queue.isEmpty()) {
                    left.add(queue.poll());
                }
            }
            while (idleCount > 0) {
                idle[--idleCount].give(END);
            }
        } finally {
            lock.unlock();
        }
        while (!left.isEmpty()) {
            left.poll().dropped();
        }
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CLOSE_MILLIS);
        boolean interrupted = false;
        for (Worker worker : workers) {
            try {
                worker.thread.join(Math.max(1, (end - System.nanoTime()) / 1_000_000));
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Whether a thread still runs after {@link #close}: it hangs in the kernel. */
    boolean isBusy() {
        for (Worker worker : workers) {
            if (worker.thread.isAlive()) {
                return true;
            }
        }
        return false;
    }
}
