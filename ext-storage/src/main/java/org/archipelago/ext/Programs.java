package org.archipelago.ext;

import java.util.Optional;
import org.archipelago.ext.archipelago.Archipelago;
import org.archipelago.ext.command.Program;
import org.archipelago.ext.ganeti.ExtStorage;
import org.archipelago.ext.vlmc.Vlmc;

/** The programs that the client can call. */
public final class Programs {
    private Programs() {}

    public static Optional<Program> find(String name) {
        return switch (name) {
            case "vlmc" -> Optional.of(Vlmc.PROGRAM);
            case "archipelago" -> Optional.of(Archipelago.PROGRAM);
            case "ext-storage" -> Optional.of(ExtStorage.PROGRAM);
            default -> Optional.empty();
        };
    }
}
