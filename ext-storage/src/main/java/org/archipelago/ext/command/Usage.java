package org.archipelago.ext.command;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.text.Text;

/** Writes the help: what there is, what it does, how it is written, how it ends. */
final class Usage {
    private static final int NARROW = 50;
    private static final int WIDE = 110;
    private static final int INDENT = 28;

    private final StringBuilder out = new StringBuilder();
    private final int width;

    private Usage(int columns) {
        this.width = Math.max(NARROW, Math.min(columns, WIDE));
    }

    static String ofProgram(Program program, List<Option> options, int columns) {
        Usage usage = new Usage(columns);
        usage.out.append("Usage: ").append(program.name()).append(" [OPTION...] ").append(program.verb())
            .append(" [ARGUMENT...]\n\n");
        usage.paragraph(program.summary());
        Map<String, List<CommandSpec>> groups = new LinkedHashMap<>();
        program.commands().forEach(c -> groups.computeIfAbsent(c.group(), g -> new ArrayList<>()).add(c));
        groups.forEach((group, commands) -> {
            usage.out.append('\n').append(group).append('\n');
            for (CommandSpec command : commands) {
                usage.entry(String.join(", ", names(command)) + command.operandUsage(), command.summary());
            }
        });
        usage.out.append('\n').append("Options\n");
        options.forEach(o -> usage.entry(o.usage(), o.text()));
        usage.out.append('\n').append(program.appendix());
        usage.out.append('\n').append(ExitCode.help());
        usage.out.append('\n').append("'").append(program.name()).append(" COMMAND --help' tells more of a command.\n");
        return usage.out.toString();
    }

    static String ofCommand(Program program, CommandSpec command, List<Option> options, int columns) {
        Usage usage = new Usage(columns);
        usage.out.append("Usage: ").append(program.name()).append(' ').append(command.name()).append(" [OPTION...]")
            .append(command.operandUsage()).append('\n');
        if (!command.aliases().isEmpty()) {
            usage.out.append("Also:  ").append(String.join(", ", command.aliases())).append('\n');
        }
        usage.out.append('\n');
        usage.paragraph(command.summary() + ".");
        if (!command.details().isEmpty()) {
            usage.out.append('\n');
            for (String paragraph : command.details().split("\n")) {
                usage.paragraph(paragraph);
            }
        }
        usage.out.append('\n').append("Options\n");
        options.forEach(o -> usage.entry(o.usage(), o.text()));
        if (!command.appendix().isEmpty()) {
            usage.out.append('\n').append(command.appendix());
        }
        if (!command.examples().isEmpty()) {
            usage.out.append('\n').append("Examples\n");
            for (CommandSpec.Example example : command.examples()) {
                usage.out.append("  ").append(program.name()).append(' ').append(command.name()).append(' ')
                    .append(example.arguments()).append("\n      ").append(example.does()).append('\n');
            }
        }
        usage.out.append('\n').append(ExitCode.help());
        return usage.out.toString();
    }

    private static List<String> names(CommandSpec command) {
        List<String> names = new ArrayList<>();
        names.add(command.name());
        names.addAll(command.aliases());
        return names;
    }

    private void paragraph(String text) {
        Text.wrap(text, width).forEach(line -> out.append(line).append('\n'));
    }

    private void entry(String left, String right) {
        List<String> lines = Text.wrap(right, width - INDENT);
        boolean fits = left.length() <= INDENT - 4;
        out.append("  ").append(left).append(fits ? " ".repeat(INDENT - 2 - left.length()) : "\n" + " ".repeat(INDENT));
        out.append(String.join("\n" + " ".repeat(INDENT), lines)).append('\n');
    }
}
