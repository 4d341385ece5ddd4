package org.archipelago.peer.blocker;

import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.archipelago.peer.Peer;
import org.archipelago.peer.host.Reactor;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.Target;

/**
 * Stores objects as files: the peer of one reactor, docs/operations.md says what its operations mean.
 *
 * <p>Reads of what the page cache has, and writes while the kernel takes them quickly, are made at once
 * on the reactor, without allocating. All that may wait is handed to the {@link FileStore}'s workers:
 * reads that need the disk, opening and closing, syncs, zeroing, control operations. The open files
 * are this reactor's own; operations that change which file a name means tell all reactors before they
 * are answered.
 *
 * <p>All methods are for the reactor's thread, but for {@link #giveBack}.
 */
public final class FileBlocker implements Peer, Reactor.Poller {
    /** Jobs kept for later use. */
    private static final int SPARE_JOBS = 256;
    /** Target of a SYNC of what a former daemon wrote. */
    private static final Target EVERYTHING = Target.of("*");

    private final FileStore store;
    private final Reactor reactor;
    private final long dataFrom;
    private final long dataEnd;
    private final DescriptorCache cache;
    private final Nowait nowait;
    private final WritePacing pacing;
    private final ArrayDeque<DataJob> spare = new ArrayDeque<>(SPARE_JOBS);
    private final AtomicReference<Job> returned = new AtomicReference<>();
    private final Optional<DiskReads> diskReads;
    /** Requests that need a descriptor while all of them are pinned. */
    private final RequestQueue starved = new RequestQueue();
    private boolean feeding;
    /** Syncs that wait for the store's first one; and files written to with FUA that do. */
    private final RequestQueue heldSyncs = new RequestQueue();
    private final ArrayDeque<Descriptor> heldFiles = new ArrayDeque<>();
    private boolean closed;

    /** @param descriptors files to keep open, at least 2 */
    FileBlocker(FileStore store, Reactor reactor, Segment segment, int descriptors) {
        this.store = store;
        this.nowait = store.nowait();
        this.reactor = reactor;
        this.dataFrom = segment.base() + segment.dataAt();
        this.dataEnd = segment.base() + segment.size();
        this.cache = new DescriptorCache(descriptors);
        this.pacing = new WritePacing(store.pool(), store.dirtyPages());
        this.diskReads = store.readsFromDisk() ? DiskReads.open(reactor, this::readEnded) : Optional.empty();
        reactor.add(this);
    }

    Reactor reactor() {
        return reactor;
    }

    @Override
    public void accept(Request request) {
        long address = request.dataAddress();
        long room = request.dataLength();
        boolean inside = room == 0 || address >= dataFrom && address <= dataEnd && room >= 0 && room <= dataEnd - address;
        if (!inside && !reactor.dataAreas().hold(address, room)) {
            request.complete(Errno.EINVAL);
            return;
        }
        int op = request.op();
        switch (op) {
            case Op.READ, Op.WRITE, Op.ZERO -> {
                if (op == Op.READ && request.has(Op.FRESH)) {
                    readFresh(request, address, room);
                } else {
                    transfer(request, op, address, room);
                }
            }
            case Op.SYNC -> sync(request);
            case Op.INFO, Op.CREATE, Op.PUT, Op.DELETE, Op.RENAME, Op.LIST, Op.SCAN ->
                store.pool().submitSlow(new ControlJob(this, store, request, op, address, room));
            case Op.PING -> request.complete(store.files().lost() == 0 ? Errno.OK : Errno.EIO); // status tells
            default -> request.complete(Errno.EOPNOTSUPP);
        }
    }

    // --- reading, writing, zeroing

    private void transfer(Request request, int op, long address, long room) {
        long offset = request.offset();
        long length = request.length();
        int flags = request.flags();
        if (offset < 0 || length < 0 || offset > Long.MAX_VALUE - length || op != Op.ZERO && length > room) {
            request.complete(Errno.EINVAL);
            return;
        }
        Descriptor d = cache.find(request);
        if (d == null) {
            open(request, op, flags, address, offset, length);
        } else {
            serve(request, d, op, flags, address, offset, length);
        }
    }

    /** Opens the object anew for all reactors, then reads. */
    private void readFresh(Request request, long address, long room) {
        String name = request.target();
        if (ObjectPath.isName(name)) {
            store.onEachReactor(blocker -> blocker.forget(name),
                () -> reactor.execute(() -> transfer(request, Op.READ, address, room)));
        } else {
            request.complete(Errno.EINVAL);
        }
    }

    private void serve(Request request, Descriptor d, int op, int flags, long address, long offset, long length) {
        if (d.fd < 0) {
            d.waiting.add(request);
        } else if (op == Op.READ) {
            read(request, d, flags, address, offset, length);
        } else if (op == Op.WRITE) {
            write(request, d, flags, address, offset, length);
        } else {
            hand(request, d, op, flags, address, offset, length, 0);
        }
    }

    private void read(Request request, Descriptor d, int flags, long address, long offset, long length) {
        long done = 0;
        if (store.readsWithoutWaiting()) {
            done = nowait.read(d.fd, address, offset, length, (flags & Op.EXACT) != 0);
            if (done == length) {
                request.complete(length);
                return;
            }
            if (done == -Errno.EOPNOTSUPP || done == -Errno.ENOSYS) {
                store.readsAlwaysWait();
                done = 0;
            } else if (done < 0) {
                failed(request, d, Op.READ, flags, address, offset, length, (int) -done);
                return;
            }
        }
        readFromDisk(request, d, flags, address, offset, length, done);
    }

    private void readFromDisk(Request request, Descriptor d, int flags, long address, long offset, long length, long done) {
        boolean fits = !store.isDirect() || ((address + done | offset + done | length - done) & Scratch.ALIGNMENT - 1) == 0;
        if (fits && diskReads.isPresent() && diskReads.get().begin(request, d, flags, address, offset, length, done)) {
            cache.pin(d);
        } else {
            hand(request, d, Op.READ, flags, address, offset, length, done);
        }
    }

    /** A worker does what is left: behind the end of the file, or what the kernel would not. */
    private void readEnded(DiskReads.Read read, int result) {
        Descriptor d = read.descriptor;
        long done = read.done + Math.max(result, 0);
        if (done == read.length) {
            read.request.complete(read.length);
        } else if (result == -Errno.EIO || DataJob.isOutdated(-result)) {
            failed(read.request, d, Op.READ, read.flags, read.address, read.offset, read.length, -result);
        } else {
            hand(read.request, d, Op.READ, read.flags, read.address, read.offset, read.length, done & -Scratch.ALIGNMENT);
        }
        unpin(d);
        feed();
    }

    private void write(Request request, Descriptor d, int flags, long address, long offset, long length) {
        if (!store.readsWithoutWaiting() || !pacing.mayWrite(length) || !isWritable(d, offset, length)) {
            hand(request, d, Op.WRITE, flags, address, offset, length, 0);
            return;
        }
        int errno = FileCalls.write(d.fd, address, offset, length);
        pacing.wrote(length);
        d.wrote(offset, length, pacing.begun());
        if (errno == Errno.ENOSPC) {
            hand(request, d, Op.WRITE, flags, address, offset, length, 0); // a worker can wait for Closes
        } else if (errno != 0) {
            failed(request, d, Op.WRITE, flags, address, offset, length, errno);
        } else if ((flags & Op.FUA) != 0) {
            syncFor(request.serviced(length), d);
        } else {
            request.complete(length);
        }
    }

    /** Whether a write reads nothing from the disk first. */
    private boolean isWritable(Descriptor d, long offset, long length) {
        return d.hasJustWritten(offset, length, pacing.begun()) || nowait.isWritable(d.fd, offset, length);
    }

    /** A call on the reactor failed. */
    private void failed(Request request, Descriptor d, int op, int flags, long address, long offset, long length,
            int errno) {
        if (DataJob.isOutdated(errno)) {
            drop(d);
            open(request, op, flags, address, offset, length);
            return;
        }
        if (StoreLog.isStoresFault(errno)) {
            store.log().failure(Op.name(op), d.name, errno);
        }
        request.complete(errno);
    }

    /** Lets a worker do the rest of a request on an open file. */
    private void hand(Request request, Descriptor d, int op, int flags, long address, long offset, long length, long done) {
        DataJob job = job(op, request, d);
        cache.pin(d);
        fill(job, flags, address + done, offset + done, length - done, length);
        if (op == Op.ZERO) {
            store.pool().submitSlow(job);
        } else {
            store.pool().submit(job);
        }
    }

    /** Lets a worker open the request's object and do the request. */
    private void open(Request request, int op, int flags, long address, long offset, long length) {
        String name = request.target();
        if (!ObjectPath.isName(name)) {
            request.complete(Errno.EINVAL);
            return;
        }
        Target target = Target.of(name);
        Descriptor there = cache.find(target); // where the request's target is not padded as ours
        if (there != null) {
            if (op == DataJob.OPEN && there.fd >= 0) {
                syncFor(request, there);
            } else {
                serve(request, there, op, flags, address, offset, length);
            }
            return;
        }
        if (!cache.hasRoom() || !starved.isEmpty() && !feeding) {
            starved.add(request);
            return;
        }
        Descriptor d = new Descriptor(target, name);
        DataJob job = job(op, request, d);
        Descriptor evicted = cache.add(d);
        if (evicted != null) {
            job.closes(evicted);
        }
        job.opens = true;
        job.makes = (op == Op.WRITE || op == Op.ZERO) && (flags & Op.CREATE_ABSENT) != 0;
        fill(job, flags, address, offset, length, length);
        store.pool().submit(job);
    }

    // --- syncing

    private void sync(Request request) {
        if (store.start() == FileStore.Start.RUNNING) {
            heldSyncs.add(request);
            return;
        }
        if (request.targets(EVERYTHING)) {
            syncEverything(request);
            return;
        }
        Descriptor d = cache.find(request);
        if (d == null) {
            open(request, DataJob.OPEN, 0, 0, 0, 0);
        } else if (d.fd < 0) {
            d.waiting.add(request);
        } else {
            syncFor(request, d);
        }
    }

    /**
     * What a former composer had written. If it was in this process the store's first sync covered it;
     * one in a process of its own may have ended since.
     */
    private void syncEverything(Request request) {
        if (store.start() == FileStore.Start.FAILED) {
            request.complete(Errno.EIO);
        } else if (request.isForeign()) {
            store.pool().submitSlow(new ControlJob(this, store, request, Op.SYNC, 0, 0));
        } else {
            request.complete(Errno.OK);
        }
    }

    /** Answers a request when what was written to a file until now is durable. */
    private void syncFor(Request request, Descriptor d) {
        d.syncs.add(request);
        d.givesUp |= request.op() == Op.SYNC && request.has(Op.FORCE);
        if (!d.syncing) {
            d.syncing = true;
            cache.pin(d);
            beginSync(d);
        }
    }

    /** One sync for all that wait for one; d is pinned for it. */
    private void beginSync(Descriptor d) {
        switch (store.start()) {
            case RUNNING -> heldFiles.add(d);
            case SYNCED -> {
                DataJob job = job(Op.SYNC, null, d);
                job.batch.takeAll(d.syncs);
                job.flags = d.givesUp ? Op.FORCE : 0;
                d.givesUp = false;
                store.pool().submitSlow(job);
            }
            case FAILED -> {
                RequestQueue refused = new RequestQueue();
                refused.takeAll(d.syncs);
                endSync(d);
                store.log().say(Level.ERROR, "sync of object " + d.name
                    + " is refused since what was written before the start could not be made durable: "
                    + "look into the log of the start, and restart the daemon");
                answer(refused, Errno.EIO);
            }
        }
    }

    private void endSync(Descriptor d) {
        d.syncing = false;
        unpin(d);
    }

    private static void answer(RequestQueue requests, int status) {
        for (Request request = requests.poll(); request != null; request = requests.poll()) {
            if (status != 0) {
                request.serviced(0);
            }
            request.complete(status);
        }
    }

    /** The store's first sync has ended, one way or the other. */
    void startEnded() {
        for (Descriptor d = heldFiles.poll(); d != null; d = heldFiles.poll()) {
            beginSync(d);
        }
        for (Request request = heldSyncs.poll(); request != null; request = heldSyncs.poll()) {
            accept(request);
        }
        feed();
    }

    // --- workers

    private DataJob job(int op, Request request, Descriptor d) {
        DataJob job = spare.poll();
        if (job == null) {
            job = new DataJob(this, store);
        }
        job.op = op;
        job.request = request;
        job.descriptor = d;
        return job;
    }

    private static void fill(DataJob job, int flags, long address, long offset, long length, long total) {
        job.flags = flags;
        job.address = address;
        job.offset = offset;
        job.length = length;
        job.total = total;
    }

    /** Takes a job that is done, from any thread. */
    void giveBack(Job job) {
        Job head;
        do {
            head = returned.get();
            job.next = head;
        } while (!returned.compareAndSet(head, job));
        if (head == null) {
            reactor.wake();
        }
    }

    @Override
    public int poll() {
        int ended = diskReads.isPresent() ? diskReads.get().poll() : 0;
        return ended + (returned.getPlain() == null ? 0 : takeBack());
    }

    @Override
    public boolean prepareToSleep() {
        if (diskReads.isPresent()) {
            diskReads.get().announce(true);
        }
        return poll() == 0 && returned.get() == null;
    }

    @Override
    public void awake() {
        if (diskReads.isPresent()) {
            diskReads.get().announce(false);
        }
    }

    private int takeBack() {
        Job oldest = null;
        int count = 0;
        for (Job job = returned.getAndSet(null); job != null; ) {
            Job next = job.next;
            job.next = oldest;
            oldest = job;
            job = next;
        }
        while (oldest != null) {
            Job job = oldest;
            oldest = job.next;
            job.next = null;
            try {
                job.finished();
            } catch (RuntimeException | Error e) {
                store.log().say(Level.ERROR, "a defect after " + job, e);
            }
            count++;
        }
        return count;
    }

    /** A worker has done its part. */
    void finished(DataJob job) {
        Descriptor d = job.descriptor;
        if (d == null) {
            recycle(job);
            return;
        }
        if (job.opens) {
            d.fd = job.opened;
            if (d.fd < 0 && !d.detached) {
                cache.detach(d);
            }
        }
        if (job.op == Op.SYNC) {
            synced(job, d);
        } else {
            served(job, d);
        }
        for (Request request = d.waiting.poll(); request != null; request = d.waiting.poll()) {
            accept(request);
        }
        feed();
    }

    private void synced(DataJob job, Descriptor d) {
        RequestQueue done = new RequestQueue();
        done.takeAll(job.batch);
        int status = job.status;
        recycle(job);
        if (status == Errno.ESTALE && !d.detached) {
            cache.detach(d); // what was written to it is lost, and the object another one now
        }
        if (d.syncs.isEmpty()) {
            endSync(d);
        } else {
            beginSync(d);
        }
        answer(done, status);
    }

    private void served(DataJob job, Descriptor d) {
        Request request = job.request;
        int status = job.status;
        long total = job.total;
        boolean durable = job.op == DataJob.OPEN || (job.flags & Op.FUA) != 0 && job.op != Op.READ;
        boolean again = job.isOutdated();
        recycle(job);
        if (again && !d.detached) {
            cache.detach(d);
        }
        if (status == 0 && durable) {
            syncFor(request.serviced(total), d);
        }
        unpin(d);
        if (again) {
            accept(request);
        } else if (status != 0) {
            request.complete(status);
        } else if (!durable) {
            request.complete(total);
        }
    }

    private void recycle(DataJob job) {
        if (spare.size() < SPARE_JOBS) {
            job.clear();
            spare.push(job);
        }
    }

    /** Gives descriptors to those who found none. */
    private void feed() {
        while (!feeding && !starved.isEmpty() && cache.hasRoom()) {
            feeding = true;
            try {
                accept(starved.poll());
            } finally {
                feeding = false;
            }
        }
    }

    // --- open files

    private void unpin(Descriptor d) {
        if (cache.unpin(d)) {
            close(d);
        }
    }

    /** The next request opens the object anew. */
    private void drop(Descriptor d) {
        cache.detach(d);
        if (d.pins == 0) {
            close(d);
        }
    }

    private void close(Descriptor d) {
        if (d.fd >= 0) {
            DataJob job = job(DataJob.CLOSE, null, null);
            job.closes(d);
            store.pool().submit(job);
        }
    }

    /** What an object's name means may have changed. */
    void forget(String name) {
        Descriptor d = cache.find(Target.of(name));
        if (d != null) {
            drop(d);
            feed();
        }
    }

    // --- the end

    boolean isClosed() {
        return closed;
    }

    @Override
    public void close() {
        closed = true;
        store.left();
    }

    /** Once no thread uses them any more. */
    void closeFiles() {
        diskReads.ifPresent(DiskReads::close);
        cache.forEach(d -> {
            if (d.fd >= 0) {
                FileCalls.close(d.fd);
                d.fd = -1;
            }
        });
        for (Job job = returned.getAndSet(null); job != null; job = job.next) {
            job.dropped();
        }
    }
}
