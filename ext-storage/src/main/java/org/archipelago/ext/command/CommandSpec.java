package org.archipelago.ext.command;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * A command as the help tells of it and the command line is checked against.
 *
 * @param name first of its names
 * @param aliases its other names
 * @param needs what it cannot do without
 * @param operands their names, in order; one ending in "..." may be there any number of times
 * @param required how many of the operands must be there
 * @param group heading in the program's help
 * @param summary one line, no dot
 * @param details some sentences
 * @param examples command lines without the program's name, each with what it does
 * @param appendix more for the help, as it is, such as a list of columns
 */
public record CommandSpec(String name, List<String> aliases, Needs needs, List<String> operands, int required, String group,
        String summary, String details, List<Example> examples, String appendix, Supplier<Command> maker) {

    /** What a command needs to run. */
    public enum Needs {
        /** Nothing but the files of this host. */
        NOTHING,
        /** The peers: the daemon's, or, where it does not run, some in the command's own process. */
        PEERS,
        /** The running daemon. */
        DAEMON
    }

    /** @param arguments after the command's name */
    public record Example(String arguments, String does) {}

    public static CommandSpec of(String name, Needs needs, String summary, Supplier<Command> maker) {
        return new CommandSpec(name, List.of(), needs, List.of(), 0, "", summary, "", List.of(), "", maker);
    }

    public CommandSpec alias(String... names) {
        return new CommandSpec(name, List.of(names), needs, operands, required, group, summary, details, examples, appendix, maker);
    }

    /** All of them must be there. */
    public CommandSpec operands(String... names) {
        return operands(names.length, names);
    }

    public CommandSpec operands(int atLeast, String... names) {
        return new CommandSpec(name, aliases, needs, List.of(names), atLeast, group, summary, details, examples, appendix, maker);
    }

    public CommandSpec group(String heading) {
        return new CommandSpec(name, aliases, needs, operands, required, heading, summary, details, examples, appendix, maker);
    }

    public CommandSpec details(String text) {
        return new CommandSpec(name, aliases, needs, operands, required, group, summary, text, examples, appendix, maker);
    }

    public CommandSpec appendix(String text) {
        return new CommandSpec(name, aliases, needs, operands, required, group, summary, details, examples, text, maker);
    }

    public CommandSpec example(String arguments, String does) {
        List<Example> more = new ArrayList<>(examples);
        more.add(new Example(arguments, does));
        return new CommandSpec(name, aliases, needs, operands, required, group, summary, details, List.copyOf(more), appendix, maker);
    }

    boolean isCalled(String word) {
        return name.equals(word) || aliases.contains(word);
    }

    boolean takesMany() {
        return !operands.isEmpty() && operands.get(operands.size() - 1).endsWith("...");
    }

    /** The operands as a usage line shows them. */
    String operandUsage() {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < operands.size(); i++) {
            out.append(i < required ? " " + operands.get(i) : " [" + operands.get(i) + "]");
        }
        return out.toString();
    }
}
