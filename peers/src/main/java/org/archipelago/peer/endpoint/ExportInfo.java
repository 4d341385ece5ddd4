package org.archipelago.peer.endpoint;

/**
 * What is known of a volume when it is exported; the composer is asked anew for each client.
 *
 * @param size bytes
 * @param readOnly no client may write, whatever the composer says of the volume
 */
public record ExportInfo(long size, boolean readOnly) {
    public ExportInfo {
        if (size < 0) {
            throw new IllegalArgumentException("a volume's size is not negative: size=" + size);
        }
    }
}
