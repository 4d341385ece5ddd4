package org.archipelago.xseg;

import static org.archipelago.xseg.RequestDescriptor.COOKIE;
import static org.archipelago.xseg.RequestDescriptor.DATA_AT;
import static org.archipelago.xseg.RequestDescriptor.DATA_LENGTH;
import static org.archipelago.xseg.RequestDescriptor.DST;
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

/**
 * One operation on one target, travelling from port to port: a view of a request slot. Its fields lie
 * in the segment ({@link RequestDescriptor}), so a request is the same thing to the peer next door and
 * to one in another process.
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
        metadata.putInt(at + STATUS, status);
        responder.respond(this);
    }

    /** Answers with success and how many bytes were done, or what else the operation returns. */
    public void complete(long serviced) {
        metadata.putLong(at + SERVICED, serviced);
        complete(0);
    }

    /**
     * Answers a control operation with an errno and a sentence for people: what failed, on what, why,
     * who holds it, what to do. The sentence is cut to the room that the request's data has.
     */
    public void fail(int errno, String message) {
        byte[] text = message.getBytes(StandardCharsets.UTF_8);
        int length = (int) Math.min(text.length, dataLength());
        if (length > 0) {
            data().put(0, text, 0, length);
        }
        metadata.putLong(at + SERVICED, length);
        complete(errno);
    }

    /** Answers a control operation with a payload, which must fit. */
    public void reply(byte[] payload) {
        if (payload.length > dataLength()) {
            fail(org.archipelago.posix.Errno.EMSGSIZE,
                "the answer has " + payload.length + " bytes, the request has room for " + dataLength());
            return;
        }
        data().put(0, payload);
        complete((long) payload.length);
    }

    // --- what is asked

    public int op() {
        return metadata.getInt(at + OP);
    }

    public int flags() {
        return metadata.getInt(at + FLAGS);
    }

    public boolean has(int flag) {
        return (flags() & flag) != 0;
    }

    /** Bytes within the target. */
    public long offset() {
        return metadata.getLong(at + OFFSET);
    }

    /** Bytes asked for. */
    public long length() {
        return metadata.getLong(at + LENGTH);
    }

    public int destination() {
        return metadata.getInt(at + DST);
    }

    public Request destination(int port) {
        metadata.putInt(at + DST, port);
        return this;
    }

    public Request op(int op) {
        metadata.putInt(at + OP, op);
        metadata.putInt(at + FLAGS, 0);
        metadata.putInt(at + STATUS, 0);
        metadata.putLong(at + SERVICED, 0);
        return this;
    }

    public Request flags(int flags) {
        metadata.putInt(at + FLAGS, flags);
        return this;
    }

    public Request range(long offset, long length) {
        metadata.putLong(at + OFFSET, offset);
        metadata.putLong(at + LENGTH, length);
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

    /**
     * Whether what another process filled in can be worked on: its data lies between these positions of the segment,
     * and its target is padded as {@link Target} pads.
     */
    public boolean isSound(long dataFrom, long dataEnd) {
        long place = metadata.getLong(at + DATA_AT);
        long room = metadata.getLong(at + DATA_LENGTH);
        int length = metadata.getInt(at + TARGET_LENGTH);
        if (room < 0 || room > Integer.MAX_VALUE || room > 0 && (place < dataFrom || place > dataEnd - room)
                || length < 0 || length > Target.MAX) {
            return false;
        }
        int rest = length % 8;
        return rest == 0 || metadata.getLong(at + TARGET + length - rest) >>> 8 * rest == 0;
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
        return metadata.getInt(at + STATUS);
    }

    public long serviced() {
        return metadata.getLong(at + SERVICED);
    }

    public Request serviced(long bytes) {
        metadata.putLong(at + SERVICED, bytes);
        return this;
    }

    /** The owner's own number. */
    public long cookie() {
        return metadata.getLong(at + COOKIE);
    }

    public Request cookie(long cookie) {
        metadata.putLong(at + COOKIE, cookie);
        return this;
    }

    // --- its data

    /** Where the data lies in this process. */
    public long dataAddress() {
        return base + metadata.getLong(at + DATA_AT);
    }

    public long dataLength() {
        return metadata.getLong(at + DATA_LENGTH);
    }

    /** Points the request at a part of the segment, given by its address in this process. */
    public Request data(long address, long length) {
        metadata.putLong(at + DATA_AT, address - base);
        metadata.putLong(at + DATA_LENGTH, length);
        return this;
    }

    /** The data as a little-endian buffer, for small structures; allocates when the data moved. */
    public ByteBuffer data() {
        long place = metadata.getLong(at + DATA_AT);
        int length = Math.toIntExact(dataLength());
        if (place != dataViewAt || data.capacity() != length) {
            data = new Pointer(base + place).getByteBuffer(0, length).order(ByteOrder.LITTLE_ENDIAN);
            dataViewAt = place;
        }
        return data.clear();
    }

    /** A copy of the first bytes of the data. */
    public byte[] payload(int length) {
        byte[] bytes = new byte[Math.toIntExact(Math.max(0, Math.min(length, dataLength())))];
        if (bytes.length > 0) {
            data().get(0, bytes);
        }
        return bytes;
    }

    @Override
    public String toString() {
        return "request %d: %s %s offset=%d length=%d status=%d"
            .formatted(slot, Op.name(op()), target(), offset(), length(), status());
    }
}
