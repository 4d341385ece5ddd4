package org.archipelago.ext.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.archipelago.config.Locations;
import org.archipelago.ext.Console;
import org.archipelago.ext.Verb;

/** Devices of the kernel's nbd, connected to a volume's NBD socket; a helper connects them anew. */
final class NbdDisk implements BlockDevice {
    private static final Pattern DEVICE = Pattern.compile("/dev/nbd\\d{1,7}");
    private static final Path MODULE = Path.of("/sys/module/nbd");
    private static final Pattern RELEASE = Pattern.compile("(\\d+)\\.(\\d+).*");
    /** The first Linux whose nbd tells what a device shows. */
    private static final int MAJOR = 5;
    private static final int MINOR = 14;

    private final Locations locations;

    NbdDisk(Locations locations) {
        this.locations = locations;
    }

    /** Whether the module is loaded, and new enough. */
    static boolean isAvailable() {
        return Files.exists(MODULE) && isNewEnough(System.getProperty("os.version"));
    }

    static boolean isNewEnough(String release) {
        Matcher m = RELEASE.matcher(release);
        return m.matches() && (Integer.parseInt(m.group(1)) > MAJOR
            || Integer.parseInt(m.group(1)) == MAJOR && Integer.parseInt(m.group(2)) >= MINOR);
    }

    @Override
    public String attach(String volume, Console console) throws NeedsRoot, NoDriver {
        return BlockDevice.made(console.verb(Verb.nbdAttach(volume)), "make an nbd device for volume " + volume, DEVICE);
    }

    @Override
    public void detach(String volume, String device, Console console) {
        BlockDevice.check(console.verb(Verb.nbdDetach(volume)),
            "take volume " + volume + " off " + (device.isEmpty() ? "its nbd device" : device));
    }

    @Override
    public void resize(String volume, String device, Console console) {
        BlockDevice.check(console.verb(Verb.nbdResize(volume)), "let " + device + " have the new size of volume " + volume);
    }

    @Override
    public void serveAgain(String volume, String device) {
        // its helper connects it
    }

    @Override
    public boolean shows(String volume, String device, long sequence) {
        try {
            return Files.readString(BlockDevice.sys(device).resolve("backend")).strip().equals(locations.nbdSocket(volume).toString())
                && (sequence == 0 || sequence(device) == sequence);
        } catch (IOException e) {
            return false;
        }
    }
}
