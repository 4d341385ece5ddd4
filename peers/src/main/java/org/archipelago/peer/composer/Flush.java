package org.archipelago.peer.composer;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import org.archipelago.map.VolumeLayer;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Completion;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;

/**
 * Makes a volume durable: first the objects written since the last flush, then the log up to the
 * records that were there before these were looked at. So no record is marked as durable before the
 * data that it names. One flush of a volume runs at a time; who comes meanwhile shares it where nothing was
 * written since it began, else the next. Allocates nothing.
 */
final class Flush {
    private static final Target EVERYTHING = Target.of("*");

    private final Composer composer;
    private final Operation owner;
    private final ArrayDeque<Operation> served = new ArrayDeque<>();
    private final Completion onCounted = done -> counted();
    private final Completion onMarked = done -> marked();
    private Request map;
    private Volume volume;
    private IntConsumer then = status -> { };
    /** What it makes durable, one epoch's objects after another's. */
    private final List<Written> taken = new ArrayList<>();
    private int at;
    private int nextBlock;
    /** What was lost is given up: all that is there is made durable. */
    private boolean force;
    private int status;
    /** The lease is still this node's. */
    private boolean held;
    private boolean settling;
    private boolean issuing;

    Flush(Composer composer, Operation owner) {
        this.composer = composer;
        this.owner = owner;
    }

    /** For those who wait in the volume's queue, and for its owner, which is told last: it may be used again then. */
    void run(Volume ofVolume, boolean givesUp, IntConsumer after) {
        volume = ofVolume;
        force = givesUp;
        then = after;
        status = 0;
        held = false;
        volume.flushing = true;
        takeFrom(volume.flushWaiters);
        volume.uncommitted = false; // before it is counted: what is committed from now on may not be in it
        map = composer.flushRequests.take();
        map.op(Op.SYNC).target(volume.name).onCompletion(onCounted);
        composer.host.submit(map, composer.reactor, composer.mapperPort);
    }

    private void takeFrom(ArrayDeque<Operation> waiters) {
        for (Operation waiter = waiters.poll(); waiter != null; waiter = waiters.poll()) {
            if (waiter != owner) {
                served.add(waiter);
            }
        }
    }

    private void counted() {
        if (map.status() != 0) {
            status = map.status();
            end();
            return;
        }
        map.range(map.serviced(), 0);
        for (int i = 0; i < volume.former.size(); i++) {
            take(volume.former.get(i));
        }
        take(volume.written);
        at = 0;
        nextBlock = 0;
        settling = !volume.settled;
        syncMore();
    }

    private void take(Written written) {
        written.beginSync();
        taken.add(written);
    }

    /** The number of the next block, of those in taken from at on, whose object is to be synced; -1: there is none. */
    private int next() {
        for (; at < taken.size(); at++) {
            int block = taken.get(at).syncing.nextSetBit(nextBlock);
            if (block >= 0) {
                return block;
            }
            nextBlock = 0;
        }
        return -1;
    }

    /** Syncs objects, as many at once as there are requests. */
    private void syncMore() {
        if (issuing) {
            return;
        }
        issuing = true;
        while ((status == 0 || force) && owner.hasDataRequest() && (settling || next() >= 0)) {
            Request request;
            if (settling) {
                settling = false;
                request = owner.takeDataRequest().op(Op.SYNC).flags(0).target(EVERYTHING).cookie(-1);
            } else {
                int block = next();
                nextBlock = block + 1;
                VolumeLayer.writeName(owner.nameBuffer(), 0, taken.get(at).prefix(), block);
                request = owner.takeDataRequest().op(Op.SYNC).flags(force ? Op.FORCE : 0)
                    .target(owner.nameBuffer(), 0, VolumeLayer.NAME_LENGTH).cookie((long) at << Integer.SIZE | block);
            }
            composer.host.submit(request, composer.reactor, composer.blockerPort);
        }
        issuing = false;
        if (owner.hasAllDataRequests()) {
            if (status != 0) {
                end();
            } else {
                map.range(map.offset(), 0).op(Op.FLUSH).onCompletion(onMarked);
                composer.host.submit(map, composer.reactor, composer.mapperPort);
            }
        }
    }

    /** One of the owner's data requests came back; it is the owner's again. */
    void synced(Request request) {
        if (request.status() != 0 && status == 0 && !neverMade(request)) {
            status = request.status() == Errno.ENOENT ? Errno.EIO : request.status();
        }
        syncMore();
    }

    /** A write that failed may have failed to make the object. */
    private boolean neverMade(Request request) {
        long cookie = request.cookie();
        return request.status() == Errno.ENOENT && cookie >= 0 && taken.get((int) (cookie >>> Integer.SIZE)).doubtful.get((int) cookie);
    }

    private void marked() {
        status = map.status();
        held = map.serviced() > 0;
        end();
    }

    private void end() {
        for (int i = 0; i < taken.size(); i++) {
            taken.get(i).endSync(status == 0);
        }
        taken.clear();
        if (status == 0) {
            volume.settled = true;
            volume.former.removeIf(Written::isClean);
        } else {
            volume.uncommitted = true;
        }
        composer.flushRequests.release(map);
        volume.flushing = false;
        int result = status;
        boolean stillHeld = held;
        takeFrom(volume.flushSharers);
        Operation next = volume.flushWaiters.peek();
        if (next != null) {
            next.runFlush();
        }
        for (Operation operation = served.poll(); operation != null; operation = served.poll()) {
            operation.flushed(result, stillHeld);
        }
        then.accept(result);
    }

    boolean leaseIsHeld() {
        return held;
    }
}
