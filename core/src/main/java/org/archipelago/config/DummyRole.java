package org.archipelago.config;

import java.util.Optional;

/**
 * Answers every request without doing it (type {@code dummy}).
 */
public record DummyRole(String name, PortRange ports, int nrOps, int logLevel,
        Optional<String> process) implements Role {
    @Override
    public RoleType type() {
        return RoleType.DUMMY;
    }
}
