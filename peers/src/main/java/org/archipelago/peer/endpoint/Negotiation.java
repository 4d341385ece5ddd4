package org.archipelago.peer.endpoint;

import static org.archipelago.peer.endpoint.NbdProtocol.BASE_ALLOCATION;
import static org.archipelago.peer.endpoint.NbdProtocol.BASE_ALLOCATION_ID;
import static org.archipelago.peer.endpoint.NbdProtocol.BLOCK_MIN;
import static org.archipelago.peer.endpoint.NbdProtocol.BLOCK_PREFERRED;
import static org.archipelago.peer.endpoint.NbdProtocol.CLIENT_FLAGS_SIZE;
import static org.archipelago.peer.endpoint.NbdProtocol.FIXED_NEWSTYLE;
import static org.archipelago.peer.endpoint.NbdProtocol.GREETING_MAGIC;
import static org.archipelago.peer.endpoint.NbdProtocol.INFO_BLOCK_SIZE;
import static org.archipelago.peer.endpoint.NbdProtocol.INFO_EXPORT;
import static org.archipelago.peer.endpoint.NbdProtocol.INFO_NAME;
import static org.archipelago.peer.endpoint.NbdProtocol.NO_ZEROES;
import static org.archipelago.peer.endpoint.NbdProtocol.OPTION_MAGIC;
import static org.archipelago.peer.endpoint.NbdProtocol.OPTION_REPLY_MAGIC;
import static org.archipelago.peer.endpoint.NbdProtocol.OPTION_SIZE;
import static org.archipelago.peer.endpoint.NbdProtocol.OPT_ABORT;
import static org.archipelago.peer.endpoint.NbdProtocol.OPT_EXPORT_NAME;
import static org.archipelago.peer.endpoint.NbdProtocol.OPT_GO;
import static org.archipelago.peer.endpoint.NbdProtocol.OPT_INFO;
import static org.archipelago.peer.endpoint.NbdProtocol.OPT_LIST;
import static org.archipelago.peer.endpoint.NbdProtocol.OPT_LIST_META_CONTEXT;
import static org.archipelago.peer.endpoint.NbdProtocol.OPT_SET_META_CONTEXT;
import static org.archipelago.peer.endpoint.NbdProtocol.OPT_STRUCTURED_REPLY;
import static org.archipelago.peer.endpoint.NbdProtocol.PAYLOAD_MAX;
import static org.archipelago.peer.endpoint.NbdProtocol.REP_ACK;
import static org.archipelago.peer.endpoint.NbdProtocol.REP_ERR_INVALID;
import static org.archipelago.peer.endpoint.NbdProtocol.REP_ERR_POLICY;
import static org.archipelago.peer.endpoint.NbdProtocol.REP_ERR_SHUTDOWN;
import static org.archipelago.peer.endpoint.NbdProtocol.REP_ERR_TOO_BIG;
import static org.archipelago.peer.endpoint.NbdProtocol.REP_ERR_UNKNOWN;
import static org.archipelago.peer.endpoint.NbdProtocol.REP_ERR_UNSUP;
import static org.archipelago.peer.endpoint.NbdProtocol.REP_INFO;
import static org.archipelago.peer.endpoint.NbdProtocol.REP_META_CONTEXT;
import static org.archipelago.peer.endpoint.NbdProtocol.REP_SERVER;
import static org.archipelago.peer.endpoint.NbdProtocol.STRING_MAX;
import static org.archipelago.peer.endpoint.NbdProtocol.ZEROES;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.archipelago.posix.Errno;

/**
 * The handshake of one connection: option by option, the next one only when the reply to the last
 * has been sent, so that its replies need no more room than the connection's reserve, in which they
 * are written. Before a volume is described or chosen the composer is asked for its size.
 */
final class Negotiation {
    /** Longest data of an option that is looked at; more is skipped and refused. */
    private static final int OPTION_MAX = 16 << 10;
    /** More than this is not skipped: the connection ends. */
    private static final int SKIP_MAX = 1 << 20;
    /** Options of one client. */
    private static final int OPTIONS = 256;
    private static final int QUERIES = 64;
    private static final int MESSAGE_MAX = 1024;

    private enum Then { GO_ON, SERVE, END }

    /** What an option's data is not. */
    private static final class Malformed extends Exception {
        private static final long serialVersionUID = 1;

        Malformed(String message) {
            super(message, null, false, false);
        }
    }

    /** All replies to one option. */
    private final class Output extends Outgoing {
        Output() {
            super(new HeaderSlab(1), 0);
            noHeader();
        }

        @Override
        void gone() {
            sent();
        }
    }

    private final Connection connection;
    private final Station station;
    private final ReceiveBuffer input;
    private final Output output = new Output();
    private final ByteBuffer out;
    private final long outAddress;

    private boolean flagsSeen;
    private boolean zeroes;
    private boolean structured;
    private boolean extents;
    private int options;
    /** Bytes of an option's data to pass over, and the option. */
    private int skip;
    private int skipped;
    private boolean sending;
    private boolean asking;
    private Then then = Then.GO_ON;

    Negotiation(Connection connection, Station station, ReceiveBuffer input) {
        this.connection = connection;
        this.station = station;
        this.input = input;
        Piece reserve = station.reserve(connection.place());
        this.out = station.bytes().duplicate().order(java.nio.ByteOrder.BIG_ENDIAN)
            .position(reserve.page * BufferArena.PAGE).limit(reserve.page * BufferArena.PAGE + reserve.capacity);
        this.outAddress = reserve.bufferAddress;
        out.mark();
    }

    /** Sends the greeting. */
    void greet() {
        out.putLong(GREETING_MAGIC).putLong(OPTION_MAGIC).putShort((short) (FIXED_NEWSTYLE | NO_ZEROES));
        send(Then.GO_ON);
    }

    /** Goes through what was received; false where it must wait until its replies are sent or the composer answers. */
    boolean process() {
        while (connection.isNegotiating()) {
            if (sending || asking) {
                return false;
            }
            if (!flagsSeen) {
                if (input.available() < CLIENT_FLAGS_SIZE) {
                    return true;
                }
                readFlags();
            } else if (skip > 0) {
                if (!skip()) {
                    return true;
                }
            } else if (!readOption()) {
                return true;
            }
        }
        return false;
    }

    private void readFlags() {
        int flags = input.bytes.getInt(input.start);
        input.start += CLIENT_FLAGS_SIZE;
        flagsSeen = true;
        if ((flags & ~(FIXED_NEWSTYLE | NO_ZEROES)) != 0) {
            connection.fail("unknown flags of the client: 0x" + Integer.toHexString(flags));
        }
        zeroes = (flags & NO_ZEROES) == 0;
    }

    private boolean skip() {
        int count = Math.min(skip, input.available());
        input.start += count;
        skip -= count;
        if (skip > 0) {
            return false;
        }
        error(skipped, REP_ERR_TOO_BIG, "an option has at most " + OPTION_MAX + " bytes");
        return true;
    }

    /** False where the option has not wholly arrived. */
    private boolean readOption() {
        if (input.available() < OPTION_SIZE) {
            return false;
        }
        long magic = input.bytes.getLong(input.start);
        int option = input.bytes.getInt(input.start + 8);
        long length = Integer.toUnsignedLong(input.bytes.getInt(input.start + 12));
        if (magic != OPTION_MAGIC) {
            connection.fail("what it sent is not an option: magic=0x" + Long.toHexString(magic));
        } else if (length > SKIP_MAX) {
            connection.fail("an option of " + length + " bytes");
        } else if (options >= OPTIONS) {
            connection.fail("more than " + OPTIONS + " options");
        } else if (length > OPTION_MAX) {
            options++;
            input.start += OPTION_SIZE;
            skip = (int) length;
            skipped = option;
        } else if (input.available() < OPTION_SIZE + length) {
            return false;
        } else {
            options++;
            byte[] data = new byte[(int) length];
            input.bytes.get(input.start + OPTION_SIZE, data);
            input.start += OPTION_SIZE + data.length;
            handle(option, ByteBuffer.wrap(data));
        }
        return true;
    }

    private void handle(int option, ByteBuffer data) {
        try {
            switch (option) {
                case OPT_EXPORT_NAME -> exportName(data);
                case OPT_ABORT -> {
                    reply(option, REP_ACK, 0);
                    send(Then.END);
                }
                case OPT_LIST -> list(data);
                case OPT_INFO, OPT_GO -> info(option, data);
                case OPT_STRUCTURED_REPLY -> structuredReply(data);
                case OPT_LIST_META_CONTEXT, OPT_SET_META_CONTEXT -> metaContext(option, data);
                default -> error(option, REP_ERR_UNSUP, "this server does not know option " + Integer.toUnsignedString(option));
            }
        } catch (Malformed e) {
            error(option, REP_ERR_INVALID, e.getMessage());
        }
    }

    // --- options

    private void exportName(ByteBuffer data) {
        byte[] name = new byte[data.remaining()];
        data.get(name);
        if (!isServed(name)) {
            connection.fail("it asked for another volume");
            return;
        }
        ask((status, size, readOnly, message) -> {
            if (status != 0) {
                connection.fail("the composer refused: " + sentence(status, message));
                return;
            }
            out.putLong(size).putShort((short) flags());
            for (int i = 0; zeroes && i < ZEROES; i++) {
                out.put((byte) 0);
            }
            send(Then.SERVE);
        });
    }

    private void list(ByteBuffer data) throws Malformed {
        requireEnd(data);
        byte[] name = connection.export().nameBytes();
        reply(OPT_LIST, REP_SERVER, 4 + name.length);
        out.putInt(name.length).put(name);
        reply(OPT_LIST, REP_ACK, 0);
        send(Then.GO_ON);
    }

    private void structuredReply(ByteBuffer data) throws Malformed {
        requireEnd(data);
        if (!connection.allowsStructured()) {
            error(OPT_STRUCTURED_REPLY, REP_ERR_POLICY, "this socket has simple replies; a program that copies images finds "
                + "structured ones, and block status, on the volume's other socket");
            return;
        }
        structured = true;
        reply(OPT_STRUCTURED_REPLY, REP_ACK, 0);
        send(Then.GO_ON);
    }

    private void info(int option, ByteBuffer data) throws Malformed {
        byte[] name = string(data, "the volume's name");
        int count = require(data, 2, "the number of informations").getShort() & 0xffff;
        require(data, 2 * count, "the informations asked for");
        boolean wantsName = false;
        for (int i = 0; i < count; i++) {
            wantsName |= (data.getShort() & 0xffff) == INFO_NAME;
        }
        requireEnd(data);
        if (!isServed(name)) {
            unknown(option);
            return;
        }
        boolean tellsName = wantsName;
        ask((status, size, readOnly, message) -> {
            if (status != 0) {
                int type = status == Errno.ENOENT ? REP_ERR_UNKNOWN
                    : status == Errno.EPERM || status == Errno.EACCES ? REP_ERR_POLICY : REP_ERR_SHUTDOWN;
                error(option, type, sentence(status, message));
            } else {
                describe(option, size, tellsName);
            }
        });
    }

    private void describe(int option, long size, boolean tellsName) {
        reply(option, REP_INFO, 12);
        out.putShort((short) INFO_EXPORT).putLong(size).putShort((short) flags());
        if (tellsName) {
            byte[] name = connection.export().nameBytes();
            reply(option, REP_INFO, 2 + name.length);
            out.putShort((short) INFO_NAME).put(name);
        }
        reply(option, REP_INFO, 14);
        out.putShort((short) INFO_BLOCK_SIZE).putInt(BLOCK_MIN).putInt(BLOCK_PREFERRED).putInt(PAYLOAD_MAX);
        reply(option, REP_ACK, 0);
        send(option == OPT_GO ? Then.SERVE : Then.GO_ON);
    }

    private void metaContext(int option, ByteBuffer data) throws Malformed {
        boolean sets = option == OPT_SET_META_CONTEXT;
        if (sets) {
            extents = false;
        }
        if (!structured) {
            throw new Malformed("structured replies come first");
        }
        byte[] name = string(data, "the volume's name");
        int count = require(data, 4, "the number of queries").getInt();
        if (count < 0 || count > QUERIES) {
            throw new Malformed("at most " + QUERIES + " queries");
        }
        List<String> queries = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            queries.add(new String(string(data, "a query"), StandardCharsets.UTF_8));
        }
        requireEnd(data);
        if (!isServed(name)) {
            unknown(option);
            return;
        }
        boolean meant = queries.contains(BASE_ALLOCATION) || !sets && (queries.isEmpty() || queries.contains("base:"));
        if (sets) {
            extents = meant;
        }
        if (meant) {
            byte[] context = BASE_ALLOCATION.getBytes(StandardCharsets.US_ASCII);
            reply(option, REP_META_CONTEXT, 4 + context.length);
            out.putInt(sets ? BASE_ALLOCATION_ID : 0).put(context);
        }
        reply(option, REP_ACK, 0);
        send(Then.GO_ON);
    }

    // --- parts of options

    private static ByteBuffer require(ByteBuffer data, int bytes, String what) throws Malformed {
        if (data.remaining() < bytes) {
            throw new Malformed("the option ends before " + what);
        }
        return data;
    }

    private static byte[] string(ByteBuffer data, String what) throws Malformed {
        int length = require(data, 4, what).getInt();
        if (length < 0 || length > STRING_MAX) {
            throw new Malformed(what + " has more than " + STRING_MAX + " bytes");
        }
        byte[] bytes = new byte[length];
        require(data, length, "the end of " + what).get(bytes);
        return bytes;
    }

    private static void requireEnd(ByteBuffer data) throws Malformed {
        if (data.hasRemaining()) {
            throw new Malformed("the option has " + data.remaining() + " bytes too many");
        }
    }

    private boolean isServed(byte[] name) {
        return name.length == 0 || java.util.Arrays.equals(name, connection.export().nameBytes());
    }

    private int flags() {
        int flags = NbdProtocol.HAS_FLAGS | NbdProtocol.SEND_FLUSH | NbdProtocol.SEND_FUA | NbdProtocol.CAN_MULTI_CONN;
        flags |= connection.export().readOnly() ? NbdProtocol.READ_ONLY
            : NbdProtocol.SEND_TRIM | NbdProtocol.SEND_WRITE_ZEROES;
        return structured ? flags | NbdProtocol.SEND_DF : flags;
    }

    private static String sentence(int status, String message) {
        return message.isEmpty() ? Errno.text(status) : message;
    }

    /** Asks the composer about the volume; what it says reaches the asker while the client still waits. */
    private void ask(VolumeQuery.Asker asker) {
        asking = true;
        connection.questionBegins();
        station.query().ask(connection.export().target(), (status, size, readOnly, message) -> {
            asking = false;
            if (status == 0) {
                connection.export().update(size, readOnly);
            }
            if (connection.isNegotiating()) {
                asker.told(status, size, readOnly, message);
            }
            connection.questionOver();
        });
    }

    // --- replies

    private void unknown(int option) {
        error(option, REP_ERR_UNKNOWN, "this socket serves volume " + connection.export().volume());
    }

    private void error(int option, int type, String message) {
        byte[] text = message.getBytes(StandardCharsets.UTF_8);
        int length = Math.min(text.length, MESSAGE_MAX);
        reply(option, type, length);
        out.put(text, 0, length);
        send(Then.GO_ON);
    }

    /** Begins a reply whose data is put behind it. */
    private void reply(int option, int type, int length) {
        out.putLong(OPTION_REPLY_MAGIC).putInt(option).putInt(type).putInt(length);
    }

    private void send(Then afterwards) {
        then = afterwards;
        sending = true;
        int end = out.position();
        out.reset();
        output.data(outAddress, end - out.position());
        connection.send(output);
    }

    private void sent() {
        sending = false;
        switch (then) {
            case GO_ON -> { }
            case SERVE -> connection.serve(structured, extents);
            case END -> connection.end();
        }
        station.resume(connection);
    }
}
