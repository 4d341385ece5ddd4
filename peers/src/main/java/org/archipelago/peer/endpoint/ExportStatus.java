package org.archipelago.peer.endpoint;

import java.nio.file.Path;

/**
 * How an export does.
 *
 * @param size bytes, as last heard of
 * @param connections clients, those that still negotiate included
 * @param requestsInFlight NBD requests taken and not yet wholly answered
 * @param bytesServed read and written since the export began
 */
public record ExportStatus(String volume, Path socket, long size, int connections, int requestsInFlight,
        long bytesServed) {}
