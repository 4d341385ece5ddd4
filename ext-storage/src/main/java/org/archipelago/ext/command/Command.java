package org.archipelago.ext.command;

import java.util.List;
import org.archipelago.ext.ExitCode;

/**
 * What a user asks for. A new one is made for each call; its options are fields with JCommander's
 * annotations. A description begins with the name of the option's value, if it takes one, and two blanks.
 */
public interface Command {
    /**
     * Does it. Throws {@link org.archipelago.ext.Failure} where it cannot.
     *
     * @param operands what the command line has beside options, as many as the {@link CommandSpec} allows
     */
    ExitCode run(Session session, List<String> operands);
}
