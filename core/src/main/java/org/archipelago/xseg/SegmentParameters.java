package org.archipelago.xseg;

/**
 * The limits of a segment, fixed at its creation.
 *
 * @param ports how many ports there are, 1 to {@value #PORTS_MAX}
 * @param ringSize words of each ring, and so the most requests of a port: a power of two, 2 to {@value #RING_MAX}
 * @param requests request slots of all ports together, 1 to {@value #REQUESTS_MAX}
 * @param mode permissions of the file, such as 0660
 * @param dataBytes data of all ports together; rounded up to pages
 */
public record SegmentParameters(int ports, int ringSize, int requests, int mode, long dataBytes) {
    public static final int PORTS_MAX = 4096;
    public static final int RING_MAX = 4096;
    public static final int REQUESTS_MAX = 1 << 20;

    /** Throws IllegalArgumentException, naming the limit, for a value out of range. */
    public SegmentParameters {
        require(ports >= 1 && ports <= PORTS_MAX, "a segment has 1 to " + PORTS_MAX + " ports: ports=" + ports);
        require(ringSize >= 2 && ringSize <= RING_MAX && Integer.bitCount(ringSize) == 1,
            "a ring has a power of two, 2 to " + RING_MAX + ", of words: ringSize=" + ringSize);
        require(requests >= 1 && requests <= REQUESTS_MAX,
            "a segment has 1 to " + REQUESTS_MAX + " requests: requests=" + requests);
        require((mode & ~0777) == 0, "only permission bits: mode=0" + Integer.toOctalString(mode));
        require(dataBytes >= 0 && dataBytes <= 0xffff_ffffL * SegmentDescriptor.PAGE,
            "too many bytes of data: dataBytes=" + dataBytes);
    }

    private static void require(boolean valid, String message) {
        if (!valid) {
            throw new IllegalArgumentException(message);
        }
    }
}
