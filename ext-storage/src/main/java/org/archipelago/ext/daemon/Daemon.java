package org.archipelago.ext.daemon;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Collectors;
import org.archipelago.config.Configuration;
import org.archipelago.config.ConfigurationException;
import org.archipelago.config.Locations;
import org.archipelago.config.Role;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.Programs;
import org.archipelago.ext.control.ControlServer;
import org.archipelago.ext.control.Invocation;
import org.archipelago.ext.daemon.ProcessState.Phase;
import org.archipelago.ext.node.Backing;
import org.archipelago.ext.node.DaemonControl;
import org.archipelago.ext.node.Leftovers;
import org.archipelago.ext.node.Mapping;
import org.archipelago.ext.node.Node;
import org.archipelago.ext.node.NodeStatus;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentException;

/**
 * archipelagod: the identity, the segment, the peers, what was mapped, the control socket; in this
 * order, and ended in the opposite one.
 */
public final class Daemon implements Backing, DaemonControl, AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Daemon.class.getName());
    private static final long IDENTITY_MILLIS = 15_000;
    private static final long ENDING_MILLIS = 2000;
    private static final long PROCESS_MILLIS = 10_000;

    private final Locations locations;
    private final Configuration configuration;
    private final Launcher launcher;
    private final Identity identity;
    private final String segmentName;
    private final Segment segment;
    private final RunningNode node;
    private final ControlServer control;
    private final Supervisor supervisor;
    private final NodeInspector inspector;
    private final CountDownLatch stopAsked = new CountDownLatch(1);
    private volatile boolean quiet;
    private boolean closed;

    /** Starts everything; throws Failure, with nothing left behind, where that cannot be. */
    public Daemon(Locations locations) {
        this.locations = locations;
        this.configuration = read(locations);
        this.launcher = new Launcher(locations, configuration, line -> LOG.log(Level.WARNING, line));
        this.identity = Identity.acquire(locations.data(), identityMillis(), () -> holder(locations));
        write(Phase.STARTING, ""); // not before: what is written there is the living daemon's
        try (Unwinding undo = new Unwinding()) {
            undo.add(identity);
            launcher.otherProcesses().forEach(this::endFormer);
            this.segmentName = segmentName(configuration, identity.shortId());
            SegmentPlan plan = SegmentPlan.of(configuration);
            destroySegment();
            Segment.create(segmentName, plan.parameters());
            undo.add(this::destroySegment);
            this.segment = undo.add(Segment.join(segmentName));
            List<Role> here = configuration.roles().stream().filter(r -> r.process().isEmpty()).toList();
            PeerProcess peers = undo.add(new PeerProcess(ProcessState.MAIN, configuration, segment, plan.reactors(), identity.node()));
            this.node = new RunningNode(locations, configuration, identity, peers, here);
            undo.add(node.exports());
            node.restore();
            Leftovers.removeAll(node);
            this.control = new ControlServer(locations.controlSocket(), this::handle);
            this.supervisor = new Supervisor(locations.run(), segment, firstPorts(), launcher::start);
            undo.dismiss();
        } catch (Failure e) {
            throw failed(e);
        } catch (SegmentException e) {
            throw failed(new Failure(ExitCode.ofErrno(e.errno()), e.getMessage(), e));
        } catch (IOException e) {
            throw failed(new Failure(ExitCode.FAILED, "cannot listen on " + locations.controlSocket() + ": " + e.getMessage(), e));
        }
        Reclaim.holdMemory(configuration);
        this.inspector = new NodeInspector(locations, configuration, supervisor::note);
        control.start();
        write(Phase.RUNNING, "");
        LOG.log(Level.INFO, "archipelagod runs: identity {0}, segment {1}, {2} reactors", identity.id(), segmentName,
            node.peers().host().reactors().length);
    }

    /** What runs may be a command, or a daemon that is just ending; one that stays is not waited for. */
    private long identityMillis() {
        return ProcessState.read(locations.run(), ProcessState.MAIN).filter(ProcessState::running).isPresent()
            ? ENDING_MILLIS : IDENTITY_MILLIS;
    }

    static Configuration read(Locations locations) {
        try {
            return Configuration.read(locations);
        } catch (ConfigurationException e) {
            throw new Failure(ExitCode.CONFIGURATION, e.getMessage(), e);
        }
    }

    static String segmentName(Configuration configuration, String shortIdentity) {
        return configuration.segment().name() + "-" + shortIdentity;
    }

    private static String holder(Locations locations) {
        Optional<ProcessState> state = ProcessState.read(locations.run(), ProcessState.MAIN).filter(s -> s.process().alive());
        return state.map(s -> "archipelagod, process " + s.process().pid()).orElse("another process (a vlmc command that works without "
            + "archipelagod, or a second archipelagod with the same data folder)");
    }

    private Failure failed(Failure e) {
        LOG.log(Level.ERROR, "archipelagod does not start: {0}", e.getMessage());
        write(Phase.FAILED, e.getMessage());
        return e;
    }

    private void write(Phase phase, String why) {
        Map<String, String> roles = new LinkedHashMap<>();
        configuration.roles().stream().filter(r -> r.process().isEmpty()).forEach(r -> roles.put(r.name(), ""));
        ProcessState.now(phase, why, roles).write(locations.run(), ProcessState.MAIN);
    }

    /** The former daemon's, or our own. */
    private void destroySegment() {
        try {
            Segment.destroy(segmentName);
        } catch (SegmentException e) {
            LOG.log(Level.DEBUG, "no segment {0} to remove: {1}", segmentName, e.getMessage());
        }
    }

    private ExitCode handle(Invocation invocation, Console console) {
        if (quiet) {
            console.errLine("archipelagod is stopping: repeat the command when it runs again");
            return ExitCode.TRY_AGAIN;
        }
        return Programs.find(invocation.program())
            .map(program -> program.run(invocation.arguments(), console, this))
            .orElseGet(() -> {
                console.errLine("archipelagod: there is no program '" + invocation.program() + "'");
                return ExitCode.USAGE;
            });
    }

    /** Waits until somebody wants the daemon to end. */
    public void await() throws InterruptedException {
        stopAsked.await();
    }

    // --- for commands

    @Override
    public Locations locations() {
        return locations;
    }

    @Override
    public Node node(Locations wanted) {
        if (!wanted.configuration().equals(locations.configuration())) {
            throw Failure.usage("archipelagod runs with " + locations.configuration() + ", not with " + wanted.configuration()
                + ": leave -c out, or stop it first");
        }
        return node;
    }

    @Override
    public Optional<DaemonControl> daemon() {
        return Optional.of(this);
    }

    @Override
    public NodeStatus status() {
        return inspector.running(node, segment, segmentName, identity.id());
    }

    @Override
    public void stop(boolean force) {
        List<Mapping> mapped = node.mapped().all();
        if (!mapped.isEmpty() && !force) {
            throw new Failure(ExitCode.BUSY, "volumes are mapped on this host: " + Mapping.names(mapped) + ": unmap them first (vlmc unmap), or "
                + "stop with --force: then what uses them waits until the next start");
        }
        try {
            quiesce();
        } finally {
            stopAsked.countDown();
        }
    }

    private synchronized void quiesce() {
        if (!quiet) {
            quiet = true;
            supervisor.close();
            LOG.log(Level.INFO, "archipelagod stops: {0} volumes are mapped", node.mapped().all().size());
            node.quiesce();
            launcher.otherProcesses().forEach(this::stopProcess);
        }
    }

    private Map<String, List<Integer>> firstPorts() {
        return configuration.roles().stream().filter(r -> r.process().isPresent()).collect(Collectors.groupingBy(
            r -> r.process().orElseThrow(), Collectors.mapping(r -> r.ports().first(), Collectors.toList())));
    }

    /**
     * A process of a daemon that is dead may still write to the store what others have read meanwhile: it
     * is over before anything begins here. Throws Failure where it does not end.
     */
    private void endFormer(String name) {
        Optional<ProcessState> former = ProcessState.read(locations.run(), name);
        if (former.filter(s -> s.process().alive() && !s.stop(ENDING_MILLIS) && !s.kill(PROCESS_MILLIS)).isPresent()) {
            throw new Failure(ExitCode.FAILED, "process " + name + " (" + former.get().process().pid() + ") of the former archipelagod "
                + "does not end when it is killed: a call into its store hangs, most likely; mend the store, or restart the host");
        }
        former.ifPresent(s -> new ProcessState(s.process(), Phase.STOPPED, "", s.roles(), s.since()).write(locations.run(), name));
    }

    /** What is not gone in time goes when it sees that this process has ended. */
    private void stopProcess(String name) {
        ProcessState.read(locations.run(), name).filter(s -> s.process().alive()).ifPresent(s -> {
            if (!s.stop(PROCESS_MILLIS)) {
                LOG.log(Level.WARNING, "process {0} ({1}) has not ended within {2} s", name, s.process().pid(), PROCESS_MILLIS / 1000);
            }
        });
    }

    /** Stops all: no more I/O, what is in flight ends, what was written is durable, then the rest. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        quiesce();
        control.close();
        node.close();
        segment.close();
        destroySegment();
        write(Phase.STOPPED, "");
        LOG.log(Level.INFO, "archipelagod has stopped");
        identity.close();
        stopAsked.countDown();
    }
}
