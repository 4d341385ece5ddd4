package org.archipelago.peer.mapper;

import com.google.gson.JsonObject;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Reactor;
import org.archipelago.xseg.Op;

/** What the mapper's instances of one process share: the way to the store, and the threads that wait for it. */
public final class MapperControl implements AutoCloseable {
    private static final int QUEUE = 4096;
    private static final long LONG_LOG = 1 << 16;
    private static final int LONG_RUN_THREADS = 2;
    private static final int REMOVERS = 4;
    /** So that the table of objects takes at most a quarter of the heap, and three eighths for a moment while it grows. */
    private static final int USAGE_PLACES =
        (int) Math.min(1 << 26, Long.highestOneBit(Runtime.getRuntime().maxMemory() / 4 / ObjectTable.PLACE_BYTES));

    private final VolumeStore store;
    private final Leases leases;
    private final ObjectStore maps;
    private final NodeIdentity me;
    private final int requests;
    private final long longLog;
    private final ExecutorService reclaimer = threads("reclaim", 1);
    private final ExecutorService removers = threads("remove", REMOVERS);
    private final LongRuns longRuns;
    private final List<ControlThread> threads = new CopyOnWriteArrayList<>();

    /**
     * @param blockerbPort port of the blocker that stores data
     * @param blockermPort port of the blocker that stores maps and locks
     * @param requests requests for the store that each instance may have out, at least 8
     * @param upgradeOriginal whether volumes of the original go on as ours when they are first opened for writing
     */
    public MapperControl(Caller caller, int blockerbPort, int blockermPort, NodeIdentity me, int requests, boolean upgradeOriginal) {
        this(caller, blockerbPort, blockermPort, me, requests, upgradeOriginal, LONG_LOG);
    }

    /** @param longLog records of a log after which an open volume goes on in another */
    public MapperControl(Caller caller, int blockerbPort, int blockermPort, NodeIdentity me, int requests, boolean upgradeOriginal,
            long longLog) {
        this.maps = new ObjectStore(caller, blockermPort, "maps");
        this.leases = new Leases(maps, me);
        this.me = me;
        ObjectStore blocks = new ObjectStore(caller, blockerbPort, "data");
        Hashers hashers = new Hashers(maps, me);
        this.store = new VolumeStore(maps, blocks, leases, hashers, me, upgradeOriginal);
        this.requests = Math.max(requests, 8);
        this.longLog = longLog;
        this.longRuns = longRuns(blocks, hashers);
    }

    long longLog() {
        return longLog;
    }

    private LongRuns longRuns(ObjectStore blocks, Hashers hashers) {
        Collector collector = new Collector(maps, blocks, store, leases, hashers, me, removers);
        Semaphore usageTurn = new Semaphore(1);
        return new LongRuns(threads("run", LONG_RUN_THREADS), Map.of(
            Op.COLLECT, (name, argument) -> collector.begin(argument),
            Op.CHECK, (name, argument) -> {
                ControlThread.checkName(name);
                return new Check(store, blocks, name, argument.has("repair") && argument.get("repair").getAsBoolean());
            },
            Op.HASH, (name, argument) -> hashing(blocks, hashers, name, argument),
            Op.VERIFY, (name, argument) -> {
                ControlThread.checkName(name);
                return new Verification(store, blocks, name);
            },
            Op.USAGE, (name, argument) -> new Usage(store, maps, blocks, USAGE_PLACES, usageTurn)));
    }

    private LongRuns.Run hashing(ObjectStore blocks, Hashers hashers, String name, JsonObject argument) {
        ControlThread.checkName(name);
        String run = argument.get("run").getAsString();
        Optional<String> into = argument.has("into") ? Optional.of(argument.get("into").getAsString()) : Optional.empty();
        into.ifPresent(ControlThread::checkName);
        Hashers.Pass pass = hashers.enter(run, name);
        try {
            return new Hashing(store, blocks, pass, run, name, into);
        } catch (RuntimeException e) {
            pass.close();
            throw e;
        }
    }

    LongRuns longRuns() {
        return longRuns;
    }

    int requests() {
        return requests;
    }

    ControlThread thread(Reactor reactor) {
        ControlThread thread = new ControlThread(reactor, threads("control-" + reactor.index(), 1), reclaimer, store, leases, maps, me);
        threads.add(thread);
        return thread;
    }

    /** Threads with a bounded queue; what does not fit is refused. */
    private static ExecutorService threads(String name, int count) {
        return new ThreadPoolExecutor(count, count, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(QUEUE), runnable -> {
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
        longRuns.close();
        ControlThread.end(removers);
        ControlThread.end(reclaimer);
    }
}
