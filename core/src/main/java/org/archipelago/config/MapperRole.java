package org.archipelago.config;

import java.util.Optional;

/**
 * The owner of the maps (type {@code mapperd}).
 *
 * @param blockerbPort port of a blocker role, for data
 * @param blockermPort port of a blocker role, for maps and locks
 */
public record MapperRole(String name, PortRange ports, int nrOps, int logLevel,
        Optional<String> process, int blockerbPort, int blockermPort) implements Role {
    @Override
    public RoleType type() {
        return RoleType.MAPPERD;
    }
}
