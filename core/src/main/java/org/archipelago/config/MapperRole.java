package org.archipelago.config;

import java.util.Optional;

/**
 * The owner of the maps (type {@code mapperd}).
 *
 * @param blockerbPort port of a blocker role, for data
 * @param blockermPort port of a blocker role, for maps and locks
 * @param upgradeOriginal whether a volume of the original Archipelago goes on as ours when it is first opened for writing
 */
public record MapperRole(String name, PortRange ports, int nrOps, int logLevel,
        Optional<String> process, int blockerbPort, int blockermPort,
        boolean upgradeOriginal) implements Role {
    @Override
    public RoleType type() {
        return RoleType.MAPPERD;
    }
}
