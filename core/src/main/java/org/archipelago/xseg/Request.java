package org.archipelago.xseg;

import static org.archipelago.xseg.RequestDescriptor.DATA_AT;
import static org.archipelago.xseg.RequestDescriptor.DATA_LENGTH;
import static org.archipelago.xseg.RequestDescriptor.FLAGS;
import static org.archipelago.xseg.RequestDescriptor.LENGTH;
import static org.archipelago.xseg.RequestDescriptor.OFFSET;
import static org.archipelago.xseg.RequestDescriptor.OP;
import static org.archipelago.xseg.RequestDescriptor.SERVICED;
import static org.archipelago.xseg.RequestDescriptor.STATUS;
import static org.archipelago.xseg.RequestDescriptor.TARGET;
import static org.archipelago.xseg.RequestDescriptor.TARGET_LENGTH;

import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.archipelago.posix.Errno;

/**
 * One operation on one target, travelling from port to port, in a request slot of the segment
 * ({@link RequestDescriptor}). It is the same thing to the peer next door and to one in another process.
 *
 * <p>What is asked and what came of it stand in this object while a process has the request, and are
 * written to the slot when it leaves through a ring, read from it when it comes ({@link #publish} and
 * {@link #load}, {@link #publishAnswer} and {@link #back}). So what was checked once stays as it
 * was checked, whatever another process scribbles. The target and the data lie in the segment alone.
 *
 * <p>Life: its owner fills it in and submits it; the peer that accepts it reads it, works, sets the
 * results and calls {@link #complete}; from then on it is the owner's again. At any moment one thread
 * holds it, and handing it over is what orders their accesses.
 */
public final class Request {
    private final ByteBuffer metadata;
    private final long base;
    private final int at;
    private final int slot;
    private final boolean foreign;
    private final Responder responder;

    private int op;
    private int flags;
    private long offset;
    private long length;
    private long dataAt;
    private long dataLength;
    private int destination;
    private int status;
    private long serviced;
    private long cookie;
    private boolean held;
    private boolean away;

    private Completion completion = request -> { };
    private ByteBuffer data;
    private long dataViewAt = -1;

    /** For the queue that the request stands in; whoever holds the request owns the field. */
    public Request next;

    /**
     * @param metadata little-endian view of the segment's metadata
     * @param base address of the segment in this process
     * @param at position of the slot, bytes from the segment's start
     * @param slot the slot's number
     * @param foreign it belongs to another process
     * @param responder carries the answer back
     */
    public Request(ByteBuffer metadata, long base, int at, int slot, boolean foreign, Responder responder) {
        this.metadata = metadata;
        this.base = base;
        this.at = at;
        this.slot = slot;
        this.foreign = foreign;
        this.responder = responder;
    }

    // --- through a ring

    /** Writes to the slot what is asked, for another process. */
    public void publish() {
        metadata.putInt(at + OP, op);
        metadata.putInt(at + FLAGS, flags);
        metadata.putLong(at + OFFSET, offset);
        metadata.putLong(at + LENGTH, length);
        metadata.putLong(at + DATA_AT, dataAt);
        metadata.putLong(at + DATA_LENGTH, dataLength);
    }

    /** It is on its way to another process. */
    public void left() {
        away = true;
    }

    /** Whether another process has it. */
    public boolean isAway() {
        return away;
    }

    /** No answer will come from where it went. */
    public void recall() {
        away = false;
    }

    /** Reads from the slot what came of it; false where it had not left. */
    public boolean back() {
        boolean was = away;
        away = false;
        if (was) {
            status = metadata.getInt(at + STATUS);
            serviced = metadata.getLong(at + SERVICED);
            if (status != Errno.EOWNERDEAD) {
                length = metadata.getLong(at + LENGTH); // else it is what was asked, and may be asked again
            }
        }
        return was;
    }

    /**
     * Reads from the slot what another process asks; from here on this process holds it, until it answers.
     *
     * @param port that it came to
     * @param dataFrom where data may begin, bytes from the segment's start; dataEnd: where it must end
     * @return whether it can be worked on: its data lies there, and its target is padded as {@link Target} pads
     */
    public boolean load(int port, long dataFrom, long dataEnd) {
        held = true;
        destination = port;
        op = metadata.getInt(at + OP);
        flags = metadata.getInt(at + FLAGS);
        offset = metadata.getLong(at + OFFSET);
        length = metadata.getLong(at + LENGTH);
        dataAt = metadata.getLong(at + DATA_AT);
        dataLength = metadata.getLong(at + DATA_LENGTH);
        status = 0;
        serviced = 0;
        int named = metadata.getInt(at + TARGET_LENGTH);
        boolean placed = dataLength == 0 || dataLength > 0 && dataLength <= Integer.MAX_VALUE && dataAt >= dataFrom
            && dataAt <= dataEnd - dataLength;
        if (!placed || named < 0 || named > Target.MAX) {
            dataLength = 0;
            return false;
        }
        int rest = named % 8;
        return rest == 0 || metadata.getLong(at + TARGET + named - rest) >>> 8 * rest == 0;
    }

    /** Writes to the slot what came of it; false where it has been answered already. */
    public boolean publishAnswer() {
        boolean first = held;
        held = false;
        if (first) {
            metadata.putInt(at + STATUS, status);
            metadata.putLong(at + SERVICED, serviced);
            metadata.putLong(at + LENGTH, length);
        }
        return first;
    }

    /** Whether another process waits for this one's answer. */
    public boolean isHeld() {
        return held;
    }

    /** Whether it came out of a ring, from a process that may have begun after this one. */
    public boolean isForeign() {
        return foreign;
    }

    public int slot() {
        return slot;
    }

    /** Who is told of the answer; set by the owner before it submits. */
    public Request onCompletion(Completion completion) {
        this.completion = completion;
        return this;
    }

    /** For the owner's reactor alone: runs what the owner asked for. */
    public void runCompletion() {
        completion.completed(this);
    }

    /** Answers the request: 0 or a positive errno. The caller must not touch it any more. */
    public void complete(int status) {
        this.status = status;
        responder.respond(this);
    }

    /** Answers with success and how many bytes were done, or what else the operation returns. */
    public void complete(long serviced) {
        this.serviced = serviced;
        complete(0);
    }

    /**
     * Answers a control operation with an errno and a sentence for people: what failed, on what, why,
     * who holds it, what to do. The sentence is cut to the room that the request's data has.
     */
    public void fail(int errno, String message) {
        byte[] text = message.getBytes(StandardCharsets.UTF_8);
        int said = (int) Math.min(text.length, dataLength);
        if (said > 0) {
            data().put(0, text, 0, said);
        }
        serviced = said;
        complete(errno);
    }

    /** Answers a control operation with a payload, which must fit. */
    public void reply(byte[] payload) {
        if (payload.length > dataLength) {
            fail(Errno.EMSGSIZE,
                "the answer has " + payload.length + " bytes, the request has room for " + dataLength);
            return;
        }
        data().put(0, payload);
        complete((long) payload.length);
    }

    // --- what is asked

    public int op() {
        return op;
    }

    public int flags() {
        return flags;
    }

    public boolean has(int flag) {
        return (flags & flag) != 0;
    }

    /** Bytes within the target. */
    public long offset() {
        return offset;
    }

    /** Bytes asked for. */
    public long length() {
        return length;
    }

    public int destination() {
        return destination;
    }

    public Request destination(int port) {
        destination = port;
        return this;
    }

    public Request op(int op) {
        this.op = op;
        flags = 0;
        status = 0;
        serviced = 0;
        return this;
    }

    public Request flags(int flags) {
        this.flags = flags;
        return this;
    }

    public Request range(long offset, long length) {
        this.offset = offset;
        this.length = length;
        return this;
    }

    public Request target(Target target) {
        target.write(metadata, at + TARGET_LENGTH, at + TARGET);
        return this;
    }

    /** Takes a name that lies in a buffer, zero padded to whole words; allocates nothing. */
    public Request target(ByteBuffer from, int nameAt, int length) {
        metadata.putInt(at + TARGET_LENGTH, length);
        for (int i = 0; i < length; i += 8) {
            metadata.putLong(at + TARGET + i, from.getLong(nameAt + i));
        }
        return this;
    }

    /** Takes the name of another request's target. */
    public Request targetOf(Request other) {
        return target(other.metadata, other.at + TARGET, Math.max(0, Math.min(other.metadata.getInt(other.at + TARGET_LENGTH), Target.MAX)));
    }

    /** Whether it names a target at all. */
    public boolean hasTarget() {
        int length = metadata.getInt(at + TARGET_LENGTH);
        return length > 0 && length <= Target.MAX;
    }

    public boolean targets(Target target) {
        return target.matches(metadata, at + TARGET_LENGTH, at + TARGET);
    }

    /** Equal to the {@code hashCode} of an equal {@link Target}. */
    public int targetHash() {
        return Target.hash(metadata, at + TARGET_LENGTH, at + TARGET);
    }

    /** Allocates; the data path uses {@link #targets} and {@link #targetHash}. */
    public String target() {
        int length = Math.max(0, Math.min(metadata.getInt(at + TARGET_LENGTH), Target.MAX));
        byte[] bytes = new byte[length];
        metadata.get(at + TARGET, bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    // --- what came of it

    /** 0 or a positive errno. */
    public int status() {
        return status;
    }

    public long serviced() {
        return serviced;
    }

    public Request serviced(long bytes) {
        serviced = bytes;
        return this;
    }

    /** The owner's own number. */
    public long cookie() {
        return cookie;
    }

    public Request cookie(long cookie) {
        this.cookie = cookie;
        return this;
    }

    // --- its data

    /** Where the data lies in this process. */
    public long dataAddress() {
        return base + dataAt;
    }

    public long dataLength() {
        return dataLength;
    }

    /** Points the request at a part of the segment, given by its address in this process. */
    public Request data(long address, long length) {
        dataAt = address - base;
        dataLength = length;
        return this;
    }

    /** The request has no data: nor what it pointed at before, which may be gone. */
    public Request noData() {
        dataAt = 0;
        dataLength = 0;
        return this;
    }

    /** The data as a little-endian buffer, for small structures; allocates when the data moved. */
    public ByteBuffer data() {
        int room = Math.toIntExact(dataLength);
        if (dataAt != dataViewAt || data.capacity() != room) {
            data = new Pointer(base + dataAt).getByteBuffer(0, room).order(ByteOrder.LITTLE_ENDIAN);
            dataViewAt = dataAt;
        }
        return data.clear();
    }

    /** A copy of the first bytes of the data. */
    public byte[] payload(int length) {
        byte[] bytes = new byte[Math.toIntExact(Math.max(0, Math.min(length, dataLength)))];
        if (bytes.length > 0) {
            data().get(0, bytes);
        }
        return bytes;
    }

    @Override
    public String toString() {
        return "request %d: %s %s offset=%d length=%d status=%d"
            .formatted(slot, Op.name(op()), target().replaceAll("\\p{Cntrl}", "?"), offset(), length(), status());
    }
}
