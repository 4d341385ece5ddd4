package org.archipelago.ext.node;

import java.nio.file.Path;

/**
 * The NBD sockets of volumes. A volume has one as long as anybody holds it: its mapping, or a command
 * that reads or writes it.
 */
public interface Exports {
    /** Who holds a socket for a mapping. */
    String MAPPING = "mapping";

    /** Adds a holder; the first one makes the socket. Nothing happens for one that holds it already. */
    Path hold(String volume, String holder);

    /** Takes a holder away; with the last one the socket goes, and who is connected is cut off. */
    void release(String volume, String holder);

    /** Whether that holder has the socket. */
    boolean isHeld(String volume, String holder);

    /** The volume has another size now: whoever connects from now on is told. */
    void resized(String volume, long size);
}
