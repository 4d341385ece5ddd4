package org.archipelago.config;

import java.nio.file.Path;
import java.util.Optional;

/**
 * A blocker that keeps its objects in RADOS (type {@code rados_blocker}). Reading refuses it while
 * {@link RoleType#isBuilt} says no.
 *
 * @param pool of the objects
 * @param nrThreads 1 to 512
 * @param cephxId user of the cluster; empty for its default
 * @param cephConf the cluster's configuration file, absolute
 */
public record RadosBlockerRole(String name, PortRange ports, int nrOps, int logLevel,
        Optional<String> process, String pool, int nrThreads, Optional<String> cephxId, Path cephConf) implements Role {
    @Override
    public RoleType type() {
        return RoleType.RADOS_BLOCKER;
    }
}
