package org.archipelago.peer.mapper;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Reactor;

/** What the mapper's instances of one process share: the way to the store, and the threads that wait for it. */
public final class MapperControl implements AutoCloseable {
    private static final int QUEUE = 4096;
    private static final long LONG_LOG = 1 << 16;

    private final VolumeStore store;
    private final Leases leases;
    private final ObjectStore maps;
    private final NodeIdentity me;
    private final int requests;
    private final long longLog;
    private final ExecutorService reclaimer = threads("reclaim");
    private final List<ControlThread> threads = new CopyOnWriteArrayList<>();

    /**
     * @param blockerbPort port of the blocker that stores data
     * @param blockermPort port of the blocker that stores maps and locks
     * @param requests requests for the store that each instance may have out, at least 8
     */
    public MapperControl(Caller caller, int blockerbPort, int blockermPort, NodeIdentity me, int requests) {
        this(caller, blockerbPort, blockermPort, me, requests, LONG_LOG);
    }

    /** @param longLog records of a log after which an open volume goes on in another */
    public MapperControl(Caller caller, int blockerbPort, int blockermPort, NodeIdentity me, int requests, long longLog) {
        this.maps = new ObjectStore(caller, blockermPort);
        this.leases = new Leases(maps, me);
        this.me = me;
        this.store = new VolumeStore(maps, new ObjectStore(caller, blockerbPort), leases, me);
        this.requests = Math.max(requests, 8);
        this.longLog = longLog;
    }

    long longLog() {
        return longLog;
    }

    int requests() {
        return requests;
    }

    ControlThread thread(Reactor reactor) {
        ControlThread thread = new ControlThread(reactor, threads("control-" + reactor.index()), reclaimer, store, leases, maps, me);
        threads.add(thread);
        return thread;
    }

    /** One thread with a bounded queue; what does not fit is refused. */
    private static ExecutorService threads(String name) {
        return new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(QUEUE), runnable -> {
            Thread thread = new Thread(runnable, "mapper-" + name);
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Lets what is under way end, at most five seconds. */
    @Override
    public void close() {
        for (ControlThread thread : threads) {
            thread.close();
        }
        ControlThread.end(reclaimer);
    }
}
