package org.archipelago.config;

/**
 * How volumes reach the host.
 *
 * @param device what attach makes
 * @param nbdReconnectSeconds that a guest's connection waits for a daemon that restarts, 0 to 3600
 * @param nbdBuffersMib MiB of one reactor for data in flight, 2 to 1024
 */
public record EndpointSettings(Device device, int nbdReconnectSeconds, int nbdBuffersMib) {
    /** AUTO: the best that there is, and none where the disk needs none. NONE: no device, the URI alone. */
    public enum Device { AUTO, XSEGBD, NBD, LOOP, NONE }
}
