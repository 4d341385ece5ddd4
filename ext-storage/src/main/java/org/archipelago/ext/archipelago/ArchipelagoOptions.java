package org.archipelago.ext.archipelago;

import com.beust.jcommander.Parameter;
import org.archipelago.ext.command.CommonOptions;
import org.archipelago.ext.command.Session;

/** What archipelago takes beside the common options. */
final class ArchipelagoOptions extends CommonOptions {
    @Parameter(names = {"-u", "--user"}, order = 97,
        description = "Loads no kernel module: works on what runs in user space only.")
    private boolean userOnly;

    /** What a session of this program was called with. */
    static boolean userOnly(Session session) {
        return session.options() instanceof ArchipelagoOptions options && options.userOnly;
    }
}
