package org.archipelago.ext.archipelago;

import java.util.List;
import org.archipelago.ext.command.Program;

/** The program archipelago: starts, stops and shows the daemon. */
public final class Archipelago {
    static final String DAEMON = "The daemon";
    static final String CONFIGURATION = "The configuration";

    public static final Program PROGRAM = new Program("archipelago", "command",
        "Starts, stops and shows archipelagod, the daemon that runs the roles of this node.",
        """
            Files     /etc/archipelago/archipelago.conf, /run/archipelago, /var/log/archipelago, /var/lib/archipelago
                      With ARCHIPELAGO_ROOT=DIR in the environment: etc/archipelago.conf, run, log and data in DIR.
            """,
        List.of(Start.SPEC, Stop.SPEC, Restart.SPEC, Status.SPEC, Bench.SPEC, Config.SPEC),
        ArchipelagoOptions::new);

    private Archipelago() {}
}
