package org.archipelago.map;

/** A stored structure of a volume contradicts itself; the message names the volume and what is wrong. */
public final class DamagedMapException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public DamagedMapException(String volume, String problem) {
        super("volume " + volume + " cannot be opened: " + problem);
    }
}
