package org.archipelago.peer.composer;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;

/** What a composer knows of a volume while it is in use; on its reactor's thread. */
final class Volume {
    final Target name;
    /** Operations under way. */
    int inFlight;
    /** Operations under way that write. */
    final List<Operation> writers = new ArrayList<>();
    /** Blocks that an operation makes own before it writes: no other may write there meanwhile. */
    final List<Integer> filling = new ArrayList<>();
    /** Operations that wait for a block in filling, or to begin one. */
    final ArrayDeque<Operation> parked = new ArrayDeque<>();
    /** Control operations that want the volume for themselves, and data operations behind them. */
    final ArrayDeque<Request> exclusive = new ArrayDeque<>();
    final ArrayDeque<Request> waiting = new ArrayDeque<>();
    boolean frozen;
    /** The exclusive operation that has the volume. */
    Optional<Request> running = Optional.empty();

    /** Blocks whose own object was written since the last flush, and what these objects' names begin with. */
    BitSet dirty = new BitSet();
    byte[] ownPrefix = new byte[0];
    /** Something was committed since the last flush; true at first, since a former daemon may have. */
    boolean uncommitted = true;
    /** A former daemon's writes have been made durable. */
    boolean settled;
    /** A write failed: an object may hold what no map names. */
    boolean failedWrite;
    final ArrayDeque<Operation> flushWaiters = new ArrayDeque<>();
    boolean flushing;

    Volume(Target name) {
        this.name = name;
    }

    boolean isIdle() {
        return inFlight == 0 && !frozen && exclusive.isEmpty() && waiting.isEmpty() && dirty.isEmpty() && flushWaiters.isEmpty();
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
