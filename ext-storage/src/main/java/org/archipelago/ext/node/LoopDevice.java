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
 * Loop devices that show volumes. The work is done on the caller's side of the control socket, with
 * its rights; here it is asked for, and its result is checked.
 */
final class LoopDevice {
    private static final Pattern DEVICE = Pattern.compile("/dev/loop\\d{1,7}");
    /** The unit of a device's size, bytes. */
    static final int SECTOR = 512;
    private static final int LOOP_BUSY = 5;
    private static final int LOOP_LATER = 75;

    private final Path run;

    LoopDevice(Path run) {
        this.run = run;
    }

    /** The caller lacks the rights that a device needs. */
    static final class NeedsRoot extends Exception {
        private static final long serialVersionUID = 1;
    }

    /** Makes the device, or finds it. */
    String attach(String volume, Console console) throws NeedsRoot {
        VerbResult result = console.verb(Verb.loopAttach(volume));
        if (result.status() == Verb.NEEDS_ROOT) {
            throw new NeedsRoot();
        }
        check(result, "make a loop device for volume " + volume);
        String device = result.output().strip();
        if (!DEVICE.matcher(device).matches()) {
            throw new Failure(ExitCode.FAILED, "the loop helper of volume " + volume + " printed no device");
        }
        return device;
    }

    void detach(String volume, String device, Console console) {
        VerbResult result = console.verb(Verb.loopDetach(volume));
        check(result, "take volume " + volume + " off " + (device.isEmpty() ? "its loop device" : device));
    }

    void resize(String volume, String device, Console console) {
        check(console.verb(Verb.loopResize(volume)), "let " + device + " have the new size of volume " + volume);
    }

    /** The helper has said what is wrong on the caller's stderr; this adds what it means. */
    private static void check(VerbResult result, String what) {
        switch (result.status()) {
            case 0 -> { }
            case LOOP_BUSY -> throw new Failure(ExitCode.BUSY, "cannot " + what + ": it is in use");
            case LOOP_LATER -> throw new Failure(ExitCode.TRY_AGAIN, "cannot " + what + ": try again");
            case Verb.NEEDS_ROOT -> throw new Failure(ExitCode.FAILED, "cannot " + what + ": this needs root");
            default -> throw new Failure(ExitCode.FAILED, "cannot " + what + ": the helper ended with status " + result.status());
        }
    }

    /** Which binding of the device this is, by the kernel's count; 0 where the kernel does not tell. */
    long sequence(String device) {
        try {
            return Long.parseLong(Files.readString(sys(device).resolve("diskseq")).strip());
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
    }

    /** Bytes of the device, or as many as can be where the kernel does not tell. */
    long size(String device) {
        try {
            return Long.parseLong(Files.readString(sys(device).resolve("size")).strip()) * SECTOR;
        } catch (IOException | NumberFormatException e) {
            return Long.MAX_VALUE;
        }
    }

    /** Whether the device still shows that volume; needs no rights. */
    boolean shows(String volume, String device, long sequence) {
        try {
            String file = Files.readString(sys(device).resolve("loop").resolve("backing_file")).strip();
            return file.equals(run.resolve("loop").resolve(volume + ".file").toString())
                && (sequence == 0 || sequence(device) == sequence);
        } catch (IOException e) {
            return false;
        }
    }

    private static Path sys(String device) {
        return Path.of("/sys/block").resolve(Path.of(device).getFileName());
    }
}
