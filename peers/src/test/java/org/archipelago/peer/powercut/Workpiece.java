package org.archipelago.peer.powercut;

import java.util.BitSet;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** A volume or a snapshot that several threads work on, and what they may do at a time. What cannot be done now is left out. */
final class Workpiece {
    final String name;
    final boolean snapshot;
    /** Bytes; 0: it is gone. */
    private volatile long size;
    private final ReadWriteLock inUse = new ReentrantReadWriteLock();
    private final ReentrantLock controlled = new ReentrantLock();
    private final BitSet busy = new BitSet();

    Workpiece(String name, boolean snapshot, long size) {
        this.name = name;
        this.snapshot = snapshot;
        this.size = size;
    }

    long size() {
        return size;
    }

    void size(long newSize) {
        size = newSize;
    }

    /** Takes units for an operation; false where another has one of them. */
    synchronized boolean take(int from, int to) {
        int next = busy.nextSetBit(from);
        boolean free = next < 0 || next >= to;
        if (free) {
            busy.set(from, to);
        }
        return free;
    }

    synchronized void giveBack(int from, int to) {
        busy.clear(from, to);
    }

    /** Beside others, but not while somebody is or wants to be alone. */
    void use(Runnable work) {
        run(inUse.readLock(), work);
    }

    /** One control operation at a time, beside uses. */
    void control(Runnable work) {
        run(controlled, work);
    }

    private void run(Lock lock, Runnable work) {
        if (lock.tryLock()) {
            try {
                if (size > 0) {
                    work.run();
                }
            } finally {
                lock.unlock();
            }
        }
    }

    /** When all uses have ended. */
    void alone(Runnable work) {
        inUse.writeLock().lock();
        try {
            if (size > 0) {
                work.run();
            }
        } finally {
            inUse.writeLock().unlock();
        }
    }
}
