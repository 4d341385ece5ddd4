package org.archipelago.peer.endpoint;

import static org.archipelago.posix.Posix.EPOLLERR;
import static org.archipelago.posix.Posix.EPOLLHUP;
import static org.archipelago.posix.Posix.EPOLLIN;
import static org.archipelago.posix.Posix.EPOLLOUT;

import org.archipelago.peer.host.Watcher;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * A client of an export. What it sends goes to the {@link Negotiation} first, then to the
 * {@link Receiver}; what it is sent waits in the {@link ReplyQueue}. Here is its life:
 *
 * <pre>
 *   NEGOTIATING --> SERVING --> ENDING --> CLOSED     ENDING: nothing is read any more; what was
 *        |             |          |           ^       asked is answered (DISC, or no more input)
 *        +-------------+----------+-----------+       CLOSED: the descriptor is closed, but the
 *          an error, or the client has gone           composer may still have pieces
 * </pre>
 *
 * When nothing can be taken for its requests it <i>waits</i>: its socket is not read, until the
 * station calls {@link #proceed}. For its reactor's thread alone.
 */
final class Connection implements Watcher {
    private enum State { NEGOTIATING, SERVING, ENDING, CLOSED }

    /** Calls that receive for one connection before others have their turn. */
    private static final int RECEIVES = 8;

    /** Bytes of buffers, and pieces, that its operations hold; the station counts them. */
    long held;
    int pieces;
    /** Something that it held was released, or what it waited for came: it can go on. */
    boolean released;

    private final Station station;
    private final Export export;
    private final int fd;
    private final int place;
    private final boolean allowsStructured;
    private final ReceiveBuffer input;
    private final ReplyQueue replies;
    private final Negotiation negotiation;
    private final Receiver receiver;

    private final long begun = System.nanoTime();
    private State state = State.NEGOTIATING;
    private int interest = EPOLLIN;
    private boolean waiting;
    private boolean full;
    private boolean toSend;
    private boolean streaming;
    private int operations;
    private int questions;
    private boolean retired;

    /**
     * @param fd non-blocking; becomes this connection's
     * @param allowsStructured its client may have structured replies
     */
    Connection(Station station, Export export, int fd, int place, boolean allowsStructured) {
        this.station = station;
        this.export = export;
        this.fd = fd;
        this.place = place;
        this.allowsStructured = allowsStructured;
        this.input = station.takeReceiveBuffer();
        this.replies = new ReplyQueue(station.vector());
        this.negotiation = new Negotiation(this, station, input);
        this.receiver = new Receiver(this, station, input);
    }

    void begin() {
        station.reactor().watch(fd, interest, this);
        negotiation.greet();
        settle();
    }

    /** Closes if it has not chosen the volume in time. */
    void endNegotiation(long now) {
        if (state == State.NEGOTIATING && now - begun > station.settings().negotiationMillis() * 1_000_000L) {
            fail("it did not choose a volume within " + station.settings().negotiationMillis() + " ms");
        }
    }

    Export export() {
        return export;
    }

    int place() {
        return place;
    }

    boolean allowsStructured() {
        return allowsStructured;
    }

    boolean isOpen() {
        return state != State.CLOSED;
    }

    boolean isServing() {
        return state == State.SERVING;
    }

    boolean isNegotiating() {
        return state == State.NEGOTIATING;
    }

    int operations() {
        return operations;
    }

    // --- what its parts tell it

    void operationBegins() {
        operations++;
    }

    void operationOver() {
        operations--;
        if (state == State.ENDING && operations == 0) {
            askForSettling();
        }
        retireIfOver();
    }

    void questionBegins() {
        questions++;
    }

    void questionOver() {
        questions--;
        retireIfOver();
    }

    /** The composer answered a piece of it. */
    void served(Piece piece) {
        int command = piece.operation.command;
        if (piece.error == 0 && (command == NbdProtocol.CMD_READ || command == NbdProtocol.CMD_WRITE)) {
            export.served(piece.length);
        }
    }

    /** An operation of which the receiver has still to hand out a part needs no more. */
    void forget(Operation operation) {
        receiver.forget(operation);
    }

    /** A reply is being sent in parts: until its last one is queued no other request is looked at. */
    void streams(boolean now) {
        streaming = now;
    }

    boolean isStreaming() {
        return streaming;
    }

    /**
     * Queues what goes to the client. It is sent when this turn's requests have been looked at, and not before:
     * a client that is woken between them, to find a part of what is coming, costs both sides more than the
     * data's leaving the cache meanwhile.
     */
    void send(Outgoing outgoing) {
        replies.add(outgoing);
        askForSettling();
    }

    private void askForSettling() {
        if (!toSend) {
            toSend = true;
            station.hasReplies(this);
        }
    }

    /** The negotiation is over: requests from now on. */
    void serve(boolean structured, boolean extents) {
        if (state == State.NEGOTIATING) {
            receiver.begin(structured, extents);
            state = State.SERVING;
        }
    }

    /** Takes nothing more from the client, answers what it asked and closes. */
    void end() {
        if (state == State.NEGOTIATING || state == State.SERVING) {
            state = State.ENDING;
            receiver.drop();
        }
    }

    /** The client broke the rules, or cannot be told of a failure: closes, with a line in the log. */
    void fail(String why) {
        if (isOpen()) {
            station.complaints().add("NBD: closed a connection to volume " + export.volume() + ": " + why);
            close();
        }
    }

    // --- events

    @Override
    public void ready(int events) {
        if (!isOpen()) {
            return;
        }
        if ((events & EPOLLOUT) != 0) {
            full = false;
        }
        receiver.beginTurn();
        if (wantsInput()) {
            if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
                receive();
            }
        } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
            close();
        } else if ((events & EPOLLIN) != 0) {
            watch(interest & ~EPOLLIN);
        }
        settle();
    }

    /** Goes on with what was received, after a wait or when others have had their turn. */
    void proceed() {
        waiting = false;
        released = false;
        receiver.beginTurn();
        if (isOpen() && state != State.ENDING && process()) {
            receive();
        }
        settle();
    }

    /** Sends what others queued, or ends; false where there was nothing to do. */
    boolean sendReplies() {
        toSend = false;
        boolean due = !replies.isEmpty() || state == State.ENDING;
        settle();
        return due;
    }

    private void receive() {
        for (int call = 0; call < RECEIVES; call++) {
            int asked = isServing() ? receiver.wanted() : input.makeRoom();
            long got = isServing() ? receiver.receive(fd, asked) : input.receive(fd, asked);
            if (got > 0) {
                if (!process() || got < asked) {
                    return;
                }
            } else if (got == 0) {
                endOfInput();
                return;
            } else {
                int errno = Posix.errno();
                if (errno == Errno.EAGAIN) {
                    return;
                } else if (errno != Errno.EINTR) {
                    close();
                    return;
                }
            }
        }
    }

    /** A client that has shut down its side may still read; one that has not chosen wants nothing. */
    private void endOfInput() {
        if (state == State.SERVING) {
            end();
        } else {
            close();
        }
    }

    /** Looks at what was received; false where no more may be received now. */
    private boolean process() {
        boolean more = true;
        if (state == State.NEGOTIATING) {
            more = negotiation.process();
        }
        if (state == State.SERVING) {
            more = receiver.process();
        }
        if (!more && (state == State.NEGOTIATING || state == State.SERVING) && !waiting) {
            waiting = true;
            station.waits(this);
        }
        return more && state != State.ENDING && isOpen();
    }

    private boolean wantsInput() {
        return !waiting && (state == State.NEGOTIATING || state == State.SERVING);
    }

    /** After any event: sends, closes what has ended, and says what it waits for. */
    private void settle() {
        if (isOpen() && !full && !replies.isEmpty()) {
            transmit();
        }
        if (state == State.ENDING && operations == 0 && replies.isEmpty()) {
            close();
        }
        if (isOpen()) {
            int in = wantsInput() ? EPOLLIN : state == State.ENDING ? 0 : interest & EPOLLIN;
            watch(in | (full ? EPOLLOUT : 0));
        }
    }

    private void transmit() {
        switch (replies.send(fd)) {
            case EMPTY -> { }
            case FULL -> full = true;
            case MORE -> askForSettling();
            case BROKEN -> close();
        }
    }

    private void watch(int wanted) {
        if (wanted != interest) {
            interest = wanted;
            station.reactor().rewatch(fd, interest);
        }
    }

    // --- the end

    /** Closes at once; what the composer still has comes back to nobody. */
    void close() {
        if (!isOpen()) {
            return;
        }
        state = State.CLOSED;
        station.reactor().unwatch(fd);
        Posix.close(fd);
        export.left(this);
        operations++; // so that it retires below and not in the midst of this
        receiver.drop();
        replies.drop();
        operationOver();
    }

    private void retireIfOver() {
        if (!isOpen() && operations == 0 && questions == 0 && !retired) {
            retired = true;
            station.releasePlace(place, input);
        }
    }
}
