package org.archipelago.peer;

import org.archipelago.xseg.Request;

/**
 * Code that serves the requests of a port. One instance runs on each reactor of its process and is
 * called by that reactor's thread alone, so it needs no lock; it must never block.
 */
public interface Peer {
    /** Takes a request: answers it now or later, exactly once, by {@link Request#complete}. */
    void accept(Request request);

    /** The process stops: no request will come any more, those accepted have been answered. */
    default void close() {}
}
