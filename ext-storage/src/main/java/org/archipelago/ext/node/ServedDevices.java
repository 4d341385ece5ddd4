package org.archipelago.ext.node;

/** The xsegbd devices that this process serves. */
public interface ServedDevices {
    /** Serves the device of a volume; path: of its character device. */
    void serve(String volume, String path);

    boolean serves(String volume);

    /** Stops serving it, once what the kernel has asked is answered; nothing happens where it is not served. */
    void end(String volume);
}
