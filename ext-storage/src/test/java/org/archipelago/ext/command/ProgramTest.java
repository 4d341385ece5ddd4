package org.archipelago.ext.command;

import static org.assertj.core.api.Assertions.assertThat;

import com.beust.jcommander.Parameter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.archipelago.config.Locations;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.FakeConsole;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.node.Backing;
import org.archipelago.ext.node.DaemonControl;
import org.archipelago.ext.node.Node;
import org.junit.jupiter.api.Test;

class ProgramTest {
    private static final class Echo implements Command {
        @Parameter(names = {"-s", "--size"}, description = "SIZE  How large.")
        private String size = "none";

        @Parameter(names = {"--flag"}, description = "A flag.")
        private boolean flag;

        @Override
        public ExitCode run(Session session, List<String> operands) {
            session.console().out(size + "|" + flag + "|" + String.join("|", operands));
            if (operands.contains("fail")) {
                throw new Failure(ExitCode.BUSY, "it is busy");
            } else if (operands.contains("defect")) {
                throw new IllegalStateException("oops");
            }
            return ExitCode.OK;
        }
    }

    private static final Backing NOTHING = new Backing() {
        @Override
        public Locations locations() {
            return Locations.of(Map.of(Locations.ROOT_VARIABLE, "/nowhere"));
        }

        @Override
        public Node node(Locations locations) {
            throw new Failure(ExitCode.NOT_RUNNING, "no node");
        }

        @Override
        public Optional<DaemonControl> daemon() {
            return Optional.empty();
        }
    };

    private static final Program PROGRAM = new Program("prog", "command", "Does things.", "Appendix\n", List.of(
        CommandSpec.of("echo", Needs.NOTHING, "Says it", Echo::new).alias("say").operands(1, "WHAT", "MORE").group("Group")
            .details("Some details.").example("x", "says x"),
        CommandSpec.of("many", Needs.NOTHING, "Says many", Echo::new).operands(0, "WHAT..."),
        CommandSpec.of("far", Needs.DAEMON, "Needs the daemon", Echo::new)), CommonOptions::new);

    private final FakeConsole console = new FakeConsole();

    private ExitCode run(String... arguments) {
        return PROGRAM.run(List.of(arguments), console, NOTHING);
    }

    @Test
    void optionsAndOperandsMayStandInAnyOrder() {
        assertThat(run("echo", "a", "--size", "5", "b", "--flag")).isEqualTo(ExitCode.OK);
        assertThat(console.output()).isEqualTo("5|true|a|b");
    }

    @Test
    void valuesMayFollowAnEqualsSignAndOperandsTwoDashes() {
        run("say", "--size=-5", "--", "--flag", "-x");
        assertThat(console.output()).isEqualTo("-5|false|--flag|-x");
    }

    @Test
    void operandsReachTheCommandAsTheyAre() {
        run("many", " a ", "\"b\"", "@/etc/passwd", "", "\n");
        assertThat(console.output()).isEqualTo("none|false| a |\"b\"|@/etc/passwd||\n");
    }

    @Test
    void mistakesAreToldWithWhatWasMeant() {
        assertThat(run("ehco", "x")).isEqualTo(ExitCode.USAGE);
        assertThat(run("echo", "--szie", "5", "x")).isEqualTo(ExitCode.USAGE);
        assertThat(run("echo")).isEqualTo(ExitCode.USAGE);
        assertThat(run("echo", "a", "b", "c")).isEqualTo(ExitCode.USAGE);
        assertThat(run("echo", "x", "--size")).isEqualTo(ExitCode.USAGE);
        assertThat(run("echo", "x", "--flag=1")).isEqualTo(ExitCode.USAGE);
        assertThat(run()).isEqualTo(ExitCode.USAGE);
        assertThat(console.errors().lines()).containsExactly(
            "prog: there is no command 'ehco'; did you mean echo? Try 'prog --help'.",
            "prog: 'prog echo' has no option --szie; did you mean --size? Try 'prog echo --help'.",
            "prog: WHAT is missing: prog echo WHAT [MORE]",
            "prog: 'c' is one argument too many: prog echo WHAT [MORE]",
            "prog: option --size needs a value: -s, --size SIZE",
            "prog: option --flag takes no value",
            "prog: no command given. Try 'prog --help'.");
        assertThat(console.output()).isEmpty();
    }

    @Test
    void failuresBecomeOneLineAndACode() {
        assertThat(run("echo", "fail")).isEqualTo(ExitCode.BUSY);
        assertThat(console.errors()).isEqualTo("prog: it is busy\n");
    }

    @Test
    void tracesAreForThoseWhoAsk() {
        run("echo", "fail", "--debug");
        assertThat(console.errors()).contains("at org.archipelago.ext.command.ProgramTest");
        FakeConsole other = new FakeConsole().with("ARCHIPELAGO_DEBUG", "1");
        PROGRAM.run(List.of("echo", "fail"), other, NOTHING);
        assertThat(other.errors()).contains("at org.archipelago");
    }

    @Test
    void aDefectIsToldAsOne() {
        assertThat(run("echo", "defect")).isEqualTo(ExitCode.FAILED);
        assertThat(console.errors()).contains("a defect in prog itself").contains("oops").doesNotContain("\tat ");
    }

    @Test
    void whatNeedsTheDaemonSaysHowToStartIt() {
        assertThat(run("far")).isEqualTo(ExitCode.NOT_RUNNING);
        assertThat(console.errors()).contains("archipelago start");
    }

    @Test
    void helpTellsEverything() {
        assertThat(run("--help")).isEqualTo(ExitCode.OK);
        assertThat(console.output()).contains("Does things.", "echo, say WHAT [MORE]", "Says it", "Appendix", "Exit codes", "Group");
        FakeConsole other = new FakeConsole();
        PROGRAM.run(List.of("help", "say"), other, NOTHING);
        assertThat(other.output()).contains("Usage: prog echo [OPTION...] WHAT [MORE]", "Also:  say", "Some details.",
            "-s, --size SIZE", "How large.", "prog echo x", "says x", "Exit codes");
        FakeConsole third = new FakeConsole();
        PROGRAM.run(List.of("echo", "--help"), third, NOTHING);
        assertThat(third.output()).isEqualTo(other.output());
    }

    @Test
    void configurationMayBeNamedBeforeAndAfter() {
        CommonOptions options = new CommonOptions();
        new Syntax("x", options).parse(List.of("-c", "some/file"));
        assertThat(options.configuration()).contains(Path.of("some/file"));
    }
}
