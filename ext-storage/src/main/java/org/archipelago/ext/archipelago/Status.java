package org.archipelago.ext.archipelago;

import com.beust.jcommander.ParametersDelegate;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.List;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.daemon.Launcher;
import org.archipelago.ext.node.DaemonControl;
import org.archipelago.ext.node.Mapping;
import org.archipelago.ext.node.Mapping.Kind;
import org.archipelago.ext.node.NodeStatus;
import org.archipelago.ext.node.NodeStatus.RoleStatus;
import org.archipelago.ext.node.NodeStatus.State;
import org.archipelago.ext.table.Column;
import org.archipelago.ext.table.Table;
import org.archipelago.ext.table.TableOptions;
import org.archipelago.ext.table.Value;
import org.archipelago.ext.text.Sizes;
import org.archipelago.ext.text.Text;

/** archipelago status. */
final class Status implements Command {
    private static final Table<RoleStatus> TABLE = new Table<>("roles", List.of(
        Column.left("role", "its name", r -> Value.of(r.name())),
        Column.left("type", "what it does", r -> Value.of(r.type())),
        Column.left("state", "running, stopped, or failed", r -> Value.of(r.state().name().toLowerCase(java.util.Locale.ROOT))),
        Column.left("process", "where it lives", r -> Value.of(r.process())),
        Column.right("pid", "of that process", r -> r.pid() == 0 ? Value.NONE : Value.of(r.pid())),
        Column.left("ports", "of the segment", r -> Value.of(r.ports())),
        Column.right("uptime", "of its process", r -> r.pid() == 0 ? Value.NONE : Value.span(r.uptime())),
        Column.right("inflight", "requests that it has under way", r -> r.pid() == 0 ? Value.NONE : Value.of(r.inFlight())),
        Column.left("why", "why it does not run, or what has been", r -> Value.of(r.why()))),
        List.of("role", "type", "state", "process", "ports", "uptime", "inflight", "why"));

    static final CommandSpec SPEC = CommandSpec.of("status", Needs.NOTHING, "Shows how archipelagod and its roles are", Status::new)
        .operands(0, "ROLE").group(Archipelago.DAEMON)
        .details("Each role is asked for a sign of life. Also told: the driver that makes block devices (ENDPOINT). "
            + "Exit code 0: all of them run. 3: at least one does not.")
        .example("", "all of it")
        .example("--json", "the same, for programs")
        .appendix(TABLE.help());

    @ParametersDelegate
    private final TableOptions table = new TableOptions();

    @Override
    public ExitCode run(Session session, List<String> operands) {
        NodeStatus status = session.daemon().map(DaemonControl::status)
            .orElseGet(() -> Launcher.stopped(session.locations(), Launcher.read(session.locations())));
        List<RoleStatus> roles = status.roles().stream().filter(r -> operands.isEmpty() || operands.contains(r.name())).toList();
        if (roles.isEmpty()) {
            throw new Failure(ExitCode.NOT_FOUND, "there is no role '" + Text.printable(operands.get(0)) + "'");
        }
        if (table.json()) {
            session.console().outLine(json(status, roles));
        } else {
            print(session.console(), status);
            session.console().out(TABLE.render(roles, table));
        }
        return roles.stream().allMatch(r -> r.state() == State.RUNNING) ? ExitCode.OK : ExitCode.NOT_RUNNING;
    }

    private static void print(Console console, NodeStatus status) {
        if (status.pid() == 0) {
            console.outLine("archipelagod  not running");
        } else {
            console.outLine("archipelagod  running for " + Text.duration(status.uptime()) + ", process " + status.pid() + ", version "
                + status.version());
            console.outLine("segment       " + status.segment() + ": " + Sizes.format(status.segmentBytes()) + ", " + status.segmentPorts()
                + " ports, " + status.requestsInFlight() + " requests in flight");
        }
        console.outLine("identity      " + (status.identity().isEmpty() ? "none yet" : status.identity()));
        String driver = Mapping.word(status.driver());
        console.outLine("devices       " + (status.driver() == Kind.NONE ? "none (ENDPOINT)" : "made by " + driver
            + (status.driverIsThere() ? "" : ", which this kernel does not have: modprobe " + driver)));
        int mapped = status.mapped().size();
        console.outLine("mapped        " + mapped + (mapped == 1 ? " volume" : " volumes") + (mapped == 0 ? "" : ": " + Mapping.names(status.mapped())));
        console.outLine("");
    }

    private String json(NodeStatus status, List<RoleStatus> roles) {
        JsonObject json = new JsonObject();
        json.addProperty("running", status.pid() != 0);
        json.addProperty("version", status.version());
        json.addProperty("pid", status.pid());
        json.addProperty("uptime", status.uptime());
        json.addProperty("identity", status.identity());
        JsonObject segment = new JsonObject();
        segment.addProperty("name", status.segment());
        segment.addProperty("bytes", status.segmentBytes());
        segment.addProperty("ports", status.segmentPorts());
        json.add("segment", segment);
        json.addProperty("requestsInFlight", status.requestsInFlight());
        json.addProperty("driver", Mapping.word(status.driver()));
        json.addProperty("mapped", status.mapped().size());
        JsonArray volumes = new JsonArray();
        status.mapped().forEach(m -> volumes.add(m.volume()));
        json.add("volumes", volumes);
        json.add("roles", TABLE.array(roles));
        return new GsonBuilder().setPrettyPrinting().serializeNulls().disableHtmlEscaping().create().toJson(json);
    }
}
