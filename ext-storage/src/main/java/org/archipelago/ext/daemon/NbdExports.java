package org.archipelago.ext.daemon;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.archipelago.config.Locations;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.control.ControlServer;
import org.archipelago.ext.node.Exports;
import org.archipelago.peer.endpoint.ExportInfo;
import org.archipelago.peer.endpoint.ExportStatus;
import org.archipelago.peer.endpoint.NbdEndpoint;

/** The NBD endpoint's sockets, kept as long as somebody holds them. Thread-safe. */
final class NbdExports implements Exports, AutoCloseable {
    private final Locations locations;
    private final NbdEndpoint endpoint;
    private final Map<String, Set<String>> holders = new HashMap<>();
    private boolean closed;

    NbdExports(Locations locations, NbdEndpoint endpoint) {
        this.locations = locations;
        this.endpoint = endpoint;
    }

    @Override
    public synchronized void hold(String volume, String holder) {
        if (closed) {
            throw new Failure(ExitCode.TRY_AGAIN, "volume " + volume + " cannot be served now: archipelagod is stopping");
        }
        if (!holders.containsKey(volume)) {
            serve(volume, locations.nbdSocket(volume), locations.imageSocket(volume));
        }
        holders.computeIfAbsent(volume, v -> new HashSet<>()).add(holder);
    }

    private void serve(String volume, Path socket, Path images) {
        int length = socket.toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > ControlServer.PATH_MAX) {
            throw Failure.usage("volume name '" + volume + "' is too long here: its socket " + socket + " would have " + length
                + " bytes, " + ControlServer.PATH_MAX + " is the most for a socket's path");
        }
        try {
            Files.createDirectories(socket.getParent());
            Files.createDirectories(images.getParent());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make the folders of " + socket + " and " + images + ": " + e.getMessage(), e);
        }
        EndpointCalls.change(() -> endpoint.export(volume, socket, images, new ExportInfo(0, false))); // each client is told the size at its time
    }

    @Override
    public synchronized void release(String volume, String holder) {
        Set<String> left = holders.getOrDefault(volume, Set.of());
        if (left.size() == 1 && left.contains(holder)) {
            EndpointCalls.change(() -> endpoint.unexport(volume));
            holders.remove(volume);
        } else if (!left.isEmpty()) {
            left.remove(holder);
        }
    }

    @Override
    public synchronized boolean isHeld(String volume, String holder) {
        return holders.getOrDefault(volume, Set.of()).contains(holder);
    }

    @Override
    public void resized(String volume, long size) {
        EndpointCalls.change(() -> endpoint.resized(volume, size));
    }

    List<ExportStatus> status() {
        return endpoint.exports();
    }

    /** From now on nothing is served. */
    @Override
    public synchronized void close() {
        closed = true;
        EndpointCalls.change(endpoint::close);
    }
}
