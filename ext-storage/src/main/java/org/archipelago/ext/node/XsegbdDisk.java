package org.archipelago.ext.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.Verb;

/**
 * Devices of the kernel module xsegbd: made and removed with the caller's rights, served by the daemon. While none runs
 * they wait for the next.
 */
final class XsegbdDisk implements BlockDevice {
    private static final Pattern DEVICE = Pattern.compile("/dev/xsegbd([1-9]\\d{0,3})");
    private static final Path BUS = Path.of("/sys/bus/xsegbd");
    private static final long APPEARS_MILLIS = 10_000;
    private static final long LOOK_MILLIS = 10;

    private final ServedDevices served;

    XsegbdDisk(ServedDevices served) {
        this.served = served;
    }

    /** Whether the module is loaded. */
    static boolean isAvailable() {
        return Files.exists(BUS.resolve("add"));
    }

    @Override
    public String attach(String volume, Console console) throws NeedsRoot, NoDriver {
        String device = BlockDevice.made(console.verb(Verb.xsegbdAdd(volume)), "make an xsegbd device for volume " + volume, DEVICE);
        serveAgain(volume, device);
        awaitDisk(volume, device);
        return device;
    }

    @Override
    public void serveAgain(String volume, String device) {
        if (!served.serves(volume)) {
            served.serve(volume, "/dev/xsegbdc" + number(device));
        }
    }

    /** It appears once the kernel has asked for its size. */
    private static void awaitDisk(String volume, String device) {
        long end = System.nanoTime() + APPEARS_MILLIS * 1_000_000;
        while (!Files.exists(Path.of(device))) {
            if (System.nanoTime() - end > 0) {
                throw new Failure(ExitCode.FAILED, device + " of volume " + volume + " did not appear within " + APPEARS_MILLIS / 1000
                    + " s: archipelago's log and dmesg tell why");
            }
            try {
                Thread.sleep(LOOK_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new Failure(ExitCode.FAILED, "interrupted while " + device + " of volume " + volume + " appeared");
            }
        }
    }

    /** The kernel refuses where it is in use; from then on nobody asks anything. */
    @Override
    public void detach(String volume, String device, Console console) {
        BlockDevice.check(console.verb(Verb.xsegbdRemove(volume)),
            "take volume " + volume + " off " + (device.isEmpty() ? "its xsegbd device" : device));
        served.end(volume);
    }

    @Override
    public void resize(String volume, String device, Console console) {
        BlockDevice.check(console.verb(Verb.xsegbdRefresh(volume)), "let " + device + " have the new size of volume " + volume);
    }

    @Override
    public boolean shows(String volume, String device, long sequence) {
        try {
            return DEVICE.matcher(device).matches()
                && Files.readString(BUS.resolve("devices").resolve(number(device)).resolve("target")).strip().equals(volume)
                && served.serves(volume) && (sequence == 0 || sequence(device) == sequence);
        } catch (IOException e) {
            return false;
        }
    }

    private static String number(String device) {
        Matcher matcher = DEVICE.matcher(device);
        if (!matcher.matches()) {
            throw new Failure(ExitCode.FAILED, "'" + device + "' is no xsegbd device");
        }
        return matcher.group(1);
    }
}
