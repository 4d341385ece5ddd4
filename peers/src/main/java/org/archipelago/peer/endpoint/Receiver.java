package org.archipelago.peer.endpoint;

import static org.archipelago.peer.endpoint.NbdProtocol.CMD_BLOCK_STATUS;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_DISC;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_FLAG_DF;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_FLAG_FUA;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_FLAG_NO_HOLE;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_FLAG_REQ_ONE;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_FLUSH;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_READ;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_TRIM;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_WRITE;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_WRITE_ZEROES;
import static org.archipelago.peer.endpoint.NbdProtocol.EINVAL;
import static org.archipelago.peer.endpoint.NbdProtocol.ENOSPC;
import static org.archipelago.peer.endpoint.NbdProtocol.EPERM;
import static org.archipelago.peer.endpoint.NbdProtocol.PAYLOAD_MAX;
import static org.archipelago.peer.endpoint.NbdProtocol.REQUEST_MAGIC;
import static org.archipelago.peer.endpoint.NbdProtocol.REQUEST_SIZE;

import org.archipelago.xseg.Op;

/**
 * Reads requests and hands them to the composer, piece by piece and in the order in which they came.
 * At most one operation is not yet wholly handed out; the next header is looked at after it.
 *
 * <p>The data of a WRITE that came together with headers is copied from the receive buffer to its
 * piece; the rest is received straight into its piece.
 */
final class Receiver {
    /** The range of a piece without data ends at a multiple of this: whole blocks of a volume stay whole. */
    private static final long RANGE_MAX = 32L << 20;
    /** Pieces without data of one operation that the composer has at a time. */
    private static final int RANGES_AT_ONCE = 4;
    /** A WRITE with as much data is large. */
    private static final int LARGE = 64 << 10;
    /** Bytes received behind the data of a large WRITE: headers. */
    private static final int HEADERS = 512;
    /** Work of a connection before others have their turn: bytes, a piece counting for some more. */
    private static final int TURN = 2 << 20;
    private static final int PIECE_COST = 4096;

    private final Connection connection;
    private final Station station;
    private final ReceiveBuffer input;
    private boolean structured;
    private boolean extents;
    /** The last WRITE was large, so the next may be too: its data should not come into the receive buffer. */
    private boolean large;

    /** What has been handed out in part. */
    private Operation current;
    /** Its piece whose data is being received, and how much of that is there. */
    private Piece filling;
    private int filled;
    /** What is left of this turn. */
    private long turn;
    /** Data of a refused WRITE that is still to come. */
    private long unwanted;

    Receiver(Connection connection, Station station, ReceiveBuffer input) {
        this.connection = connection;
        this.station = station;
        this.input = input;
    }

    /** @param agreedExtents BLOCK_STATUS is allowed */
    void begin(boolean agreedStructured, boolean agreedExtents) {
        structured = agreedStructured;
        extents = agreedExtents;
    }

    /** The connection has its turn, until so much work is done that others should have theirs. */
    void beginTurn() {
        turn = TURN;
    }

    /** How much {@link #receive} asks for. */
    int wanted() {
        int room = input.makeRoom();
        if (filling == null) {
            return large ? Math.min(room, HEADERS) : room;
        }
        int beyond = current.left > filling.length ? 0 : large ? HEADERS : room;
        return (int) filling.length - filled + beyond;
    }

    /**
     * Receives once, after {@link #process} has looked at all that it could; as recv(2).
     *
     * @param wanted as {@link #wanted} said
     */
    long receive(int fd, int wanted) {
        if (filling == null) {
            return input.receive(fd, wanted);
        }
        int missing = (int) filling.length - filled;
        long got = input.receive(fd, station.vector(), filling.bufferAddress + filled, missing, wanted - missing);
        if (got > 0) {
            filled += (int) Math.min(got, missing);
        }
        return got;
    }

    /**
     * Goes through what was received.
     *
     * @return false where it must wait for something to be released or for its next turn (or the
     *     connection has ended)
     */
    boolean process() {
        while (connection.isServing()) {
            if (turn <= 0) {
                station.resume(connection);
                return false;
            }
            if (current != null) {
                boolean enough = current.command == CMD_WRITE ? fill() : handOut();
                if (!enough) {
                    return false;
                }
                if (current != null && turn > 0) {
                    return true; // a WRITE's data has yet to come
                }
            } else if (unwanted > 0) {
                int skipped = (int) Math.min(unwanted, input.available());
                input.start += skipped;
                unwanted -= skipped;
                if (unwanted > 0) {
                    return true;
                }
            } else if (input.available() < REQUEST_SIZE) {
                return true;
            } else if (connection.isStreaming() || connection.operations() >= station.settings().requestsPerConnection()) {
                return false;
            } else {
                readHeader();
            }
        }
        return false;
    }

    // --- headers

    private void readHeader() {
        int at = input.start;
        int magic = input.bytes.getInt(at);
        int flags = input.bytes.getShort(at + 4) & 0xffff;
        int command = input.bytes.getShort(at + 6) & 0xffff;
        long cookie = input.bytes.getLong(at + 8);
        long offset = input.bytes.getLong(at + 16);
        long length = Integer.toUnsignedLong(input.bytes.getInt(at + 24));
        if (magic != REQUEST_MAGIC) {
            connection.fail("what it sent is not a request: magic=0x" + Integer.toHexString(magic));
            return;
        }
        input.start += REQUEST_SIZE;
        if (command == CMD_DISC) {
            connection.end();
            return;
        }
        turn -= REQUEST_SIZE;
        Operation operation = station.takeOperation();
        connection.operationBegins();
        operation.begin(connection, command, cookie, form(command, flags),
            structured && (command == CMD_READ || command == CMD_BLOCK_STATUS));
        int error = check(command, flags, offset, length);
        if (error != 0) {
            unwanted = command == CMD_WRITE ? length : 0;
            operation.finish(error);
        } else if (length == 0 && command != CMD_FLUSH) {
            operation.finish(0);
        } else {
            operation.range(offset, command == CMD_FLUSH ? 1 : length);
            operation.op = op(command);
            operation.opFlags = opFlags(command, flags);
            operation.oneExtent = (flags & CMD_FLAG_REQ_ONE) != 0;
            large = command == CMD_WRITE && length >= LARGE;
            current = operation;
        }
    }

    /** NBD's error for a request that is refused at once, or 0. */
    private int check(int command, int flags, long offset, long length) {
        Export export = connection.export();
        boolean beyond = offset < 0 || offset > export.size() || length > export.size() - offset;
        int allowed = CMD_FLAG_FUA;
        int error = 0;
        switch (command) {
            case CMD_READ -> {
                allowed |= structured ? CMD_FLAG_DF : 0;
                error = beyond || length > PAYLOAD_MAX ? EINVAL : 0;
            }
            case CMD_WRITE -> error = export.readOnly() ? EPERM : length > PAYLOAD_MAX ? EINVAL : beyond ? ENOSPC : 0;
            case CMD_FLUSH -> error = offset != 0 || length != 0 ? EINVAL : 0;
            case CMD_TRIM -> error = export.readOnly() ? EPERM : beyond ? EINVAL : 0;
            case CMD_WRITE_ZEROES -> {
                allowed |= CMD_FLAG_NO_HOLE;
                error = export.readOnly() ? EPERM : beyond ? ENOSPC : 0;
            }
            case CMD_BLOCK_STATUS -> {
                allowed |= CMD_FLAG_REQ_ONE;
                error = !extents || length == 0 || beyond ? EINVAL : 0;
            }
            default -> error = EINVAL;
        }
        return (flags & ~allowed) != 0 ? EINVAL : error;
    }

    private Operation.Form form(int command, int flags) {
        return switch (command) {
            case CMD_READ -> structured && (flags & CMD_FLAG_DF) == 0 ? Operation.Form.CHUNKS : Operation.Form.WHOLE;
            case CMD_BLOCK_STATUS -> Operation.Form.EXTENTS;
            default -> Operation.Form.PLAIN;
        };
    }

    private static int op(int command) {
        return switch (command) {
            case CMD_READ -> Op.READ;
            case CMD_WRITE -> Op.WRITE;
            case CMD_FLUSH -> Op.FLUSH;
            case CMD_BLOCK_STATUS -> Op.STATUS;
            default -> Op.ZERO;
        };
    }

    private static int opFlags(int command, int flags) {
        return switch (command) {
            case CMD_WRITE -> fua(flags);
            case CMD_TRIM -> fua(flags) | Op.DISCARD;
            case CMD_WRITE_ZEROES -> fua(flags) | ((flags & CMD_FLAG_NO_HOLE) != 0 ? 0 : Op.DISCARD);
            default -> 0;
        };
    }

    private static int fua(int flags) {
        return (flags & CMD_FLAG_FUA) != 0 ? Op.FUA : 0;
    }

    // --- pieces

    /** Hands out what is left of an operation whose request brings no data; false where it must wait. */
    private boolean handOut() {
        Operation operation = current;
        while (current == operation && turn > 0) {
            Piece piece = nextPiece(operation);
            if (piece == null) {
                operation.memoryRanOut();
                return false;
            }
            submit(operation, piece);
            if (!connection.isServing()) {
                return false;
            }
        }
        return true;
    }

    private Piece nextPiece(Operation operation) {
        Piece piece;
        long most;
        switch (operation.command) {
            case CMD_READ -> {
                most = untilMultiple(operation, BufferArena.BLOCK_MAX);
                piece = station.takePiece(operation, (int) most);
                if (piece != null) {
                    most = Math.min(most, piece.capacity);
                }
            }
            case CMD_BLOCK_STATUS -> {
                most = operation.left;
                piece = station.takePiece(operation, Extents.ROOM);
            }
            default -> {
                most = untilMultiple(operation, RANGE_MAX);
                piece = operation.outstanding < RANGES_AT_ONCE ? station.takePiece(operation, 0) : null;
            }
        }
        if (piece != null) {
            piece.offset = operation.offset;
            piece.length = most;
        }
        return piece;
    }

    private static long untilMultiple(Operation operation, long unit) {
        return Math.min(operation.left, unit - operation.offset % unit);
    }

    /** Puts received data into the pieces of a WRITE; false where it must wait for memory. */
    private boolean fill() {
        Operation operation = current;
        while (current == operation && turn > 0) {
            if (filling == null) {
                long most = untilMultiple(operation, BufferArena.BLOCK_MAX);
                filling = station.takePiece(operation, (int) most);
                if (filling == null) {
                    return false;
                }
                filling.offset = operation.offset;
                filling.length = Math.min(most, filling.capacity);
                filled = 0;
            }
            int copied = (int) Math.min(filling.length - filled, input.available());
            if (copied > 0) {
                station.bytes().put(filling.page * BufferArena.PAGE + filled, input.bytes, input.start, copied);
                input.start += copied;
                filled += copied;
            }
            if (filled < filling.length) {
                return true;
            }
            Piece piece = filling;
            filling = null;
            submit(operation, piece);
            if (!connection.isServing()) {
                return false;
            }
        }
        return true;
    }

    /** The composer may answer, and the connection close, before this returns. */
    private void submit(Operation operation, Piece piece) {
        turn -= PIECE_COST + dataLength(operation, piece);
        operation.submitted(piece);
        if (operation.left == 0) {
            current = null;
        }
        boolean ranged = operation.op != Op.FLUSH;
        piece.request.op(operation.op).flags(operation.opFlags).target(connection.export().target())
            .range(ranged ? piece.offset : 0, ranged ? piece.length : 0)
            .data(piece.bufferAddress, dataLength(operation, piece));
        station.submit(piece);
    }

    private static long dataLength(Operation operation, Piece piece) {
        return switch (operation.op) {
            case Op.READ, Op.WRITE -> piece.length;
            case Op.STATUS -> Extents.ROOM;
            default -> 0;
        };
    }

    // --- the end

    void forget(Operation operation) {
        if (current == operation) {
            current = null;
        }
    }

    /** Nothing more is taken: an operation that was not wholly handed out is given up. */
    void drop() {
        Operation operation = current;
        Piece piece = filling;
        current = null;
        filling = null;
        unwanted = 0;
        if (piece != null) {
            station.release(piece);
        }
        if (operation != null) {
            operation.abandon();
        }
    }
}
