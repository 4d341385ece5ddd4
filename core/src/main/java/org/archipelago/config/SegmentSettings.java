package org.archipelago.config;

/**
 * The segment of the node and who has which of its ports beside the roles.
 *
 * @param type {@code posix}
 * @param name 1 to 32 of A-Z a-z 0-9 _ . -
 * @param ports 1 to 4096
 * @param sizeMib of the whole segment, 8 to 1048576
 * @param alignment of the data, as a power of two: 12
 * @param xsegbd ports of the block devices
 * @param vtool ports of the vlmc tool
 */
public record SegmentSettings(String type, String name, int ports, int sizeMib, int alignment, PortRange xsegbd,
        PortRange vtool) {
    public long sizeBytes() {
        return (long) sizeMib << 20;
    }
}
