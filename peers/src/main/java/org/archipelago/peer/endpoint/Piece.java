package org.archipelago.peer.endpoint;

import org.archipelago.posix.Errno;
import org.archipelago.xseg.Completion;
import org.archipelago.xseg.Request;

/**
 * A part of an NBD request that is one request to the composer, with the buffer for its data. Belongs
 * to its {@link Operation} from {@link Station#takePiece} on; goes back to the station when the
 * composer has answered it and, where it carries data to the client, that data has been sent.
 */
final class Piece extends Outgoing implements Completion {
    static final int NO_BUFFER = -1;

    final Request request;
    /** Belongs to one connection, with its buffer, and never to the station's free ones. */
    final boolean reserve;
    /** Owner; null while free. */
    Operation operation;
    /** The next piece in the volume's order, for replies in one run. */
    Piece sibling;
    /** First page of its buffer. */
    int page;
    /** Size of its buffer, as the arena counts; {@link #NO_BUFFER}. */
    int order = NO_BUFFER;
    /** Where its buffer lies in this process, and how much it holds. */
    long bufferAddress;
    int capacity;
    /** The range in the volume. */
    long offset;
    long length;
    boolean answered;
    /** When it was first found that nobody serves it, of nanoTime; 0: it was not. */
    long orphanedSince;
    /** NBD's; 0 is success. */
    int error;

    Piece(HeaderSlab slab, int place, Request request, boolean reserve) {
        super(slab, place);
        this.request = request;
        this.reserve = reserve;
        request.onCompletion(this);
    }

    @Override
    public void completed(Request answer) {
        if ((answer.status() == Errno.EHOSTDOWN || answer.status() == Errno.EOWNERDEAD) && operation.station().submitAgain(this)) {
            return; // whoever serves it has died, and a successor is due: nothing is lost if it is done twice
        }
        answered = true;
        error = NbdProtocol.error(answer.status());
        operation.answered(this);
    }

    @Override
    void gone() {
        operation.station().release(this);
    }
}
