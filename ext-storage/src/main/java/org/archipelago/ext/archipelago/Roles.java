package org.archipelago.ext.archipelago;

import java.util.List;
import java.util.stream.Collectors;
import org.archipelago.config.Configuration;
import org.archipelago.config.Role;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.text.Suggestion;
import org.archipelago.ext.text.Text;

/** What start, stop and restart do when they are given a role. */
final class Roles {
    private Roles() {}

    /** The process that a role has for itself. Throws Failure where it has none, or there is no such role. */
    static String processOf(Configuration configuration, String name, String action) {
        List<String> names = configuration.roles().stream().map(Role::name).toList();
        Role role = configuration.role(name).orElseThrow(() -> new Failure(ExitCode.NOT_FOUND, "there is no role '" + Text.printable(name)
            + "'" + Suggestion.of(name, names) + " Roles: " + String.join(", ", names)));
        return role.process().orElseThrow(() -> Failure.usage("role " + name + " lives in archipelagod, together with "
            + configuration.roles().stream().filter(r -> r.process().isEmpty() && !r.name().equals(name)).map(Role::name)
                .collect(Collectors.joining(", ")) + ": " + action + " all of them ('archipelago " + action + "'), or give it a "
            + "process of its own: '" + name + "' = {'process': '" + name + "', ...} in " + configuration.file()));
    }
}
