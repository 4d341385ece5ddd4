package org.archipelago.config;

import java.nio.file.Path;
import java.util.Optional;

/**
 * A blocker that keeps its objects as files (type {@code file_blocker}).
 *
 * @param archipDir absolute; in no other role's folder and around none. Whether it exists,
 *     {@link Configuration#checkHost} asks
 * @param nrThreads 1 to 512, for I/O that would block
 * @param fdCache open files, at least 2 * nrThreads
 * @param direct past the page cache
 */
public record FileBlockerRole(String name, PortRange ports, int nrOps, int logLevel,
        Optional<String> process, Path archipDir, int nrThreads, int fdCache, boolean direct) implements Role {
    @Override
    public RoleType type() {
        return RoleType.FILE_BLOCKER;
    }
}
