package org.archipelago.peer.endpoint;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Target;

/**
 * Serves volumes over the NBD protocol, each on two Unix sockets of its own: a kernel's nbd device, qemu
 * and any other client of the newstyle protocol can use them. The one is for guests and has simple
 * replies; the other is for programs that copy images and has structured replies and block status
 * (base:allocation). A volume's sockets and all its connections live on the reactor that the volume
 * belongs to; bytes go from the socket to a buffer in the segment, and back, without another copy.
 *
 * <p>All methods may be called from any thread. They hand over to a reactor and wait for it, at most
 * 10 s; an {@link EndpointException} with ETIMEDOUT then says which.
 */
public final class NbdEndpoint implements AutoCloseable {
    private record Entry(Export export, List<UnixListener> listeners) {}

    private final Host host;
    private final Station[] stations;
    private final Map<String, Entry> entries = new ConcurrentHashMap<>();
    private final Set<String> changing = ConcurrentHashMap.newKeySet();

    /**
     * Takes buffers and requests of the host's segment for each of its reactors; before or after
     * {@link Host#start}. They are given back when the host closes.
     *
     * @param composerPort where requests for the volumes go
     * @throws org.archipelago.xseg.SegmentException where the segment is too small
     */
    public NbdEndpoint(Host host, int composerPort, NbdSettings settings) {
        this.host = host;
        Reactor[] reactors = host.reactors();
        this.stations = new Station[reactors.length];
        for (Reactor reactor : reactors) {
            Station station = new Station(host, reactor, composerPort, settings);
            stations[reactor.index()] = station;
            reactor.execute(() -> reactor.add(station));
        }
    }

    /**
     * Serves a volume on two sockets, mode 0660, which replace whatever sockets have those paths. Both or none.
     *
     * @param guests the path of the one with simple replies: at most 107 bytes, in a folder that exists
     * @param images the same for the one with structured replies; another path
     * @throws EndpointException EEXIST where the volume is exported already or a path is not a
     *     socket's, ENAMETOOLONG, ENOENT without the folder, EBUSY where another thread changes it at
     *     this moment, or what the system said
     */
    public void export(String volume, Path guests, Path images, ExportInfo info) {
        changing(volume, () -> begin(volume, guests, images, info));
    }

    private void begin(String volume, Path guests, Path images, ExportInfo info) {
        Station station = station(volume);
        Entry there = entries.get(volume);
        if (there != null) {
            throw new EndpointException(Errno.EEXIST, "volume " + volume + " is exported already, on "
                + there.export.socket());
        }
        List<UnixListener> listeners = new ArrayList<>();
        try {
            listeners.add(UnixListener.open(guests));
            listeners.add(UnixListener.open(images));
            Export export = new Export(station, volume, info, listeners.get(0), listeners.get(1));
            Handover.run(station.reactor(), "export " + volume, () -> {
                export.begin();
                return true;
            });
            entries.put(volume, new Entry(export, listeners));
        } catch (RuntimeException e) {
            listeners.forEach(UnixListener::discard);
            throw e;
        }
    }

    /**
     * Stops serving a volume: its sockets are removed and its clients are cut off. What they asked for
     * and the composer has is carried out; nobody is told. Nothing happens where it is not exported.
     *
     * @throws EndpointException EBUSY where another thread changes it at this moment
     */
    public void unexport(String volume) {
        changing(volume, () -> end(volume));
    }

    private void end(String volume) {
        Entry entry = entries.get(volume);
        if (entry != null) {
            entry.listeners.forEach(UnixListener::removeFile);
            Handover.run(station(volume).reactor(), "unexport " + volume, () -> {
                entry.export.end();
                return true;
            });
            entries.remove(volume);
        }
    }

    /** One thread at a time changes an export; those of other volumes do not wait for it. */
    private void changing(String volume, Runnable change) {
        if (!changing.add(volume)) {
            throw new EndpointException(Errno.EBUSY, "the export of volume " + volume + " is just being changed; try again");
        }
        try {
            change.run();
        } finally {
            changing.remove(volume);
        }
    }

    /** A volume has another size; new clients are told. Nothing happens where it is not exported. */
    public void resized(String volume, long size) {
        Entry entry = entries.get(volume);
        if (entry != null) {
            Handover.run(station(volume).reactor(), "resize " + volume, () -> {
                entry.export.resized(size);
                return true;
            });
        }
    }

    /** All exports, by volume. */
    public List<ExportStatus> exports() {
        List<ExportStatus> all = new ArrayList<>();
        for (Station station : stations) {
            all.addAll(Handover.run(station.reactor(), "list exports", () -> {
                List<ExportStatus> some = new ArrayList<>();
                for (Export export : station.exports()) {
                    some.add(export.status());
                }
                return some;
            }));
        }
        all.sort(Comparator.comparing(ExportStatus::volume));
        return all;
    }

    /** Stops serving every volume; before the host closes. */
    @Override
    public void close() {
        EndpointException first = null;
        for (String volume : List.copyOf(entries.keySet())) {
            try {
                unexport(volume);
            } catch (EndpointException e) {
                first = first == null ? e : first;
            }
        }
        if (first != null) {
            throw first;
        }
    }

    /** For tests: whether no connection holds anything. */
    boolean isIdle() {
        boolean idle = true;
        for (Station station : stations) {
            idle &= Handover.run(station.reactor(), "look at buffers", station::isIdle);
        }
        return idle;
    }

    private Station station(String volume) {
        try {
            return stations[host.reactorOf(Target.of(volume).hashCode()).index()];
        } catch (IllegalArgumentException e) {
            throw new EndpointException(Errno.EINVAL, "a volume of that name cannot be: " + e.getMessage());
        }
    }
}
