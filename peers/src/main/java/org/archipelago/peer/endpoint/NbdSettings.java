package org.archipelago.peer.endpoint;

/**
 * Limits of the NBD endpoint. Immutable.
 *
 * @param bufferBytes data in flight of one reactor, 1 MiB to 1 GiB; taken from the segment at once
 * @param requests requests to the composer that the connections of a reactor share; each connection
 *     has one more of its own
 * @param connectionsPerVolume most clients of one volume at a time
 * @param connectionsPerReactor most clients of one reactor at a time; each has {@value #RESERVE} bytes
 *     of the buffer of its own, so no more than half of the buffer divided by that
 * @param requestsPerConnection most NBD requests of one client at a time; it waits with more
 * @param socketBufferBytes asked of the kernel for what a client has yet to read
 * @param negotiationMillis how long a client may take until it has chosen the volume
 * @param patienceMillis how long a client's request waits for a peer that is not there, before it fails
 */
public record NbdSettings(long bufferBytes, int requests, int connectionsPerVolume, int connectionsPerReactor,
        int requestsPerConnection, int socketBufferBytes, long negotiationMillis, long patienceMillis) {
    /** Bytes of the buffer that belong to one connection alone. */
    static final int RESERVE = 32 << 10;

    /** Throws IllegalArgumentException, naming the limit, for a value out of range. */
    public NbdSettings {
        require(bufferBytes >= 1 << 20 && bufferBytes <= 1 << 30,
            "the NBD buffer has 1 MiB to 1 GiB: bufferBytes=" + bufferBytes);
        require(requests >= 16 && requests <= 1 << 16, "the NBD endpoint has 16 to 65536 requests: requests=" + requests);
        require(connectionsPerVolume >= 1, "a volume takes at least one client: connectionsPerVolume=" + connectionsPerVolume);
        require(connectionsPerReactor >= 1, "a reactor takes at least one client: connectionsPerReactor=" + connectionsPerReactor);
        require(requestsPerConnection >= 1, "a client has at least one request: requestsPerConnection=" + requestsPerConnection);
        require(socketBufferBytes >= 4096, "a socket's buffer has at least 4096 bytes: socketBufferBytes=" + socketBufferBytes);
        require(negotiationMillis >= 1, "a client needs time to negotiate: negotiationMillis=" + negotiationMillis);
    }

    /** 64 MiB and 1024 requests a reactor, 16 clients a volume. */
    public static NbdSettings defaults() {
        return new NbdSettings(64 << 20, 1024, 16, 512, 256, 4 << 20, 30_000, 300_000);
    }

    public NbdSettings bufferBytes(long bytes) {
        return new NbdSettings(bytes, requests, connectionsPerVolume, connectionsPerReactor, requestsPerConnection,
            socketBufferBytes, negotiationMillis, patienceMillis);
    }

    public NbdSettings patienceMillis(long millis) {
        return new NbdSettings(bufferBytes, requests, connectionsPerVolume, connectionsPerReactor, requestsPerConnection,
            socketBufferBytes, negotiationMillis, millis);
    }

    /** Connections that one reactor can really have. */
    int connections() {
        return (int) Math.min(connectionsPerReactor, bufferBytes / 2 / RESERVE);
    }

    private static void require(boolean valid, String message) {
        if (!valid) {
            throw new IllegalArgumentException(message);
        }
    }
}
