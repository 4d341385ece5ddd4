package org.archipelago.ext.node;

import java.util.Optional;
import org.archipelago.config.Locations;

/** What stands behind a command: the daemon that it runs in, or its own process. */
public interface Backing {
    /** By the environment alone. */
    Locations locations();

    /**
     * The node's peers; in a process of its own they start at the first call.
     *
     * @throws org.archipelago.ext.Failure where the configuration forbids it, or the daemon uses another one
     */
    Node node(Locations locations);

    Optional<DaemonControl> daemon();
}
