package org.archipelago.ext.node;

/** The running daemon, as commands see it. */
public interface DaemonControl {
    /** What runs, and what does not. Takes a moment: roles are asked. */
    NodeStatus status();

    /**
     * Stops the daemon: takes no more I/O, waits for what is in flight, makes volumes durable. Returns when that is
     * done; the process ends as soon as the command has been answered.
     *
     * @param force although volumes are mapped; their guests wait for the next start
     * @throws org.archipelago.ext.Failure with BUSY, naming the mapped volumes
     */
    void stop(boolean force);
}
