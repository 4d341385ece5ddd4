package org.archipelago.ext.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.archipelago.ext.Console;
import org.archipelago.ext.Verb;

/** Devices that a helper of root's, one a volume, connects to the volume's NBD socket, and connects anew when a daemon is back. */
abstract sealed class HelpedDevice implements BlockDevice permits LoopDevice, NbdDisk {
    private final String driver;
    private final String article;
    private final String attribute;
    private final Pattern device;

    /**
     * @param driver as its verbs, and its devices below /dev, are called
     * @param article of that word
     * @param attribute file of the device below /sys/block that tells what it shows
     */
    HelpedDevice(String driver, String article, String attribute) {
        this.driver = driver;
        this.article = article;
        this.attribute = attribute;
        this.device = Pattern.compile("/dev/" + driver + "\\d{1,7}");
    }

    /** What the attribute tells of a device of that volume. */
    abstract Path shown(String volume);

    @Override
    public String attach(String volume, Console console) throws NeedsRoot, NoDriver {
        return BlockDevice.made(console.verb(Verb.attach(driver, volume)), "make " + article + " " + driver + " device for volume " + volume, device);
    }

    @Override
    public void detach(String volume, String path, Console console) {
        BlockDevice.check(console.verb(Verb.detach(driver, volume)),
            "take volume " + volume + " off " + (path.isEmpty() ? "its " + driver + " device" : path));
    }

    @Override
    public void resize(String volume, String path, Console console) {
        BlockDevice.check(console.verb(Verb.resize(driver, volume)), "let " + path + " have the new size of volume " + volume);
    }

    @Override
    public void serveAgain(String volume, String path) {
        // its helper lives on without the daemon
    }

    @Override
    public boolean shows(String volume, String path, long sequence) {
        try {
            return Files.readString(BlockDevice.sys(path).resolve(attribute)).strip().equals(shown(volume).toString())
                && (sequence == 0 || sequence(path) == sequence);
        } catch (IOException e) {
            return false;
        }
    }
}
