package org.archipelago.peer.composer;

import java.util.ArrayDeque;
import java.util.BitSet;
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
    private BitSet blocks = new BitSet();
    private byte[] prefix = new byte[0];
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
        BitSet spare = blocks;
        blocks = volume.dirty;
        volume.dirty = spare;
        prefix = volume.ownPrefix;
        nextBlock = 0;
        settling = !volume.settled;
        syncMore();
    }

    /** Syncs objects, as many at once as there are requests. */
    private void syncMore() {
        if (issuing) {
            return;
        }
        issuing = true;
        while ((status == 0 || force) && owner.hasDataRequest() && (settling || blocks.nextSetBit(nextBlock) >= 0)) {
            Request request;
            if (settling) {
                settling = false;
                request = owner.takeDataRequest().op(Op.SYNC).flags(0).target(EVERYTHING).cookie(-1);
            } else {
                int block = blocks.nextSetBit(nextBlock);
                nextBlock = block + 1;
                VolumeLayer.writeName(owner.nameBuffer(), 0, prefix, block);
                request = owner.takeDataRequest().op(Op.SYNC).flags(force ? Op.FORCE : 0)
                    .target(owner.nameBuffer(), 0, VolumeLayer.NAME_LENGTH).cookie(block);
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
        return request.status() == Errno.ENOENT && request.cookie() >= 0 && volume.doubtful.get((int) request.cookie());
    }

    private void marked() {
        status = map.status();
        held = map.serviced() > 0;
        end();
    }

    private void end() {
        if (status == 0) {
            volume.settled = true;
        } else {
            if (prefix == volume.ownPrefix) {
                volume.dirty.or(blocks);
            }
            volume.uncommitted = true;
        }
        blocks.clear();
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
