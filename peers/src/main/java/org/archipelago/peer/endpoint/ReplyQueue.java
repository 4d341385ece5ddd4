package org.archipelago.peer.endpoint;

import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * What a connection has yet to send, oldest first: linked through {@link Outgoing#next}, so it needs
 * no room of its own and can hold whatever the connection's memory allows. Sent with as few calls as
 * the kernel lets it; what does not fit into the socket stays for later.
 */
final class ReplyQueue {
    enum Outcome {
        /** Nothing is left. */
        EMPTY,
        /** The socket is full: wait until it is writable. */
        FULL,
        /** There is more to send than one connection may send in a row. */
        MORE,
        /** The client has gone. */
        BROKEN
    }

    private static final int CALLS = 8;

    private final MessageVector vector;
    private Outgoing head;
    private Outgoing tail;
    private long sentOfHead;

    ReplyQueue(MessageVector vector) {
        this.vector = vector;
    }

    boolean isEmpty() {
        return head == null;
    }

    void add(Outgoing outgoing) {
        outgoing.next = null;
        if (head == null) {
            head = outgoing;
        } else {
            tail.next = outgoing;
        }
        tail = outgoing;
    }

    Outcome send(int fd) {
        for (int call = 0; call < CALLS; call++) {
            if (head == null) {
                return Outcome.EMPTY;
            }
            long offered = gather();
            long sent = Posix.sendmsg(fd, vector.message(), Posix.MSG_NOSIGNAL | Posix.MSG_DONTWAIT);
            if (sent < 0) {
                int errno = Posix.errno();
                if (errno == Errno.EAGAIN) {
                    return Outcome.FULL;
                } else if (errno != Errno.EINTR) {
                    return Outcome.BROKEN;
                }
            } else {
                advance(sent);
                if (sent < offered) {
                    return Outcome.FULL;
                }
            }
        }
        return head == null ? Outcome.EMPTY : Outcome.MORE;
    }

    /** Fills the vector from the queue; the bytes in it. */
    private long gather() {
        vector.clear();
        long skip = sentOfHead;
        for (Outgoing o = head; o != null && vector.room() >= 2; o = o.next) {
            if (skip < o.headerLength) {
                vector.add(o.headerAddress + skip, o.headerLength - skip);
                skip = 0;
            } else {
                skip -= o.headerLength;
            }
            if (skip < o.dataLength) {
                vector.add(o.dataAddress + skip, o.dataLength - skip);
            }
            skip = 0;
        }
        return vector.bytes();
    }

    private void advance(long sent) {
        long left = sent + sentOfHead;
        while (head != null && left >= head.headerLength + head.dataLength) {
            left -= head.headerLength + head.dataLength;
            pop().gone();
        }
        sentOfHead = left;
    }

    private Outgoing pop() {
        Outgoing first = head;
        head = first.next;
        first.next = null;
        if (head == null) {
            tail = null;
        }
        return first;
    }

    /** The connection is no more: all that was to be sent is free. */
    void drop() {
        sentOfHead = 0;
        while (head != null) {
            pop().gone();
        }
    }
}
