package org.archipelago.ext.archipelago;

import java.util.List;
import java.util.stream.Collectors;
import org.archipelago.config.Configuration;
import org.archipelago.config.Role;
import org.archipelago.config.Suggestion;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.node.Mapping;
import org.archipelago.ext.node.MappingStore;
import org.archipelago.ext.text.Text;

/** What start, stop and restart do when they are given a role. */
final class Roles {
    private Roles() {}

    /** Throws Failure with NOT_FOUND, naming those that there are. */
    static Role find(Configuration configuration, String name) {
        List<String> names = configuration.roles().stream().map(Role::name).toList();
        return configuration.role(name).orElseThrow(() -> new Failure(ExitCode.NOT_FOUND, "there is no role '" + Text.printable(name)
            + "'" + Suggestion.endOfSentence(name, names) + " Roles: " + String.join(", ", names)));
    }

    /** Throws Failure with BUSY where volumes are mapped, whose I/O would wait for the role. */
    static void refuseMapped(Session session, String role) {
        List<Mapping> mapped = new MappingStore(session.locations().run()).all();
        if (!mapped.isEmpty()) {
            throw new Failure(ExitCode.BUSY, "volumes are mapped on this host: " + Mapping.names(mapped) + ": their I/O would wait for role "
                + role + " and fail after a while: unmap them first (vlmc unmap), use 'archipelago restart " + role + "', or stop with "
                + "--force");
        }
    }

    /** The process that a role has for itself. Throws Failure where it has none, or there is no such role. */
    static String processOf(Configuration configuration, String name, String action) {
        Role role = find(configuration, name);
        return role.process().orElseThrow(() -> Failure.usage("role " + name + " lives in archipelagod, together with "
            + configuration.roles().stream().filter(r -> r.process().isEmpty() && !r.name().equals(name)).map(Role::name)
                .collect(Collectors.joining(", ")) + ": " + action + " all of them ('archipelago " + action + "'), or give it a "
            + "process of its own: '" + name + "' = {'process': '" + name + "', ...} in " + configuration.file()));
    }
}
