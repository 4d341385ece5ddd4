package org.archipelago.peer.composer;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;

/** What a composer knows of a volume while it is in use; on its reactor's thread. */
final class Volume {
    final Target name;
    /** Operations under way. */
    int inFlight;
    /** Operations that began, ever. */
    long begun;
    /** Operations under way that write. */
    final List<Operation> writers = new ArrayList<>();
    /** Blocks that an operation makes own before it writes: no other may write there meanwhile. */
    final List<Integer> filling = new ArrayList<>();
    /** Operations that wait for a block in filling, or to begin one, or for older writes to end. */
    final ArrayDeque<Operation> parked = new ArrayDeque<>();
    /** Control operations that want the volume for themselves, and data operations behind them. */
    final ArrayDeque<Request> exclusive = new ArrayDeque<>();
    final ArrayDeque<Request> waiting = new ArrayDeque<>();
    boolean frozen;
    /** Stands in the composer's queue for a free operation. */
    boolean awaitsOperation;
    /** The exclusive operation that has the volume; that one's steps, when it is a snapshot that lets I/O go on. */
    Optional<Request> running = Optional.empty();
    Optional<LiveSnapshot> snapshot = Optional.empty();
    /** The mapper says that the snapshot needs the volume stopped. */
    boolean stopsForSnapshot;
    /** Writes that are durable by themselves wait with those behind exclusive operations. */
    boolean settling;
    /** A SEAL was sent, and it is not known whether the volume was sealed. */
    boolean sealOut;

    /** What was written to the objects that it writes now; and to those of former epochs that no flush has made durable yet. */
    Written written = new Written();
    final List<Written> former = new ArrayList<>();
    /** Something was committed since the last flush; true at first, since a former daemon may have. */
    boolean uncommitted = true;
    /** A former daemon's writes have been made durable. */
    boolean settled;
    /** What a composer before this one left in the objects is not known. */
    boolean inherited;
    /** Who waits for the next flush; who for the one that runs. */
    final ArrayDeque<Operation> flushWaiters = new ArrayDeque<>();
    final ArrayDeque<Operation> flushSharers = new ArrayDeque<>();
    boolean flushing;
    /** A CLOSE failed since something could not be made durable: the next one gives that up. */
    boolean closeFailed;
    /** When the next flush is to be expected. */
    final Rhythm rhythm = new Rhythm();

    /** inherited: its map may have been open before this composer was there. */
    Volume(Target name, boolean inherited) {
        this.name = name;
        this.inherited = inherited;
    }

    /** Whether nothing would be lost if this were forgotten. */
    boolean isIdle() {
        return inFlight == 0 && !frozen && exclusive.isEmpty() && waiting.isEmpty() && flushWaiters.isEmpty()
            && !isDirty() && written.doubtful.isEmpty();
    }

    /** Whether objects were written since the last flush began. */
    boolean isDirty() {
        return !written.dirty.isEmpty() || !former.isEmpty();
    }

    /** Whether operations are under way that write; durable: such as are durable by themselves. */
    boolean isWriting(boolean durable) {
        for (int i = 0; i < writers.size(); i++) {
            if (!durable || writers.get(i).isDurable()) {
                return true;
            }
        }
        return false;
    }

    /** The volume is not this node's any more, or not there: what was written to it is no concern of ours. */
    void forget() {
        written = new Written(); // a flush that is under way has the former one
        former.clear();
        sealOut = false;
        uncommitted = true;
        settled = false;
        closeFailed = false;
    }

    /** An object of the volume's own, named in an answer of the mapper, is about to be written. */
    void writesTo(ByteBuffer reply, int nameAt) {
        if (written.isOf(reply, nameAt)) {
            return;
        }
        if (sealOut) {
            sealed(); // the SEAL took effect though it was said to have failed
        } else if (!written.isNew()) { // another epoch, or another volume of this name: what is known is of objects that it does not write
            inherited = false;
            written = new Written();
            former.clear();
        }
        written.of(reply, nameAt);
    }

    /** From now on it writes other objects, and to those before nobody writes any more. */
    void sealed() {
        if (!written.isNew()) {
            former.add(written);
        }
        written = new Written();
        inherited = false;
        uncommitted = true;
        sealOut = false;
    }

    boolean isFilling(int block) {
        for (int i = 0; i < filling.size(); i++) {
            if (filling.get(i) == block) {
                return true;
            }
        }
        return false;
    }
}
