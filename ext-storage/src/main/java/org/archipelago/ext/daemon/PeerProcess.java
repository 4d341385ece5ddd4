package org.archipelago.ext.daemon;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.archipelago.config.ComposerRole;
import org.archipelago.config.Configuration;
import org.archipelago.config.MapperRole;
import org.archipelago.config.Role;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.peer.Peer;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.mapper.NodeIdentity;
import org.archipelago.xseg.Segment;

/** The peers of one process: reactors on a segment, and the roles that live here, in their order. */
final class PeerProcess implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(PeerProcess.class.getName());
    private static final long CALL_MILLIS = 60_000;

    private final Configuration configuration;
    private final Host host;
    private final RoleFactory factory;
    private final List<AutoCloseable> shared = new ArrayList<>();

    /**
     * @param name of the process, for its threads
     * @param segment stays the caller's to close, after this
     */
    PeerProcess(String name, Configuration configuration, Segment segment, int reactors, NodeIdentity me) {
        this.configuration = configuration;
        this.host = new Host(name, segment, reactors, configuration.daemon().spinMicros() * 1000L);
        this.factory = new RoleFactory(configuration, host, me);
    }

    Host host() {
        return host;
    }

    /** A new way to send control requests. */
    Caller caller(String purpose) {
        return new Caller(host, purpose, CALL_MILLIS);
    }

    /** Serves a role's ports; before {@link #start}. */
    void serve(Role role) {
        try {
            RoleFactory.Instances instances = factory.of(role);
            shared.add(instances.shared());
            Map<Integer, Peer> made = new HashMap<>();
            for (int port : usedPorts(role)) {
                host.serve(port, role.name(), reactor -> {
                    Peer first = made.get(reactor.index());
                    if (first != null) {
                        return first::accept; // one instance serves all ports; it is closed once
                    }
                    Peer peer = instances.make().apply(reactor);
                    made.put(reactor.index(), peer);
                    return peer;
                });
            }
            LOG.log(Level.INFO, "role {0} ({1}) serves port {2}", role.name(), role.type().word(), usedPorts(role));
        } catch (Failure e) {
            throw e;
        } catch (RuntimeException e) {
            throw new Failure(ExitCode.FAILED, "role " + role.name() + " does not start: " + e.getMessage(), e);
        }
    }

    /** The first port of its range, and those that other roles send to; the others wait for devices. */
    private Set<Integer> usedPorts(Role role) {
        Set<Integer> used = new TreeSet<>();
        used.add(role.ports().first());
        for (Role other : configuration.roles()) {
            if (other instanceof MapperRole mapper) {
                used.add(mapper.blockerbPort());
                used.add(mapper.blockermPort());
            } else if (other instanceof ComposerRole composer) {
                used.add(composer.blockerPort());
                used.add(composer.mapperPort());
            }
        }
        used.removeIf(port -> !role.ports().contains(port));
        return used;
    }

    void start() {
        host.start();
    }

    /** Stops the reactors, then the peers, then what these shared. */
    @Override
    public void close() {
        host.close();
        for (int i = shared.size() - 1; i >= 0; i--) {
            try {
                shared.get(i).close();
            } catch (Exception e) {
                LOG.log(Level.WARNING, "closing a role", e);
            }
        }
    }
}
