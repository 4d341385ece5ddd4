package org.archipelago.peer.blocker;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Threads for I/O that blocks. Work stands in two queues: what is quick on a healthy disk, and what
 * waits for it to write everything down (sync, control work). The slow kind never has all threads, so
 * reads go on while syncs wait.
 *
 * <p>The queues are bounded by what can stand in them: a job for each accepted request, of which there are as
 * many as the segment has, and one for each descriptor to close. Thread-safe.
 */
final class WorkerPool implements AutoCloseable {
    private static final long CLOSE_MILLIS = 5000;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition work = lock.newCondition();
    private final Queue quick = new Queue();
    private final Queue slow = new Queue();
    private final Thread[] threads;
    private final int slowMost;
    private int idle;
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

    /** Starts the threads, which do not keep the process alive; size: at least 1. */
    WorkerPool(String name, int size) {
        slowMost = size == 1 ? 1 : size - Math.max(1, size / 4);
        threads = new Thread[size];
        for (int i = 0; i < size; i++) {
            threads[i] = new Thread(this::run, name + "-io-" + i);
            threads[i].setDaemon(true);
            threads[i].start();
        }
    }

    /** Queues a job that takes as long as a read or a write. */
    void submit(Job job) {
        add(quick, job);
    }

    /** Queues a job that may take long. */
    void submitSlow(Job job) {
        add(slow, job);
    }

    private void add(Queue queue, Job job) {
        lock.lock();
        try {
            if (!closing) {
                queue.add(job);
                if (idle > 0) {
                    work.signal();
                }
                return;
            }
        } finally {
            lock.unlock();
        }
        job.dropped();
    }

    private void run() {
        Scratch scratch = new Scratch();
        boolean wasSlow = false;
        while (true) {
            Job job;
            boolean isSlow;
            lock.lock();
            try {
                if (wasSlow) {
                    slowRunning--;
                    if (!slow.isEmpty() && idle > 0) {
                        work.signal();
                    }
                }
                while (!closing && quick.isEmpty() && !slowMayRun()) {
                    idle++;
                    work.awaitUninterruptibly();
                    idle--;
                }
                if (closing) {
                    return;
                }
                isSlow = slowMayRun() && (quick.isEmpty() || slowTurn);
                slowTurn = !isSlow;
                if (isSlow) {
                    slowRunning++;
                }
                job = (isSlow ? slow : quick).poll();
            } finally {
                lock.unlock();
            }
            job.run(scratch);
            wasSlow = isSlow;
        }
    }

    private boolean slowMayRun() {
        return slowRunning < slowMost && !slow.isEmpty();
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
            work.signalAll();
        } finally {
            lock.unlock();
        }
        while (!left.isEmpty()) {
            left.poll().dropped();
        }
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CLOSE_MILLIS);
        boolean interrupted = false;
        for (Thread thread : threads) {
            try {
                thread.join(Math.max(1, (end - System.nanoTime()) / 1_000_000));
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
        for (Thread thread : threads) {
            if (thread.isAlive()) {
                return true;
            }
        }
        return false;
    }
}
