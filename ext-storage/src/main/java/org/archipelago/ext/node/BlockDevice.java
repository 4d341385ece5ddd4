package org.archipelago.ext.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.archipelago.ext.Console;
import org.archipelago.ext.Console.VerbResult;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.Verb;

/**
 * Block devices of a kind, which show volumes. What needs rights is done on the caller's side of the control socket, with
 * the caller's; here it is asked for, and its result is checked.
 */
sealed interface BlockDevice permits HelpedDevice, XsegbdDisk {
    /** The unit of a device's size, bytes. */
    int SECTOR = 512;

    /** The caller lacks the rights that a device needs. */
    final class NeedsRoot extends Exception {
        private static final long serialVersionUID = 1;
    }

    /** The kernel does not have the driver, or not for the caller. */
    final class NoDriver extends Exception {
        private static final long serialVersionUID = 1;
    }

    /** Makes the device of a volume, or finds it: its path. */
    String attach(String volume, Console console) throws NeedsRoot, NoDriver;

    void detach(String volume, String device, Console console);

    /** Lets the device have its volume's new size. */
    void resize(String volume, String device, Console console);

    /** Whether the device still shows that volume; needs no rights. */
    boolean shows(String volume, String device, long sequence);

    /** Serves a device again that was there before this daemon, where that is the daemon's to do. */
    void serveAgain(String volume, String device);

    /** Which binding of the device this is, by the kernel's count; 0 where the kernel does not tell. */
    default long sequence(String device) {
        try {
            return Long.parseLong(Files.readString(sys(device).resolve("diskseq")).strip());
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
    }

    /** Bytes of the device, or as many as can be where the kernel does not tell. */
    default long size(String device) {
        try {
            return Long.parseLong(Files.readString(sys(device).resolve("size")).strip()) * SECTOR;
        } catch (IOException | NumberFormatException e) {
            return Long.MAX_VALUE;
        }
    }

    static Path sys(String device) {
        return Path.of("/sys/block").resolve(Path.of(device).getFileName());
    }

    /** The device that a verb has made, which must look like one of its kind. */
    static String made(VerbResult result, String what, Pattern device) throws NeedsRoot, NoDriver {
        if (result.status() == Verb.NEEDS_ROOT) {
            throw new NeedsRoot();
        }
        if (result.status() == Verb.NOT_INSTALLED) {
            throw new NoDriver();
        }
        check(result, what);
        String path = result.output().strip();
        if (!device.matcher(path).matches()) {
            throw new Failure(ExitCode.FAILED, "cannot " + what + ": the helper printed no device");
        }
        return path;
    }

    /** The verb has said what is wrong on the caller's stderr; this adds what it means. */
    static void check(VerbResult result, String what) {
        switch (result.status()) {
            case 0 -> { }
            case Verb.BUSY -> throw new Failure(ExitCode.BUSY, "cannot " + what + ": it is in use");
            case Verb.LATER -> throw new Failure(ExitCode.TRY_AGAIN, "cannot " + what + ": try again");
            case Verb.NEEDS_ROOT -> throw new Failure(ExitCode.FAILED, "cannot " + what + ": this needs root");
            default -> throw new Failure(ExitCode.FAILED, "cannot " + what + ": the helper ended with status " + result.status());
        }
    }
}
