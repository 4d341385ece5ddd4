package org.archipelago.peer.endpoint;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.archipelago.peer.host.Watcher;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.Target;

/** A volume and the socket that it is reached through; takes its clients. For its reactor's thread alone. */
final class Export implements Watcher {
    /** Clients taken before others have their turn. */
    private static final int ACCEPTS = 16;
    /** How long to leave clients waiting when the process has no descriptor for them. */
    private static final long PAUSE_NANOS = 200_000_000L;

    private final Station station;
    private final String volume;
    private final Target target;
    private final byte[] name;
    private final Path socket;
    private final boolean alwaysReadOnly;
    private final int fd;
    private final List<Connection> connections = new ArrayList<>();
    private boolean readOnly;
    private long size;
    private long bytesServed;
    private boolean open;

    /** @param fd a listening socket, non-blocking; becomes this export's with {@link #begin} */
    Export(Station station, String volume, Path socket, ExportInfo info, int fd) {
        this.station = station;
        this.volume = volume;
        this.target = Target.of(volume);
        this.name = volume.getBytes(StandardCharsets.UTF_8);
        this.socket = socket;
        this.alwaysReadOnly = info.readOnly();
        this.readOnly = info.readOnly();
        this.size = info.size();
        this.fd = fd;
    }

    void begin() {
        open = true;
        station.exports().add(this);
        station.reactor().watch(fd, Posix.EPOLLIN, this);
    }

    /** Closes the socket and every connection. */
    void end() {
        if (!open) {
            return;
        }
        open = false;
        station.exports().remove(this);
        station.reactor().unwatch(fd);
        Posix.close(fd);
        for (Connection connection : List.copyOf(connections)) {
            connection.close();
        }
    }

    String volume() {
        return volume;
    }

    /** Any thread. */
    Path socket() {
        return socket;
    }

    Target target() {
        return target;
    }

    /** The name as it goes to clients; not to be changed. */
    byte[] nameBytes() {
        return name;
    }

    /** Bytes. Follows a grow at once: a request to the new part is served on an old connection too. */
    long size() {
        return size;
    }

    boolean readOnly() {
        return readOnly;
    }

    void resized(long newSize) {
        size = newSize;
    }

    /** The composer described the volume. */
    void update(long newSize, boolean isReadOnly) {
        size = newSize;
        readOnly = alwaysReadOnly || isReadOnly;
    }

    void served(long bytes) {
        bytesServed += bytes;
    }

    List<Connection> connections() {
        return connections;
    }

    void left(Connection connection) {
        connections.remove(connection);
    }

    ExportStatus status() {
        int inFlight = 0;
        for (Connection connection : connections) {
            inFlight += connection.operations();
        }
        return new ExportStatus(volume, socket, size, connections.size(), inFlight, bytesServed);
    }

    @Override
    public void ready(int events) {
        for (int i = 0; i < ACCEPTS && open; i++) {
            int client = Posix.accept4(fd, 0, 0, Posix.SOCK_NONBLOCK | Posix.SOCK_CLOEXEC);
            if (client >= 0) {
                take(client);
            } else if (Posix.errno() == Errno.EAGAIN) {
                return;
            } else if (isShortage(Posix.errno())) {
                pause(Posix.errno());
                return;
            } // else that client has gone again
        }
    }

    private void take(int client) {
        int limit = station.settings().connectionsPerVolume();
        if (connections.size() >= limit) {
            refuse(client, "volume " + volume + " has " + limit + " clients");
            return;
        }
        int place = station.takePlace();
        if (place < 0) {
            refuse(client, "this reactor has " + station.settings().connections() + " clients");
            return;
        }
        station.setSendBuffer(client);
        Connection connection = new Connection(station, this, client, place);
        connections.add(connection);
        connection.begin();
        station.watchNegotiations();
    }

    private void refuse(int client, String why) {
        Posix.close(client);
        station.complaints().add("NBD: refused a client of volume " + volume + ": " + why);
    }

    private static boolean isShortage(int errno) {
        return errno == Errno.EMFILE || errno == 23 /* ENFILE */ || errno == Errno.ENOMEM || errno == 105 /* ENOBUFS */;
    }

    private void pause(int errno) {
        station.complaints().add("NBD: cannot take a client of volume " + volume + ": " + Errno.text(errno));
        station.reactor().rewatch(fd, 0);
        station.reactor().schedule(PAUSE_NANOS, () -> {
            if (open) {
                station.reactor().rewatch(fd, Posix.EPOLLIN);
            }
        });
    }
}
