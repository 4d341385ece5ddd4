package org.archipelago.ext.archipelago;

import com.beust.jcommander.Parameter;
import org.archipelago.ext.command.CommonOptions;

/** What archipelago takes beside the common options. */
final class ArchipelagoOptions extends CommonOptions {
    @Parameter(names = {"-u", "--user"}, order = 97,
        description = "Leaves the kernel module alone, and works on what runs in user space only.")
    private boolean userOnly;

    /** Nothing looks at it as long as there is no kernel module. */
    boolean userOnly() {
        return userOnly;
    }
}
