package org.archipelago.config;

import java.util.Optional;

/** A role of the node, with its settings checked. The components of each record are described in the {@link Schema}. */
public sealed interface Role permits FileBlockerRole, RadosBlockerRole, MapperRole, ComposerRole, DummyRole {
    /** 1 to 32 letters, digits and _; no other role of the configuration has it. */
    String name();

    /** Its ports; no other role has one of them. */
    PortRange ports();

    /** Requests in flight a port: a power of two, 1 to 4096. */
    int nrOps();

    /** 0 to 3. */
    int logLevel();

    /** The process to run in; empty for the daemon's. */
    Optional<String> process();

    /** As the file writes it. */
    RoleType type();
}
