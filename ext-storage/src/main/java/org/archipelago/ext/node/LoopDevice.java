package org.archipelago.ext.node;

import java.nio.file.Path;

/** Loop devices over the FUSE file that a helper makes of a volume's NBD socket. */
final class LoopDevice extends HelpedDevice {
    private final Path run;

    LoopDevice(Path run) {
        super("loop", "a", "loop/backing_file");
        this.run = run;
    }

    @Override
    Path shown(String volume) {
        return run.resolve("loop").resolve(volume + ".file");
    }
}
