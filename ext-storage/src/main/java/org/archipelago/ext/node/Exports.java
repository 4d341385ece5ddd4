package org.archipelago.ext.node;

/**
 * The NBD sockets of volumes. A volume has its two, for guests and for programs that copy images, as long as
 * anybody holds them: its mapping, or a command that reads or writes it.
 */
public interface Exports {
    /** Who holds the sockets for a mapping. */
    String MAPPING = "mapping";

    /** Adds a holder; the first one makes the sockets. Nothing happens for one that holds them already. */
    void hold(String volume, String holder);

    /** Takes a holder away; with the last one the sockets go, and who is connected is cut off. */
    void release(String volume, String holder);

    /** Whether that holder has the sockets. */
    boolean isHeld(String volume, String holder);

    /** The volume has another size now: whoever connects from now on is told. */
    void resized(String volume, long size);
}
