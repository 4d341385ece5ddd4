package org.archipelago.ext.daemon;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.archipelago.config.ComposerRole;
import org.archipelago.config.Configuration;
import org.archipelago.config.Locations;
import org.archipelago.config.PortRange;
import org.archipelago.config.Role;
import org.archipelago.ext.node.Drivers;
import org.archipelago.ext.node.Mapping.Kind;
import org.archipelago.ext.node.MappingStore;
import org.archipelago.ext.node.NodeStatus;
import org.archipelago.ext.node.NodeStatus.RoleStatus;
import org.archipelago.ext.node.NodeStatus.State;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.RequestDescriptor;
import org.archipelago.xseg.Segment;

/** Finds out how the roles of a node are: by asking them, or, where no daemon runs, by what processes left. */
final class NodeInspector {
    private static final long PING_MILLIS = 2000;
    private static final int PINGS = 4;

    private final Locations locations;
    private final Configuration configuration;
    private final Function<String, String> notes;
    private final ThreadPoolExecutor pings =
        new ThreadPoolExecutor(PINGS, PINGS, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(64), task -> {
            Thread thread = new Thread(task, "ping");
            thread.setDaemon(true);
            return thread;
        });

    /** @param notes what happened to a process of that name; empty where nothing did */
    NodeInspector(Locations locations, Configuration configuration, Function<String, String> notes) {
        this.locations = locations;
        this.configuration = configuration;
        this.notes = notes;
        pings.allowCoreThreadTimeOut(true);
    }

    /** For the daemon itself. */
    NodeStatus running(RunningNode node, Segment segment, String segmentName, String identity) {
        List<Optional<Future<Integer>>> asked = configuration.roles().stream().map(r -> ask(node, r)).toList();
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PING_MILLIS);
        Optional<String> ruin = segment.ruin();
        List<RoleStatus> roles = new ArrayList<>();
        for (int i = 0; i < asked.size(); i++) {
            Role role = configuration.roles().get(i);
            int inFlight = inFlight(segment, role.ports()) + (role instanceof ComposerRole ? node.nbdInFlight() : 0);
            String problem = asked.get(i).map(f -> verdict(f, deadline)).orElse("too many roles are asked at once");
            roles.add(status(role, ruin.orElse(problem), inFlight));
        }
        ProcessState main = ProcessState.read(locations.run(), ProcessState.MAIN).orElseThrow();
        Kind driver = Drivers.choose(configuration.endpoint().device());
        return new NodeStatus(version(), main.process().pid(), age(main), identity, roles, segmentName, segment.size(),
            segment.ports(), inFlight(segment, new PortRange(0, segment.ports() - 1)) + node.nbdInFlight(), driver, Drivers.isThere(driver),
            node.mapped().all());
    }

    private Optional<Future<Integer>> ask(RunningNode node, Role role) {
        try {
            return Optional.of(pings.submit(() -> node.volumes().ping(role.ports().first()).status()));
        } catch (RejectedExecutionException e) {
            return Optional.empty();
        }
    }

    /** Empty where the role answered well. */
    private static String verdict(Future<Integer> answer, long deadline) {
        try {
            int status = answer.get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
            return switch (status) {
                case Errno.OK -> "";
                case Errno.EIO -> "data was lost that could not be written: its log tells more";
                default -> Errno.text(status);
            };
        } catch (TimeoutException e) {
            return "no answer within " + PING_MILLIS / 1000 + " s";
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "interrupted";
        } catch (ExecutionException e) {
            return String.valueOf(e.getCause().getMessage());
        }
    }

    private RoleStatus status(Role role, String problem, int inFlight) {
        String process = role.process().orElse(ProcessState.MAIN);
        Optional<ProcessState> state = ProcessState.read(locations.run(), process).filter(ProcessState::running);
        if (state.isEmpty()) {
            return stopped(role);
        }
        return new RoleStatus(role.name(), role.type().word(), process, role.ports().toString(),
            problem.isEmpty() ? State.RUNNING : State.FAILED, problem.isEmpty() ? notes.apply(process) : problem, state.get().process().pid(), age(state.get()), inFlight);
    }

    /** Where no daemon runs, or none that answers. */
    NodeStatus stopped() {
        List<RoleStatus> roles = configuration.roles().stream().map(this::stopped).toList();
        Kind driver = Drivers.choose(configuration.endpoint().device());
        return new NodeStatus("", 0, 0, Identity.peek(locations.data()).orElse(""), roles, "", 0, 0, 0, driver, Drivers.isThere(driver),
            MappingStore.look(locations.run()));
    }

    private RoleStatus stopped(Role role) {
        String process = role.process().orElse(ProcessState.MAIN);
        Optional<ProcessState> last = ProcessState.read(locations.run(), process);
        State is = last.filter(s -> s.phase() != ProcessState.Phase.STOPPED).isPresent() ? State.FAILED : State.STOPPED;
        String note = notes.apply(process);
        String why = last.map(s -> why(process, s)).orElse("not started since the host's boot") + (note.isEmpty() ? "" : "; " + note);
        return new RoleStatus(role.name(), role.type().word(), process, role.ports().toString(), is, why, 0, 0, 0);
    }

    private String why(String process, ProcessState last) {
        String name = "process " + last.process().pid();
        return switch (last.phase()) {
            case STOPPED -> "stopped";
            case FAILED -> last.why();
            case STARTING -> last.process().alive() ? name + " is starting" : name + " died while it started: " + log(process);
            case RUNNING -> last.process().alive() ? name + " lives but does not answer: " + log(process)
                : name + " died without a word: " + log(process);
        };
    }

    private String log(String process) {
        return "see " + locations.log().resolve(process + ".log");
    }

    private static long age(ProcessState state) {
        return Math.max(0, System.currentTimeMillis() / 1000 - state.since());
    }

    /** Requests that are on their way through the segment to one of these ports. */
    private static int inFlight(Segment segment, PortRange ports) {
        int count = 0;
        for (int slot = 0; slot < segment.requests(); slot++) {
            int at = segment.requestAt(slot);
            int state = segment.metadata().getInt(at + RequestDescriptor.STATE);
            if ((state == RequestDescriptor.STATE_SUBMITTED || state == RequestDescriptor.STATE_ACCEPTED)
                    && ports.contains(segment.metadata().getInt(at + RequestDescriptor.DST))) {
                count++;
            }
        }
        return count;
    }

    private static String version() {
        String version = NodeInspector.class.getPackage().getImplementationVersion();
        return version == null ? "development" : version;
    }
}
