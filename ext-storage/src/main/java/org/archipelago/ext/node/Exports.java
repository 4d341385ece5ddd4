package org.archipelago.ext.node;

import java.nio.file.Path;

/**
 * The NBD sockets of volumes. A volume has one as long as anybody holds it: its mapping, or a command
 * that reads or writes it.
 */
public interface Exports {
    /** Counts a holder; the first one makes the socket. Idempotent only through {@link #release}. */
    Path hold(String volume);

    /** The last holder's release removes the socket and cuts off who is connected. */
    void release(String volume);

    /** The volume has another size now: tells those who are connected, as far as they can be told. */
    void resized(String volume);

    /** Whether the socket is there. */
    boolean isServed(String volume);
}
