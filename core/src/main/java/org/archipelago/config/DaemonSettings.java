package org.archipelago.config;

/**
 * The daemon as a whole.
 *
 * @param user that it runs as
 * @param group that it runs as
 * @param reactors threads, 1 to 64; 0 for as many as cores
 * @param spinMicros microseconds that a reactor looks for work before it sleeps, 0 to 1000
 * @param leaseSeconds after which another node may take a volume over, 5 to 300
 */
public record DaemonSettings(String user, String group, int reactors, int spinMicros, int leaseSeconds) {}
