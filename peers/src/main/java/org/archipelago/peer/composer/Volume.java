package org.archipelago.peer.composer;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import org.archipelago.map.VolumeLayer;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;

/** What a composer knows of a volume while it is in use; on its reactor's thread. */
final class Volume {
    private static final byte[] NOTHING = new byte[0];

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
    /** The exclusive operation that has the volume. */
    Optional<Request> running = Optional.empty();

    /** Blocks whose own object was written since the last flush, and what these objects' names begin with. */
    BitSet dirty = new BitSet();
    byte[] ownPrefix = NOTHING;
    /** Blocks that a failed write may have left something in that no map names; their objects may be absent. */
    final BitSet doubtful = new BitSet();
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
            && dirty.isEmpty() && doubtful.isEmpty();
    }

    /** The volume is not this node's any more, or not there: what was written to it is no concern of ours. */
    void forget() {
        dirty.clear();
        doubtful.clear();
        ownPrefix = NOTHING;
        uncommitted = true;
        settled = false;
        closeFailed = false;
    }

    /** An object of the volume's own, named in an answer of the mapper, is about to be written. */
    void writesTo(ByteBuffer reply, int nameAt) {
        boolean same = ownPrefix.length == VolumeLayer.PREFIX_LENGTH;
        for (int i = VolumeLayer.PREFIX_LENGTH - 1; same && i >= 0; i--) {
            same = ownPrefix[i] == reply.get(nameAt + i);
        }
        if (!same) { // another epoch, or another volume of this name: what is known is of objects that it does not write
            dirty.clear();
            doubtful.clear();
            inherited &= ownPrefix.length == 0;
            ownPrefix = new byte[VolumeLayer.PREFIX_LENGTH];
            reply.get(nameAt, ownPrefix);
        }
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
