package org.archipelago.ext.command;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.function.Supplier;
import org.archipelago.config.Suggestion;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.node.Backing;
import org.archipelago.ext.text.Text;
import org.archipelago.xseg.SegmentException;

/**
 * A program of several commands: finds the one that is asked for, reads its options, runs it, and
 * turns every failure into one message and an exit code.
 *
 * @param name as it is called
 * @param verb what its first operand is called in the usage line
 * @param summary what it is for
 * @param appendix more for the help, as it is
 * @param commands in the order of the help
 * @param options makes the options that stand before the command
 */
public record Program(String name, String verb, String summary, String appendix, List<CommandSpec> commands,
        Supplier<? extends CommonOptions> options) {

    /** Never throws for what a user can do wrong, or a peer or the host can refuse. */
    public ExitCode run(List<String> arguments, Console console, Backing backing) {
        CommonOptions common = options.get();
        try {
            return dispatch(arguments, common, console, backing);
        } catch (Failure e) {
            return report(console, common, e.code(), e.getMessage(), e);
        } catch (SegmentException e) {
            return report(console, common, ExitCode.ofErrno(e.errno()), e.getMessage(), e);
        } catch (UncheckedIOException e) {
            return report(console, common, ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        } catch (RuntimeException | Error e) {
            System.getLogger(Program.class.getName()).log(System.Logger.Level.ERROR, "a defect in a command of " + name, e);
            return report(console, common, ExitCode.FAILED, "a defect in " + name + " itself: " + e
                + " (run it with --debug, and report what it prints)", e);
        }
    }

    private ExitCode dispatch(List<String> arguments, CommonOptions common, Console console, Backing backing) {
        Syntax leading = new Syntax(name, common);
        List<String> rest = leading.parseLeading(arguments);
        int columns = console.terminal().columns();
        if (rest.isEmpty() && !common.help()) {
            throw Failure.usage("no " + verb + " given. Try '" + name + " --help'.");
        }
        if (rest.isEmpty() || rest.get(0).equals("help") && rest.size() == 1) {
            console.out(Usage.ofProgram(this, leading.options(), columns));
            return ExitCode.OK;
        }
        boolean helpWord = rest.get(0).equals("help");
        CommandSpec spec = find(rest.get(helpWord ? 1 : 0));
        Command command = spec.maker().get();
        Syntax syntax = new Syntax(name + " " + spec.name(), command, common);
        List<String> operands = helpWord ? List.of() : syntax.parse(rest.subList(1, rest.size()));
        if (common.help() || helpWord) {
            console.out(Usage.ofCommand(this, spec, syntax.options(), columns));
            return ExitCode.OK;
        }
        checkOperands(spec, operands);
        if (spec.needs() == Needs.DAEMON && backing.daemon().isEmpty()) {
            throw new Failure(ExitCode.NOT_RUNNING, "archipelagod is not running here, and " + name + " " + spec.name()
                + " needs it: start it with 'archipelago start' ('archipelago status' tells why it is not running)");
        }
        return command.run(new Session(console, backing, common), operands);
    }

    private CommandSpec find(String word) {
        return commands.stream().filter(c -> c.isCalled(word)).findFirst().orElseThrow(() -> Failure.usage(
            "there is no " + verb + " '" + Text.printable(word) + "'"
                + Suggestion.endOfSentence(word, commands.stream().map(CommandSpec::name).toList())
                + " Try '" + name + " --help'."));
    }

    private void checkOperands(CommandSpec spec, List<String> operands) {
        String usage = ": " + name + " " + spec.name() + spec.operandUsage();
        if (operands.size() < spec.required()) {
            throw Failure.usage(spec.operands().get(operands.size()) + " is missing" + usage);
        }
        if (operands.size() > spec.operands().size() && !spec.takesMany()) {
            throw Failure.usage("'" + Text.printable(operands.get(spec.operands().size())) + "' is one argument too many" + usage);
        }
    }

    private ExitCode report(Console console, CommonOptions common, ExitCode code, String message, Throwable cause) {
        if (!message.isEmpty()) {
            console.errLine(name + ": " + message);
        }
        if (common.debug(console.environment())) {
            StringWriter trace = new StringWriter();
            cause.printStackTrace(new PrintWriter(trace, true));
            console.err(trace.toString());
        }
        return code;
    }
}
