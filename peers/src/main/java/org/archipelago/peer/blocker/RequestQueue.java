package org.archipelago.peer.blocker;

import org.archipelago.xseg.Request;

/** Requests one after the other, chained by their own {@code next}; for one thread at a time. */
final class RequestQueue {
    private Request head;
    private Request tail;

    boolean isEmpty() {
        return head == null;
    }

    void add(Request request) {
        request.next = null;
        if (tail == null) {
            head = request;
        } else {
            tail.next = request;
        }
        tail = request;
    }

    /** The oldest, or null. */
    Request poll() {
        Request first = head;
        if (first != null) {
            head = first.next;
            first.next = null;
            if (head == null) {
                tail = null;
            }
        }
        return first;
    }

    /** Moves everything from another queue behind what is here. */
    void takeAll(RequestQueue from) {
        if (from.head == null) {
            return;
        }
        if (tail == null) {
            head = from.head;
        } else {
            tail.next = from.head;
        }
        tail = from.tail;
        from.head = null;
        from.tail = null;
    }
}
