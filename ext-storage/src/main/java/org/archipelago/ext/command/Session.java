package org.archipelago.ext.command;

import java.util.Optional;
import org.archipelago.config.Locations;
import org.archipelago.ext.Console;
import org.archipelago.ext.node.Backing;
import org.archipelago.ext.node.DaemonControl;
import org.archipelago.ext.node.Node;

/** One call of a command: who called, and what there is to work on. */
public final class Session {
    private final Console console;
    private final Backing backing;
    private final Locations locations;
    private final CommonOptions options;

    Session(Console console, Backing backing, CommonOptions options) {
        this.console = console;
        this.backing = backing;
        this.options = options;
        Locations usual = backing.locations();
        this.locations = options.configuration()
            .map(file -> usual.withConfiguration(console.directory().resolve(file))).orElse(usual);
    }

    public Console console() {
        return console;
    }

    /** Where things lie, by the environment and by -c. */
    public Locations locations() {
        return locations;
    }

    /** The node's peers; for commands that need them. */
    public Node node() {
        return backing.node(locations);
    }

    /** The daemon that this runs in; empty where it runs in a process of its own. */
    public Optional<DaemonControl> daemon() {
        return backing.daemon();
    }

    public CommonOptions options() {
        return options;
    }

    public boolean debug() {
        return options.debug(console.environment());
    }
}
