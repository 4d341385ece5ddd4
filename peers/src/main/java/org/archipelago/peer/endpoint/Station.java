package org.archipelago.peer.endpoint;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.peer.host.Slots;
import org.archipelago.posix.Posix;

/**
 * What the NBD connections of one reactor share: buffers in the segment, requests to the composer,
 * native scratch memory, and the lists of those that have something to do. For that reactor's thread
 * alone.
 *
 * <p>How memory is shared. A connection may take a piece from the common buffer while what it holds
 * is no more than what is left: one busy client gets half of the buffer, n get 1/(n+1) each, and
 * whoever takes much leaves the more to the next. A client that reads no replies keeps what it
 * holds, so each connection has a piece of {@value NbdSettings#RESERVE} bytes that no other can
 * take: it gets on, slowly, whatever the others do. It waits for nothing but its own replies.
 */
final class Station implements Reactor.Poller {
    private static final int OPERATIONS_AT_ONCE = 64;
    private static final int VECTOR = 256;
    private static final long SWEEP_MILLIS = 1000;
    private static final long AGAIN_NANOS = 100_000_000L;
    private static final int RESERVE_PAGES = NbdSettings.RESERVE / BufferArena.PAGE;
    private static final int RESERVE_ORDER = BufferArena.orderOf(NbdSettings.RESERVE);

    private final Host host;
    private final Reactor reactor;
    private final NbdSettings settings;
    private final int composerPort;
    private final BufferArena arena;
    private final MessageVector vector = new MessageVector(VECTOR);
    private final Complaints complaints = new Complaints();
    private final VolumeQuery query;
    private final Memory option = new Memory(4);
    private final long optionAddress = Pointer.nativeValue(option);

    private final Piece[] free;
    private int freeCount;
    private final Piece[] reserves;
    private final boolean[] placeTaken;
    private int connections;
    private Operation freeOperations;
    private final ArrayDeque<ReceiveBuffer> receiveBuffers = new ArrayDeque<>();

    private final ArrayDeque<Connection> toSend = new ArrayDeque<>();
    private final ArrayDeque<Connection> waiting = new ArrayDeque<>();
    private boolean released;
    private boolean watchingNegotiations;
    private final List<Export> exports = new ArrayList<>();

    Station(Host host, Reactor reactor, int composerPort, NbdSettings settings) {
        this.host = host;
        this.reactor = reactor;
        this.settings = settings;
        this.composerPort = composerPort;
        int places = settings.connections();
        Slots.Extent buffers = host.buffers(reactor, "nbd", settings.bufferBytes());
        this.arena = new BufferArena(buffers.address(), buffers.length(), places * RESERVE_PAGES);
        RequestPool requests = host.pool(reactor, "nbd", settings.requests() + places, 0);
        HeaderSlab headers = new HeaderSlab(settings.requests() + places);
        this.placeTaken = new boolean[places];
        this.reserves = new Piece[places];
        for (int i = 0; i < places; i++) {
            reserves[i] = new Piece(headers, i, requests.take(), true);
            place(reserves[i], i * RESERVE_PAGES, RESERVE_ORDER);
        }
        this.free = new Piece[settings.requests()];
        while (freeCount < free.length) {
            free[freeCount] = new Piece(headers, places + freeCount, requests.take(), false);
            free[freeCount].bufferAddress = buffers.address(); // no data, but a valid place for it
            freeCount++;
        }
        option.setInt(0, settings.socketBufferBytes());
        this.query = new VolumeQuery(host, reactor, composerPort);
    }

    Reactor reactor() {
        return reactor;
    }

    NbdSettings settings() {
        return settings;
    }

    Complaints complaints() {
        return complaints;
    }

    VolumeQuery query() {
        return query;
    }

    List<Export> exports() {
        return exports;
    }

    /** The buffers of all pieces, big-endian; those of a page begin at its number times the page size. */
    ByteBuffer bytes() {
        return arena.bytes();
    }

    MessageVector vector() {
        return vector;
    }

    // --- connections

    /** A number for a new connection, with which its reserve goes; -1 where there are too many. */
    int takePlace() {
        for (int i = 0; i < placeTaken.length; i++) {
            if (!placeTaken[i]) {
                placeTaken[i] = true;
                connections++;
                return i;
            }
        }
        return -1;
    }

    void releasePlace(int place, ReceiveBuffer buffer) {
        placeTaken[place] = false;
        connections--;
        receiveBuffers.push(buffer);
    }

    ReceiveBuffer takeReceiveBuffer() {
        ReceiveBuffer buffer = receiveBuffers.isEmpty() ? new ReceiveBuffer() : receiveBuffers.pop();
        buffer.clear();
        return buffer;
    }

    /** Lets the kernel take as much as it may for what a client has yet to read. */
    void setSendBuffer(int fd) {
        Posix.setsockopt(fd, Posix.SOL_SOCKET, Posix.SO_SNDBUF, optionAddress, 4);
    }

    /** Ends negotiations that take too long, as long as there are any. */
    void watchNegotiations() {
        if (!watchingNegotiations) {
            watchingNegotiations = true;
            reactor.schedule(Math.min(SWEEP_MILLIS, settings.negotiationMillis()) * 1_000_000L, this::endNegotiations);
        }
    }

    private void endNegotiations() {
        watchingNegotiations = false;
        long now = System.nanoTime();
        boolean more = false;
        for (Export export : exports) {
            for (Connection connection : List.copyOf(export.connections())) {
                connection.endNegotiation(now);
                more |= connection.isNegotiating();
            }
        }
        if (more) {
            watchNegotiations();
        }
    }

    /** The piece that belongs to a place, for what its connection needs while it negotiates. */
    Piece reserve(int place) {
        return reserves[place];
    }

    // --- operations and pieces

    Operation takeOperation() {
        if (freeOperations == null) {
            HeaderSlab headers = new HeaderSlab(OPERATIONS_AT_ONCE);
            for (int i = 0; i < OPERATIONS_AT_ONCE; i++) {
                push(new Operation(this, headers, i));
            }
        }
        Operation operation = freeOperations;
        freeOperations = operation.nextFree;
        operation.nextFree = null;
        return operation;
    }

    private void push(Operation operation) {
        operation.nextFree = freeOperations;
        freeOperations = operation;
    }

    void release(Operation operation, Connection owner) {
        push(operation);
        resume(owner);
        owner.operationOver();
    }

    /**
     * A piece for an operation.
     *
     * @param bytes room wanted for data, 0 to {@link BufferArena#BLOCK_MAX}; it may get less
     * @return null where its connection must wait for replies of its own to go out
     */
    Piece takePiece(Operation operation, int bytes) {
        Connection connection = operation.connection;
        Piece piece = takeShared(connection, bytes);
        if (piece == null) {
            piece = reserves[connection.place()];
            if (piece.operation != null) {
                return null;
            }
            connection.held += NbdSettings.RESERVE;
        }
        connection.pieces++;
        piece.operation = operation;
        piece.answered = false;
        piece.orphanedSince = 0;
        piece.error = 0;
        operation.partTaken();
        return piece;
    }

    private Piece takeShared(Connection connection, int bytes) {
        if (connection.pieces >= freeCount) {
            return null;
        }
        if (bytes == 0) {
            return free[--freeCount];
        }
        int order = BufferArena.orderOf(bytes);
        int least = Math.min(order, RESERVE_ORDER);
        for (; order >= least; order--) {
            long size = (long) BufferArena.PAGE << order;
            if (connection.held + size <= arena.freeBytes() - size) {
                int page = arena.take(order);
                if (page >= 0) {
                    connection.held += size;
                    Piece piece = free[--freeCount];
                    place(piece, page, order);
                    return piece;
                }
            }
        }
        return null;
    }

    private void place(Piece piece, int page, int order) {
        piece.page = page;
        piece.order = order;
        piece.capacity = BufferArena.PAGE << order;
        piece.bufferAddress = arena.address(page);
    }

    void release(Piece piece) {
        Operation operation = piece.operation;
        Connection connection = operation.connection;
        piece.operation = null;
        piece.sibling = null;
        connection.pieces--;
        connection.held -= piece.order == Piece.NO_BUFFER ? 0 : piece.capacity;
        if (!piece.reserve) {
            if (piece.order != Piece.NO_BUFFER) {
                arena.release(piece.page, piece.order);
                piece.order = Piece.NO_BUFFER;
            }
            free[freeCount++] = piece;
        }
        resume(connection);
        operation.partGone();
    }

    void submit(Piece piece) {
        host.submit(piece.request, reactor, composerPort);
    }

    /** Sends a piece once more in a while; false where its client has gone, or has waited long enough. */
    boolean submitAgain(Piece piece) {
        long now = System.nanoTime();
        if (piece.orphanedSince == 0) {
            piece.orphanedSince = now | 1;
        }
        if (!piece.operation.connection.isOpen() || now - piece.orphanedSince > settings.patienceMillis() * 1_000_000L) {
            return false;
        }
        reactor.schedule(AGAIN_NANOS, () -> submit(piece));
        return true;
    }

    // --- who has something to do

    /** The connection has replies that nobody is about to send. */
    void hasReplies(Connection connection) {
        toSend.add(connection);
    }

    /** The connection has requests to go on with once something is released. */
    void waits(Connection connection) {
        waiting.add(connection);
    }

    /** A connection can go on if it waits; others perhaps too, with what it released. */
    void resume(Connection connection) {
        connection.released = true;
        released = true;
    }

    /** Others release all the time, so a connection that waits is not bothered without some hope. */
    private boolean canProceed(Connection connection) {
        return connection.released
            || connection.pieces < freeCount && connection.held + 2 * NbdSettings.RESERVE <= arena.freeBytes();
    }

    @Override
    public int poll() {
        int work = 0;
        for (int left = toSend.size(); left > 0; left--) {
            work += toSend.poll().sendReplies() ? 1 : 0;
        }
        if (released) {
            released = false;
            for (int left = waiting.size(); left > 0; left--) {
                Connection connection = waiting.poll();
                if (canProceed(connection)) {
                    connection.proceed();
                    work++;
                } else if (connection.isOpen()) {
                    waiting.add(connection);
                }
            }
        }
        return work;
    }

    @Override
    public boolean prepareToSleep() {
        return toSend.isEmpty() && !(released && !waiting.isEmpty());
    }

    @Override
    public void awake() {}

    /** For tests: whether all that was taken has been given back. */
    boolean isIdle() {
        return connections == 0 && freeCount == free.length
            && arena.freeBytes() == settings.bufferBytes() - (long) placeTaken.length * NbdSettings.RESERVE;
    }
}
