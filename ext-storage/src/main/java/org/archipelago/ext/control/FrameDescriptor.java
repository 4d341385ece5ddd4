package org.archipelago.ext.control;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * How the C client and archipelagod talk over RUN/control.sock. The client begins with the eight
 * bytes of {@link #magic}; then both send frames:
 *
 * <pre>
 *   0      1          4              8
 *   +------+----------+--------------+----------------
 *   | type | 0  0  0  | length, LE   | payload: length bytes, at most 64 KiB
 *   +------+----------+--------------+----------------
 *
 *   client: P program   A argument   E NAME=value   W current directory
 *           T "stdin stdout stderr columns", decimal; 1 = a terminal
 *           G go                          (all of these once or more, in this order of meaning)
 *           o output of a verb            s status of a verb, u32 LE
 *   server: O to stdout   R to stderr   K still here
 *           V verb: words, a NUL between  X exit code, u32 LE: the last frame
 * </pre>
 */
public final class FrameDescriptor {
    public static final int HEAD = 8;
    public static final int PAYLOAD_MAX = 64 << 10;
    /** Most bytes that a client may send before G. */
    public static final int REQUEST_MAX = 1 << 20;
    /** Most arguments, and most variables. */
    public static final int WORDS_MAX = 256;

    static final byte PROGRAM = 'P';
    static final byte ARGUMENT = 'A';
    static final byte VARIABLE = 'E';
    static final byte DIRECTORY = 'W';
    static final byte TERMINAL = 'T';
    static final byte GO = 'G';
    static final byte VERB_OUTPUT = 'o';
    static final byte VERB_STATUS = 's';
    static final byte OUT = 'O';
    static final byte ERR = 'R';
    static final byte ALIVE = 'K';
    static final byte VERB = 'V';
    static final byte EXIT = 'X';

    private static final byte[] MAGIC = "ARCTL001".getBytes(StandardCharsets.US_ASCII);

    private FrameDescriptor() {}

    /** What a conversation begins with; the last three digits are the protocol's version. */
    static byte[] magic() {
        return MAGIC.clone();
    }

    /** A whole frame, ready to be sent. */
    static ByteBuffer frame(byte type, byte[] payload, int from, int length) {
        ByteBuffer frame = ByteBuffer.allocate(HEAD + length).order(ByteOrder.LITTLE_ENDIAN);
        return frame.put(type).put(new byte[3]).putInt(length).put(payload, from, length).flip();
    }

    static ByteBuffer frame(byte type, String payload) {
        byte[] bytes = payload.getBytes(StandardCharsets.UTF_8);
        return frame(type, bytes, 0, bytes.length);
    }

    static byte[] number(int value) {
        return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
    }

    /** The number in a payload of four bytes. */
    static int number(byte[] payload) {
        return ByteBuffer.wrap(payload).order(ByteOrder.LITTLE_ENDIAN).getInt();
    }
}
