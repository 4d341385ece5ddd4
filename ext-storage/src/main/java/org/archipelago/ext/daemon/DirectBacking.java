package org.archipelago.ext.daemon;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.archipelago.config.Configuration;
import org.archipelago.config.Locations;
import org.archipelago.config.Role;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.node.Backing;
import org.archipelago.ext.node.DaemonControl;
import org.archipelago.ext.node.Node;
import org.archipelago.xseg.Segment;

/**
 * No daemon: a command that needs peers has them in its own process, on a segment of its own, under
 * the node's identity, which no daemon can have meanwhile.
 */
public final class DirectBacking implements Backing, AutoCloseable {
    private static final long IDENTITY_MILLIS = 30_000;
    private static final long LOOK_MILLIS = 200;

    private final Locations locations;
    private final Unwinding running = new Unwinding();
    private Optional<RunningNode> node = Optional.empty();

    public DirectBacking(Locations locations) {
        this.locations = locations;
    }

    @Override
    public Locations locations() {
        return locations;
    }

    @Override
    public Optional<DaemonControl> daemon() {
        return Optional.empty();
    }

    @Override
    public Node node(Locations wanted) {
        if (node.isEmpty()) {
            node = Optional.of(start(wanted));
        }
        return node.get();
    }

    private RunningNode start(Locations wanted) {
        Configuration configuration = Daemon.read(wanted);
        Folders.make(wanted, configuration);
        if (Privileges.become(configuration.daemon())) {
            Folders.make(wanted, configuration); // those that are its user's to make
        }
        Identity identity = running.add(acquire(wanted));
        List<Role> roles = configuration.roles();
        SegmentPlan plan = SegmentPlan.of(configuration);
        Segment segment = running.add(Segment.anonymous(plan.parameters()));
        PeerProcess peers = running.add(new PeerProcess("direct", configuration, segment, 1, identity.node()));
        RunningNode started = new RunningNode(wanted, configuration, identity, peers, roles);
        running.add(started.exports());
        return started;
    }

    /** Not to be had where a daemon has started meanwhile: that keeps it, and can do the work. */
    private static Identity acquire(Locations locations) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(IDENTITY_MILLIS);
        while (true) {
            try {
                return Identity.acquire(locations.data(), LOOK_MILLIS, () -> holder(locations));
            } catch (Failure e) {
                if (e.code() != ExitCode.BUSY || System.nanoTime() - deadline > 0) {
                    throw e;
                }
                if (listens(locations)) {
                    throw new Failure(ExitCode.TRY_AGAIN, "archipelagod has started meanwhile: repeat the command, so that it does it", e);
                }
            }
        }
    }

    private static boolean listens(Locations locations) {
        try (SocketChannel daemon = SocketChannel.open(UnixDomainSocketAddress.of(locations.controlSocket()))) {
            return daemon.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    private static String holder(Locations locations) {
        return ProcessState.read(locations.run(), ProcessState.MAIN).filter(s -> s.process().alive())
            .map(s -> "archipelagod, process " + s.process().pid() + ", which does not listen on " + locations.controlSocket() + " (yet): "
                + "see 'archipelago status'")
            .orElse("another command that works without archipelagod: repeat this one when that has ended");
    }

    /** Ends the peers; only then what a command did is done. */
    @Override
    public void close() {
        running.close();
    }
}
