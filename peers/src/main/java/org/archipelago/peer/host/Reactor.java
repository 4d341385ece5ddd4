package org.archipelago.peer.host;

import static org.archipelago.posix.Posix.EPOLLIN;
import static org.archipelago.posix.Posix.EPOLL_CTL_ADD;
import static org.archipelago.posix.Posix.EPOLL_CTL_DEL;
import static org.archipelago.posix.Posix.EPOLL_CTL_MOD;

import com.sun.jna.Memory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Responder;

/**
 * A thread that carries requests from beginning to end. It takes work from descriptors, from other
 * threads of the process and, through its {@link Poller}s, from the rings of a segment; it looks for
 * work for a time after the last ({@link Spin}) and then sleeps in epoll.
 *
 * <p>Only {@link #execute}, {@link #post}, {@link #respond} and {@link #wake} may be called from other threads.
 */
public final class Reactor implements Responder, AutoCloseable {
    /** Looks for work that no descriptor announces. */
    public interface Poller {
        /** Does what there is, without waiting; returns how much that was. */
        int poll();

        /** The reactor is about to sleep: ask to be woken; false if there is work after all. */
        boolean prepareToSleep();

        /** The reactor woke up. */
        void awake();
    }

    private static final System.Logger LOG = System.getLogger(Reactor.class.getName());
    private static final int MAX_EVENTS = 64;
    private static final int MAX_TASKS = 64;
    private static final int EVENT_SIZE = 12;
    private static final int MAX_SLEEP_MILLIS = 1000;
    /** A round without work takes a microsecond or two; one that takes this long was interrupted. */
    private static final long LOST_CORE_NANOS = 200_000;
    /** While work comes through pollers, rounds or pieces of it after which descriptors are looked at too. */
    private static final int ROUNDS = 4;
    private static final int PIECES = 64;

    private final int index;
    private final Spin spin;
    private final Thread thread;
    private final int epoll;
    private final int wakeUp;
    private final Memory memory = new Memory(EVENT_SIZE * (MAX_EVENTS + 1) + 16);
    private final long eventsAddress;
    private final long oneEventAddress;
    private final long counterAddress;
    private final long oneAddress;
    private final ByteBuffer events;
    private final Map<Integer, Watcher> watched = new HashMap<>();
    private Watcher[] watchers = new Watcher[64];
    private final DataAreas dataAreas = new DataAreas();
    private final List<Poller> pollers = new ArrayList<>();
    private final PriorityQueue<Timer> timers = new PriorityQueue<>();
    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final AtomicReference<Request> posted = new AtomicReference<>();
    private boolean polling;
    private int rounds;
    private int pieces;
    private volatile boolean sleeping;
    private volatile boolean stopping;

    private record Timer(long at, Runnable task) implements Comparable<Timer> {
        @Override
        public int compareTo(Timer other) {
            return Long.compare(at - other.at, 0);
        }
    }

    /**
     * @param index number of this reactor within its process, from 0
     * @param spinNanos how long to look for work at most before sleeping, 0 or more
     */
    public Reactor(String name, int index, long spinNanos) {
        this.index = index;
        this.spin = new Spin(spinNanos);
        this.eventsAddress = com.sun.jna.Pointer.nativeValue(memory);
        this.oneEventAddress = eventsAddress + EVENT_SIZE * MAX_EVENTS;
        this.counterAddress = oneEventAddress + EVENT_SIZE;
        this.oneAddress = counterAddress + 8;
        memory.setLong(oneAddress - eventsAddress, 1);
        this.events = memory.getByteBuffer(0, memory.size()).order(ByteOrder.LITTLE_ENDIAN);
        this.epoll = check(Posix.epoll_create1(Posix.EPOLL_CLOEXEC), "epoll_create1");
        this.wakeUp = check(Posix.eventfd(0, Posix.EFD_NONBLOCK | Posix.EFD_CLOEXEC), "eventfd");
        this.thread = new Thread(this::run, name);
        control(EPOLL_CTL_ADD, wakeUp, EPOLLIN);
    }

    public void start() {
        thread.start();
    }

    public int index() {
        return index;
    }

    /** Whether the caller is this reactor's thread. */
    public boolean isCurrent() {
        return Thread.currentThread() == thread;
    }

    /** Of the devices that this reactor serves. */
    public DataAreas dataAreas() {
        return dataAreas;
    }

    // --- from any thread

    /** Runs a task on the reactor, soon; for control work, since it allocates. */
    public void execute(Runnable task) {
        tasks.add(task);
        wake();
    }

    /** Hands an answered request to the reactor, which runs its completion. */
    public void post(Request request) {
        Request head;
        do {
            head = posted.get();
            request.next = head;
        } while (!posted.compareAndSet(head, request));
        wake();
    }

    /** An answer for a request of this reactor: at once where it was answered on its own thread. */
    @Override
    public void respond(Request request) {
        if (isCurrent()) {
            request.runCompletion();
        } else {
            post(request);
        }
    }

    /** Makes it look at its pollers, for what another thread has left there. */
    public void wake() {
        if (sleeping) {
            sleeping = false;
            Posix.write(wakeUp, oneAddress, 8);
        }
    }

    // --- on the reactor's thread

    public void add(Poller poller) {
        pollers.add(poller);
    }

    public void remove(Poller poller) {
        pollers.remove(poller);
    }

    /** Watches a descriptor, level-triggered; it stays its owner's to close, after unwatch. */
    public void watch(int fd, int interest, Watcher watcher) {
        control(EPOLL_CTL_ADD, fd, interest);
        if (fd >= watchers.length) {
            watchers = java.util.Arrays.copyOf(watchers, Math.max(fd + 1, 2 * watchers.length));
        }
        watchers[fd] = watcher;
        watched.put(fd, watcher);
    }

    public void rewatch(int fd, int interest) {
        control(EPOLL_CTL_MOD, fd, interest);
    }

    public void unwatch(int fd) {
        if (watched.remove(fd) != null) {
            watchers[fd] = null;
            control(EPOLL_CTL_DEL, fd, 0);
        }
    }

    /** Runs a task once, after at least that time. */
    public void schedule(long delayNanos, Runnable task) {
        timers.add(new Timer(System.nanoTime() + delayNanos, task));
    }

    private void run() {
        long lastWork = System.nanoTime();
        long idle = 0; // since the last work; 0 where it is not looking for more
        while (!stopping) {
            try {
                if (runOnce() > 0) {
                    if (idle > 0) {
                        spin.found(idle);
                        idle = 0;
                    }
                    lastWork = System.nanoTime();
                    continue;
                }
                long before = idle;
                idle = System.nanoTime() - lastWork;
                if (before > 0 && idle - before > LOST_CORE_NANOS) {
                    spin.lostCore();
                }
                if (idle < spin.limit()) {
                    Thread.yield(); // to a worker, say, that was just woken on this core
                    continue;
                }
                if (sleep()) {
                    long now = System.nanoTime();
                    spin.sleptThrough(now - lastWork);
                    lastWork = now;
                }
                idle = 0;
            } catch (RuntimeException | Error e) {
                defect(e);
            }
        }
        runTasks();
        runPosted();
        runPollers(); // what was answered leaves
    }

    private void defect(Throwable e) {
        LOG.log(Level.ERROR, "a defect in what " + thread.getName() + " runs: its other work goes on", e);
    }

    private int runOnce() {
        int work = runTasks() + runPosted() + runTimers();
        int polled = runPollers();
        polling |= polled > 0;
        pieces += polled;
        if (polling && pieces < PIECES && ++rounds < ROUNDS) {
            return work + polled; // what comes through rings does not pay for a system call each time
        }
        rounds = 0;
        pieces = 0;
        int ready = runEvents(0);
        polling &= ready == 0;
        return work + polled + ready;
    }

    private int runPollers() {
        int work = 0;
        for (int i = 0; i < pollers.size(); i++) {
            work += pollers.get(i).poll();
        }
        return work;
    }

    /** Sleeps until there is something to do; true if a descriptor was ready. */
    private boolean sleep() {
        sleeping = true;
        boolean quiet = tasks.isEmpty() && posted.get() == null;
        int prepared = 0;
        while (quiet && prepared < pollers.size()) {
            quiet = pollers.get(prepared++).prepareToSleep();
        }
        int work = runEvents(quiet && !stopping ? sleepMillis() : 0);
        sleeping = false;
        for (int i = 0; i < prepared; i++) {
            pollers.get(i).awake();
        }
        return work > 0;
    }

    private int sleepMillis() {
        Timer first = timers.peek();
        if (first == null) {
            return MAX_SLEEP_MILLIS;
        }
        long millis = (first.at - System.nanoTime() + 999_999) / 1_000_000;
        return (int) Math.max(0, Math.min(millis, MAX_SLEEP_MILLIS));
    }

    /** A few at a time: tasks that make tasks must not keep the reactor from its other work. */
    private int runTasks() {
        int done = 0;
        for (Runnable task = tasks.poll(); task != null; task = ++done < MAX_TASKS ? tasks.poll() : null) {
            task.run();
        }
        return done;
    }

    private int runPosted() {
        if (posted.getPlain() == null) {
            return 0;
        }
        Request oldestFirst = null;
        for (Request r = posted.getAndSet(null); r != null; ) {
            Request next = r.next;
            r.next = oldestFirst;
            oldestFirst = r;
            r = next;
        }
        int done = 0;
        for (Request r = oldestFirst; r != null; done++) {
            Request next = r.next;
            r.next = null;
            try {
                r.runCompletion();
            } catch (RuntimeException | Error e) {
                defect(e); // those behind it are answered all the same
            }
            r = next;
        }
        return done;
    }

    private int runTimers() {
        int done = 0;
        while (!timers.isEmpty() && timers.peek().at - System.nanoTime() <= 0) {
            timers.poll().task.run();
            done++;
        }
        return done;
    }

    private int runEvents(int timeoutMillis) {
        int ready = Posix.epoll_wait(epoll, eventsAddress, MAX_EVENTS, timeoutMillis);
        for (int i = 0; i < ready; i++) {
            int what = events.getInt(EVENT_SIZE * i);
            int fd = events.getInt(EVENT_SIZE * i + 4);
            if (fd == wakeUp) {
                Posix.read(wakeUp, counterAddress, 8);
            } else if (watchers[fd] != null) {
                watchers[fd].ready(what);
            }
        }
        return Math.max(ready, 0);
    }

    private void control(int operation, int fd, int interest) {
        events.putInt(EVENT_SIZE * MAX_EVENTS, interest);
        events.putLong(EVENT_SIZE * MAX_EVENTS + 4, fd);
        check(Posix.epoll_ctl(epoll, operation, fd, oneEventAddress), "epoll_ctl");
    }

    private static int check(int result, String call) {
        if (result < 0) {
            throw new IllegalStateException(call + ": " + Errno.text(Posix.errno()));
        }
        return result;
    }

    /** Whether the thread still runs: after {@link #close}, since something that it called does not return. */
    boolean isAlive() {
        return thread.isAlive();
    }

    /** Ends the thread after what it has at hand; waits at most five seconds for it. */
    @Override
    public void close() {
        stopping = true;
        Posix.write(wakeUp, oneAddress, 8);
        boolean interrupted = false;
        try {
            thread.join(5000);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (!thread.isAlive()) {
            Posix.close(wakeUp);
            Posix.close(epoll);
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
