package org.archipelago.ext.command;

import com.beust.jcommander.JCommander;
import com.beust.jcommander.ParameterException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.archipelago.config.Suggestion;
import org.archipelago.ext.Failure;
import org.archipelago.ext.text.Text;

/**
 * The options of a command line: JCommander sets the fields of the annotated objects, operands are
 * kept apart from it, so that they reach the command exactly as they were written.
 */
final class Syntax {
    private final String who;
    private final JCommander parser = new JCommander();
    private final List<Option> options;

    /** @param who names the command in messages */
    Syntax(String who, Object... annotated) {
        this.who = who;
        for (Object object : annotated) {
            parser.addObject(object);
        }
        parser.setExpandAtSign(false);
        parser.setAllowParameterOverwriting(true);
        parser.parseWithoutValidation(); // reads the annotations
        this.options = parser.getParameters().stream().map(Option::of)
            .sorted(Comparator.comparingInt(Option::order).thenComparing(o -> o.names().get(0))).toList();
    }

    /** In the order of the help. */
    List<Option> options() {
        return options;
    }

    /** Sets the fields; returns the operands. Throws Failure for what it does not know. */
    List<String> parse(List<String> arguments) {
        return parse(arguments, false);
    }

    /** The same, but all from the first operand on are operands. */
    List<String> parseLeading(List<String> arguments) {
        return parse(arguments, true);
    }

    private List<String> parse(List<String> arguments, boolean leading) {
        List<String> given = new ArrayList<>();
        List<String> operands = new ArrayList<>();
        for (int i = 0; i < arguments.size(); i++) {
            String argument = arguments.get(i);
            if (argument.equals("--")) {
                operands.addAll(arguments.subList(i + 1, arguments.size()));
                break;
            }
            if (!argument.startsWith("-") || argument.equals("-")) {
                if (leading) {
                    operands.addAll(arguments.subList(i, arguments.size()));
                    break;
                }
                operands.add(argument);
                continue;
            }
            int equals = argument.startsWith("--") ? argument.indexOf('=') : -1;
            String name = equals < 0 ? argument : argument.substring(0, equals);
            Option option = option(name);
            given.add(name);
            if (option.takesValue() && equals >= 0) {
                given.add(argument.substring(equals + 1));
            } else if (option.takesValue()) {
                if (++i == arguments.size()) {
                    throw Failure.usage("option " + name + " needs a value: " + option.usage());
                }
                given.add(arguments.get(i));
            } else if (equals >= 0) {
                throw Failure.usage("option " + name + " takes no value");
            }
        }
        set(given);
        return operands;
    }

    private Option option(String name) {
        Optional<Option> found = options.stream().filter(o -> o.names().contains(name)).findFirst();
        return found.orElseThrow(() -> {
            List<String> known = options.stream().flatMap(o -> o.names().stream()).toList();
            return Failure.usage("'" + who + "' has no option " + Text.printable(name) + Suggestion.endOfSentence(name, known)
                + " Try '" + who + " --help'.");
        });
    }

    private void set(List<String> given) {
        try {
            parser.parse(given.toArray(new String[0]));
        } catch (ParameterException e) {
            throw new Failure(org.archipelago.ext.ExitCode.USAGE, Text.printable(String.valueOf(e.getMessage())), e);
        }
    }
}
