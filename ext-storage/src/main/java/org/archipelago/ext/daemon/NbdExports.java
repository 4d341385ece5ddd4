package org.archipelago.ext.daemon;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.archipelago.config.Locations;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.control.ControlServer;
import org.archipelago.ext.node.Exports;
import org.archipelago.ext.node.Volumes;
import org.archipelago.peer.endpoint.EndpointException;
import org.archipelago.peer.endpoint.ExportInfo;
import org.archipelago.peer.endpoint.ExportStatus;
import org.archipelago.peer.endpoint.NbdEndpoint;

/** The NBD endpoint's sockets, counted by who holds them. Thread-safe. */
final class NbdExports implements Exports, AutoCloseable {
    private final Locations locations;
    private final NbdEndpoint endpoint;
    private final Volumes volumes;
    private final Map<String, Integer> holders = new HashMap<>();

    NbdExports(Locations locations, NbdEndpoint endpoint, Volumes volumes) {
        this.locations = locations;
        this.endpoint = endpoint;
        this.volumes = volumes;
    }

    @Override
    public synchronized Path hold(String volume) {
        Path socket = locations.nbdSocket(volume);
        if (holders.merge(volume, 1, Integer::sum) == 1) {
            boolean done = false;
            try {
                serve(volume, socket);
                done = true;
            } finally {
                if (!done) {
                    holders.remove(volume);
                }
            }
        }
        return socket;
    }

    private void serve(String volume, Path socket) {
        int length = socket.toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > ControlServer.PATH_MAX) {
            throw Failure.usage("volume name '" + volume + "' is too long here: its socket " + socket + " would have " + length
                + " bytes, " + ControlServer.PATH_MAX + " is the most for a socket's path");
        }
        try {
            Files.createDirectories(socket.getParent());
            endpoint.export(volume, socket, new ExportInfo(0, false)); // each client is told the size at its time
        } catch (EndpointException e) {
            throw new Failure(ExitCode.ofErrno(e.errno()), e.getMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make " + socket.getParent() + ": " + e.getMessage(), e);
        }
    }

    @Override
    public synchronized void release(String volume) {
        int left = holders.merge(volume, -1, Integer::sum);
        if (left <= 0) {
            holders.remove(volume);
            endpoint.unexport(volume);
        }
    }

    @Override
    public void resized(String volume) {
        endpoint.resized(volume, volumes.info(volume).size());
    }

    @Override
    public synchronized boolean isServed(String volume) {
        return holders.containsKey(volume);
    }

    List<ExportStatus> status() {
        return endpoint.exports();
    }

    @Override
    public void close() {
        endpoint.close();
    }
}
