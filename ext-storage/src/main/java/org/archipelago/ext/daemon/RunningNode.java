package org.archipelago.ext.daemon;

import java.util.List;
import java.util.Optional;
import org.archipelago.config.ComposerRole;
import org.archipelago.config.Configuration;
import org.archipelago.config.Locations;
import org.archipelago.config.Role;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.node.Exports;
import org.archipelago.ext.node.Mapping;
import org.archipelago.ext.node.MappingStore;
import org.archipelago.ext.node.Mappings;
import org.archipelago.ext.node.Node;
import org.archipelago.ext.node.VolumeLocks;
import org.archipelago.ext.node.Volumes;
import org.archipelago.peer.endpoint.NbdEndpoint;
import org.archipelago.peer.endpoint.NbdSettings;
import org.archipelago.peer.endpoint.XsegbdEndpoint;

/** A node whose peers run: in the daemon, or in the process of one command. */
final class RunningNode implements Node, AutoCloseable {
    private static final System.Logger LOG = System.getLogger(RunningNode.class.getName());
    private static final long LOCK_MILLIS = 120_000;

    private final Locations locations;
    private final Configuration configuration;
    private final Identity identity;
    private final PeerProcess peers;
    private final Volumes volumes;
    private final NbdExports exports;
    private final XsegbdDevices devices;
    private final MappingStore mapped;
    private final VolumeLocks locks = new VolumeLocks(LOCK_MILLIS);
    private final Mappings mappings;

    /**
     * Starts the peers.
     *
     * @param roles those that live in this process
     * @param peers not started yet; this closes them
     */
    RunningNode(Locations locations, Configuration configuration, Identity identity, PeerProcess peers, List<Role> roles) {
        this.locations = locations;
        this.configuration = configuration;
        this.identity = identity;
        this.peers = peers;
        ComposerRole composer = composer(configuration);
        roles.forEach(peers::serve);
        this.volumes = new Volumes(peers.caller("commands"), composer.ports().first(), composer.mapperPort());
        NbdSettings settings = NbdSettings.defaults().bufferBytes((long) configuration.endpoint().nbdBuffersMib() << 20)
            .patienceMillis(configuration.endpoint().nbdReconnectSeconds() * 1000L);
        this.exports = new NbdExports(locations, new NbdEndpoint(peers.host(), composer.ports().first(), settings));
        this.devices = new XsegbdDevices(
            new XsegbdEndpoint(peers.host(), composer.ports().first(), composer.mapperPort(), composer.blockerPort()));
        this.mapped = new MappingStore(locations.run());
        this.mappings = new Mappings(locations, configuration.endpoint(), volumes, exports, mapped, devices, locks);
        peers.start();
    }

    private static ComposerRole composer(Configuration configuration) {
        Optional<Role> composer = configuration.roles().stream().filter(ComposerRole.class::isInstance).findFirst();
        if (composer.isPresent() && composer.get() instanceof ComposerRole role) {
            return role;
        }
        throw new Failure(ExitCode.CONFIGURATION, configuration.file() + ": no role of type vlmcd: nothing would serve volumes");
    }

    /** Listens again for the guests of all mapped volumes, who wait for it. */
    void restore() {
        for (Mapping mapping : mapped.all()) {
            try {
                exports.hold(mapping.volume(), Exports.MAPPING);
                mappings.serveAgain(mapping);
                LOG.log(System.Logger.Level.INFO, "volume {0} is served again on {1}", mapping.volume(), mapping.socket());
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.ERROR, "volume {0} is mapped but cannot be served: {1}", mapping.volume(), e.getMessage());
            }
        }
    }

    /** Before a stop: takes no more I/O, and makes durable what was written. */
    void quiesce() {
        try {
            exports.close();
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.WARNING, "not all NBD sockets could be closed: {0}", e.getMessage());
        }
        try {
            devices.close();
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.WARNING, "not all xsegbd devices could be given back: {0}", e.getMessage());
        }
        for (Mapping mapping : mapped.all()) {
            try {
                volumes.flush(mapping.volume());
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.WARNING, "volume {0} could not be made durable: {1}", mapping.volume(), e.getMessage());
            }
        }
    }

    PeerProcess peers() {
        return peers;
    }

    int nbdInFlight() {
        return exports.status().stream().mapToInt(e -> e.requestsInFlight()).sum();
    }

    @Override
    public Locations locations() {
        return locations;
    }

    @Override
    public Configuration configuration() {
        return configuration;
    }

    @Override
    public Volumes volumes() {
        return volumes;
    }

    @Override
    public NbdExports exports() {
        return exports;
    }

    @Override
    public MappingStore mapped() {
        return mapped;
    }

    @Override
    public Mappings mappings() {
        return mappings;
    }

    @Override
    public VolumeLocks locks() {
        return locks;
    }

    @Override
    public String shortIdentity() {
        return identity.shortId();
    }

    @Override
    public void close() {
        peers.close();
    }
}
