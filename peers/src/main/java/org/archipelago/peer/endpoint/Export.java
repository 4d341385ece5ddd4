package org.archipelago.peer.endpoint;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.Target;

/**
 * A volume, the sockets that it is reached through and its clients. A client does not say what it is, but
 * where it comes in does: guests get simple replies, which cost them two system calls less a read; programs
 * that copy images may have structured ones, without which there is no block status, and so no skipping of
 * what is empty. For its reactor's thread alone.
 */
final class Export {
    private final Station station;
    private final String volume;
    private final Target target;
    private final byte[] name;
    private final Path socket;
    private final boolean alwaysReadOnly;
    private final Acceptor guests;
    private final Acceptor images;
    private final List<Connection> connections = new ArrayList<>();
    private boolean readOnly;
    private long size;
    private long bytesServed;
    private boolean open;

    /** The sockets become this export's with {@link #begin}. */
    Export(Station station, String volume, ExportInfo info, UnixListener guests, UnixListener images) {
        this.station = station;
        this.volume = volume;
        this.target = Target.of(volume);
        this.name = volume.getBytes(StandardCharsets.UTF_8);
        this.socket = guests.path();
        this.alwaysReadOnly = info.readOnly();
        this.readOnly = info.readOnly();
        this.size = info.size();
        this.guests = new Acceptor(station, this, guests, false);
        this.images = new Acceptor(station, this, images, true);
    }

    void begin() {
        open = true;
        station.exports().add(this);
        guests.begin();
        images.begin();
    }

    /** Closes the sockets and every connection. */
    void end() {
        if (!open) {
            return;
        }
        open = false;
        station.exports().remove(this);
        guests.end();
        images.end();
        for (Connection connection : List.copyOf(connections)) {
            connection.close();
        }
    }

    String volume() {
        return volume;
    }

    /** That of the guests. Any thread. */
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

    /** A client has come, to a socket whose clients may have structured replies or not. */
    void take(int client, boolean structured) {
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
        Connection connection = new Connection(station, this, client, place, structured);
        connections.add(connection);
        connection.begin();
        station.watchNegotiations();
    }

    private void refuse(int client, String why) {
        Posix.close(client);
        station.complaints().add("NBD: refused a client of volume " + volume + ": " + why);
    }
}
