package org.archipelago.ext;

import java.util.List;

/** The few things that run on the caller's side, with its rights: what they are, and how they end. */
public final class Verb {
    /** The caller is not root. */
    public static final int NEEDS_ROOT = 77;
    /** An argument is not one that the caller gave. */
    public static final int REFUSED = 78;
    /** The device is in use; or another time it may succeed. */
    public static final int BUSY = 5;
    public static final int LATER = 75;
    /** The program could not be started, or is not installed. */
    public static final int NOT_STARTED = 126;
    public static final int NOT_INSTALLED = 127;

    private Verb() {}

    /** Prints the device of a driver (loop, nbd) that shows the volume's NBD socket; makes it if there is none. */
    public static List<String> attach(String driver, String volume) {
        return List.of(driver + "-attach", volume);
    }

    public static List<String> detach(String driver, String volume) {
        return List.of(driver + "-detach", volume);
    }

    /** Lets the device have the volume's new size. */
    public static List<String> resize(String driver, String volume) {
        return List.of(driver + "-resize", volume);
    }

    /** Prints the xsegbd device that shows the volume, and gives it to the daemon to serve; makes it if there is none. */
    public static List<String> xsegbdAdd(String volume) {
        return List.of("xsegbd-add", volume);
    }

    public static List<String> xsegbdRemove(String volume) {
        return List.of("xsegbd-remove", volume);
    }

    /** Has the kernel ask for the volume's size anew. */
    public static List<String> xsegbdRefresh(String volume) {
        return List.of("xsegbd-refresh", volume);
    }

    /** Prints {@code qemu-img info} of a file as JSON. */
    public static List<String> inspect(String file) {
        return List.of("inspect", file);
    }

    /** Copies an image into a volume, through its NBD socket for that. */
    public static List<String> convertIn(String format, String file, String volume) {
        return List.of("convert-in", format, file, volume);
    }

    /** Copies a volume into an image, through its NBD socket for that. */
    public static List<String> convertOut(String format, String volume, String file) {
        return List.of("convert-out", format, volume, file);
    }
}
