package org.archipelago.peer.endpoint;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentException;
import org.archipelago.xseg.Target;

/**
 * Serves volumes to the kernel, each through a device of the module xsegbd: docs/xsegbd.md. A device lives on the
 * reactor that its volume belongs to. Its data stays in the memory of the kernel's, so all that it goes through, from the
 * composer to the blocker, has to be in this process.
 *
 * <p>All methods may be called from any thread. They wait for a reactor, at most 10 s; an {@link EndpointException} with
 * ETIMEDOUT then says which.
 */
public final class XsegbdEndpoint implements AutoCloseable {
    private final Host host;
    private final int composerPort;
    private final int[] ports;
    private final VolumeQuery[] queries;
    private final Map<String, XsegbdDevice> devices = new ConcurrentHashMap<>();

    /**
     * Takes requests of the host's segment for each of its reactors; before or after {@link Host#start}.
     *
     * @param composerPort where requests for the volumes go
     * @param ports those that they go through from there
     */
    public XsegbdEndpoint(Host host, int composerPort, int... ports) {
        this.host = host;
        this.composerPort = composerPort;
        this.ports = ports.clone();
        Reactor[] reactors = host.reactors();
        this.queries = new VolumeQuery[reactors.length];
        for (Reactor reactor : reactors) {
            queries[reactor.index()] = new VolumeQuery(host, reactor, composerPort);
        }
    }

    /**
     * Serves a volume through a device that shows it.
     *
     * @param path of its character device
     * @throws EndpointException EEXIST where the volume is served already, EOPNOTSUPP where what serves volumes is not
     *     all in this process, EBUSY where another process serves the device, or what the system said
     */
    public synchronized void serve(String volume, String path) {
        if (devices.containsKey(volume)) {
            throw new EndpointException(Errno.EEXIST, "volume " + volume + " is served as a device already");
        }
        if (!isHere(composerPort)) {
            throw new EndpointException(Errno.EOPNOTSUPP, "volume " + volume + " cannot be served through " + path
                + ": its peers run in several processes; remove the 'process' settings of their roles");
        }
        Reactor reactor = host.reactorOf(Target.of(volume).hashCode());
        try {
            Segment segment = Segment.joinDevice(path);
            XsegbdDevice device = new XsegbdDevice(host, reactor, composerPort, queries[reactor.index()], volume, segment,
                () -> devices.remove(volume)); // perhaps since somebody has removed it from the kernel
            devices.put(volume, device);
            try {
                Handover.run(reactor, "serve " + path, () -> {
                    device.begin();
                    return true;
                });
            } catch (RuntimeException e) {
                reactor.execute(() -> device.end(() -> { })); // whether it has begun or not
                throw e;
            }
        } catch (SegmentException e) {
            throw new EndpointException(e.errno(), "volume " + volume + " cannot be served through " + path + ": " + e.getMessage());
        }
    }

    private boolean isHere(int port) {
        boolean here = host.serves(port);
        for (int other : ports) {
            here &= host.serves(other);
        }
        return here;
    }

    public boolean serves(String volume) {
        return devices.containsKey(volume);
    }

    /** Stops serving a volume, once what the kernel has asked is answered; nothing happens where it is not served. */
    public synchronized void end(String volume) {
        XsegbdDevice device = devices.get(volume);
        if (device != null) {
            Reactor reactor = host.reactorOf(Target.of(volume).hashCode());
            CompletableFuture<Boolean> over = new CompletableFuture<>();
            Handover.run(reactor, "stop serving the device of volume " + volume, () -> {
                device.end(() -> over.complete(true));
                return true;
            });
            Handover.await(over, "stop serving the device of volume " + volume);
        }
    }

    /** Stops serving every device; before the host closes. The devices stay, and wait for the next who serves them. */
    @Override
    public void close() {
        for (String volume : List.copyOf(devices.keySet())) {
            end(volume);
        }
    }
}
