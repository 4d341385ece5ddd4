package org.archipelago.ext.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.archipelago.ext.Console;
import org.archipelago.ext.Console.VerbResult;
import org.archipelago.ext.Verb;

/** Loop devices over the FUSE file that a helper makes of a volume's NBD socket. */
final class LoopDevice implements BlockDevice {
    private static final Pattern DEVICE = Pattern.compile("/dev/loop\\d{1,7}");

    private final Path run;

    LoopDevice(Path run) {
        this.run = run;
    }

    @Override
    public String attach(String volume, Console console) throws NeedsRoot, NoDriver {
        return BlockDevice.made(console.verb(Verb.loopAttach(volume)), "make a loop device for volume " + volume, DEVICE);
    }

    @Override
    public void detach(String volume, String device, Console console) {
        VerbResult result = console.verb(Verb.loopDetach(volume));
        BlockDevice.check(result, "take volume " + volume + " off " + (device.isEmpty() ? "its loop device" : device));
    }

    @Override
    public void resize(String volume, String device, Console console) {
        BlockDevice.check(console.verb(Verb.loopResize(volume)), "let " + device + " have the new size of volume " + volume);
    }

    @Override
    public void serveAgain(String volume, String device) {
        // its helper lives on without the daemon
    }

    @Override
    public boolean shows(String volume, String device, long sequence) {
        try {
            String file = Files.readString(BlockDevice.sys(device).resolve("loop").resolve("backing_file")).strip();
            return file.equals(run.resolve("loop").resolve(volume + ".file").toString())
                && (sequence == 0 || sequence(device) == sequence);
        } catch (IOException e) {
            return false;
        }
    }
}
