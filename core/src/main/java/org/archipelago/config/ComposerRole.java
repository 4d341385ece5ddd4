package org.archipelago.config;

import java.util.Optional;

/**
 * Turns I/O on volumes into I/O on objects (type {@code vlmcd}).
 *
 * @param blockerPort port of the blocker role that the mapper uses for data
 * @param mapperPort port of a mapper role
 */
public record ComposerRole(String name, PortRange ports, int nrOps, int logLevel,
        Optional<String> process, int blockerPort, int mapperPort) implements Role {
    @Override
    public RoleType type() {
        return RoleType.VLMCD;
    }
}
