package org.archipelago.peer.endpoint;

import static org.archipelago.peer.endpoint.NbdProtocol.BASE_ALLOCATION_ID;

/**
 * A request of a client, from its header to the last byte of its reply. It is handed to the composer
 * in {@link Piece}s, in order, by the {@link Receiver}; their answers, in any order, make the reply.
 * As an {@link Outgoing} it is the part of the reply that belongs to no piece.
 *
 * <p>It goes back to the station when its reply has been sent (or its connection is no more) and
 * each piece has been released.
 */
final class Operation extends Outgoing {
    /** What the reply looks like. */
    enum Form {
        /** An error, or none, and no data. */
        PLAIN,
        /** Each piece's data is a chunk of its own, as soon as it is there. */
        CHUNKS,
        /** One header, then the data of all pieces in order. */
        WHOLE,
        /** The extents that the only piece brings. */
        EXTENTS
    }

    private final Station station;
    Connection connection;
    Operation nextFree;

    int command;
    long cookie;
    Form form;
    /** Errors go out in a chunk too. */
    boolean structured;
    /** Op and flags of the requests to the composer. */
    int op;
    int opFlags;
    /** BLOCK_STATUS: one extent is enough. */
    boolean oneExtent;
    /** What has yet to be handed to the composer. */
    long offset;
    long left;
    /** Pieces that the composer has. */
    int outstanding;

    private long start;
    private long length;
    private int parts;
    private boolean concluded;
    private boolean abandoned;
    private int error;
    private boolean hurry;
    private boolean headed;
    private Piece first;
    private Piece last;

    Operation(Station station, HeaderSlab slab, int place) {
        super(slab, place);
        this.station = station;
    }

    Station station() {
        return station;
    }

    /** Begins a new life. */
    void begin(Connection owner, int newCommand, long newCookie, Form newForm, boolean isStructured) {
        connection = owner;
        command = newCommand;
        cookie = newCookie;
        form = newForm;
        structured = isStructured;
        opFlags = 0;
        oneExtent = false;
        left = 0;
        outstanding = 0;
        parts = 0;
        concluded = false;
        abandoned = false;
        error = 0;
        hurry = false;
        headed = false;
        first = null;
        last = null;
        noData();
    }

    /** @param newLeft what to hand to the composer: bytes, or 1 for what has no range */
    void range(long newOffset, long newLeft) {
        start = newOffset;
        length = newLeft;
        offset = newOffset;
        left = newLeft;
    }

    /** A piece of this operation is about to go to the composer, and everything before it has gone. */
    void submitted(Piece piece) {
        offset += piece.length;
        left -= piece.length;
        outstanding++;
        if (form == Form.WHOLE) {
            if (first == null) {
                first = piece;
            } else {
                last.sibling = piece;
            }
            last = piece;
        }
    }

    /** A piece was taken for this operation. */
    void partTaken() {
        parts++;
    }

    /** A piece of this operation was released. */
    void partGone() {
        parts--;
        freeIfOver();
    }

    private boolean isDone() {
        return left == 0 && outstanding == 0;
    }

    // --- answers

    /** The composer answered a piece; perhaps while it is being submitted. */
    void answered(Piece piece) {
        outstanding--;
        if (abandoned || !connection.isOpen()) {
            abandonAnswered(piece);
            return;
        }
        connection.served(piece);
        if (piece.error != 0 && error == 0) {
            error = piece.error;
            giveUpRest();
        }
        switch (form) {
            case PLAIN -> station.release(piece);
            case CHUNKS -> sendChunk(piece);
            case WHOLE -> sendInOrder(piece);
            case EXTENTS -> sendExtents(piece);
        }
        if (!concluded && isDone() && (form == Form.PLAIN || error != 0)) {
            finish(error);
        }
    }

    /** What failed in part failed, so the rest is not asked for; only a WRITE's data must be taken. */
    private void giveUpRest() {
        if (command != NbdProtocol.CMD_WRITE) {
            left = 0;
            connection.forget(this);
        }
    }

    private void sendChunk(Piece piece) {
        if (error != 0) {
            station.release(piece);
            return;
        }
        boolean end = isDone();
        piece.dataChunk(end, cookie, piece.offset, piece.length);
        piece.data(piece.bufferAddress, (int) piece.length);
        connection.send(piece);
        if (end) {
            conclude();
        }
    }

    private void sendInOrder(Piece piece) {
        if (headed) {
            sendAnswered();
        } else if (error != 0) {
            releaseAnswered();
        } else if (isDone() && first == last) {
            first = null;
            header(piece);
            piece.data(piece.bufferAddress, (int) piece.length);
            connection.send(piece);
            conclude();
        } else if (isDone() || mayStream()) {
            sendHeader();
        }
    }

    /**
     * There is no memory for the rest of this operation: it must send what it has, once all that was
     * asked before it has been answered. From there on an error can only be told by ending the
     * connection, so this is not done without need.
     */
    void memoryRanOut() {
        if (form == Form.WHOLE && !headed && error == 0) {
            hurry = true;
            if (first != null && mayStream()) {
                sendHeader();
            }
        }
    }

    /** Between the parts of this reply no other may be sent, so no other operation may be under way. */
    private boolean mayStream() {
        return hurry && first.answered && connection.operations() == 1;
    }

    private void sendHeader() {
        header(this);
        headed = true;
        connection.send(this);
        connection.streams(true);
        sendAnswered();
    }

    private void header(Outgoing outgoing) {
        if (structured) {
            outgoing.dataChunk(true, cookie, start, length);
        } else {
            outgoing.simpleReply(cookie, 0);
        }
    }

    private void sendAnswered() {
        while (first != null && first.answered) {
            Piece piece = first;
            if (piece.error != 0) {
                long failed = piece.offset;
                Connection owner = connection;
                releaseAnswered();
                owner.fail("a read failed after a part of it had been sent: offset=" + failed);
                return;
            }
            first = piece.sibling;
            piece.sibling = null;
            piece.noHeader();
            piece.data(piece.bufferAddress, (int) piece.length);
            connection.send(piece);
        }
        if (isDone()) {
            connection.streams(false);
        }
    }

    /** Frees what can be of a reply in order that will not be sent. */
    private void releaseAnswered() {
        Piece piece = first;
        first = null;
        last = null;
        while (piece != null) {
            Piece next = piece.sibling;
            piece.sibling = null;
            if (piece.answered) {
                station.release(piece);
            } else {
                append(piece);
            }
            piece = next;
        }
    }

    private void append(Piece piece) {
        if (first == null) {
            first = piece;
        } else {
            last.sibling = piece;
        }
        last = piece;
    }

    private void sendExtents(Piece piece) {
        if (error != 0) {
            station.release(piece);
            return;
        }
        int extents = Extents.translate(station.bytes(), piece, length, oneExtent);
        piece.statusChunk(cookie, BASE_ALLOCATION_ID, extents);
        piece.data(piece.bufferAddress, extents);
        connection.send(piece);
        conclude();
    }

    // --- the end

    /** Ends the operation with a reply that carries no data: NBD's error, or 0. */
    void finish(int nbdError) {
        if (!structured) {
            simpleReply(cookie, nbdError);
        } else if (nbdError != 0) {
            errorChunk(cookie, nbdError);
        } else {
            emptyChunk(cookie);
        }
        connection.send(this);
    }

    @Override
    void gone() {
        conclude();
    }

    /** The receiver will hand out nothing more of it, because the client has gone: no reply is due. */
    void abandon() {
        abandoned = true;
        left = 0;
        if (outstanding == 0) {
            releaseAnswered();
            conclude();
        }
    }

    private void abandonAnswered(Piece piece) {
        if (form == Form.WHOLE) {
            releaseAnswered();
        } else {
            station.release(piece);
        }
        if (isDone() && !concluded) {
            conclude();
        }
    }

    private void conclude() {
        concluded = true;
        freeIfOver();
    }

    private void freeIfOver() {
        if (concluded && parts == 0 && isDone() && connection != null) {
            Connection owner = connection;
            connection = null;
            station.release(this, owner);
        }
    }
}
