package org.archipelago.ext.daemon;

import java.util.function.Function;
import org.archipelago.config.ComposerRole;
import org.archipelago.config.Configuration;
import org.archipelago.config.DummyRole;
import org.archipelago.config.FileBlockerRole;
import org.archipelago.config.MapperRole;
import org.archipelago.config.Role;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.peer.Peer;
import org.archipelago.peer.blocker.FileStore;
import org.archipelago.peer.composer.Composer;
import org.archipelago.peer.dummy.Dummy;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.mapper.Mapper;
import org.archipelago.peer.mapper.MapperControl;
import org.archipelago.peer.mapper.NodeIdentity;

/** Makes the peers of a role: where the configuration's words meet the peers' classes. */
final class RoleFactory {
    private static final int MAPPER_REQUESTS = 64;
    private static final long STORE_MILLIS = 60_000;

    private final Configuration configuration;
    private final Host host;
    private final NodeIdentity me;

    RoleFactory(Configuration configuration, Host host, NodeIdentity me) {
        this.configuration = configuration;
        this.host = host;
        this.me = me;
    }

    /**
     * What a role is served by.
     *
     * @param make the instance for a reactor
     * @param shared what the instances share; closed after them
     */
    record Instances(Function<Reactor, Peer> make, AutoCloseable shared) {}

    /** Throws what the peers' constructors throw, with a message for people. */
    Instances of(Role role) {
        if (role instanceof FileBlockerRole blocker) {
            FileStore store = FileStore.open(blocker);
            return new Instances(reactor -> store.blocker(reactor, host.segment(), host.reactors().length), store);
        } else if (role instanceof MapperRole mapper) {
            MapperControl control = new MapperControl(new Caller(host, role.name(), STORE_MILLIS), mapper.blockerbPort(),
                mapper.blockermPort(), me, MAPPER_REQUESTS, mapper.upgradeOriginal());
            return new Instances(reactor -> new Mapper(host, reactor, control, mapper.blockermPort()), control);
        } else if (role instanceof ComposerRole composer) {
            int operations = SegmentPlan.operations(configuration);
            return new Instances(reactor -> new Composer(host, reactor, composer.mapperPort(), composer.blockerPort(), operations),
                () -> { });
        } else if (role instanceof DummyRole) {
            return new Instances(reactor -> new Dummy(), () -> { });
        }
        throw new Failure(ExitCode.CONFIGURATION, "role " + role.name() + ": type " + role.type().word()
            + " is not part of this version");
    }
}
