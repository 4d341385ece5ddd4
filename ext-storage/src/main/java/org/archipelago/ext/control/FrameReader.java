package org.archipelago.ext.control;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.ArrayList;

/** Cuts a stream of bytes into frames. Holds one unfinished frame, in at most twice the bytes that have come of it. */
final class FrameReader {
    private final ByteBuffer head = ByteBuffer.allocate(FrameDescriptor.HEAD).order(ByteOrder.LITTLE_ENDIAN);
    private byte[] payload = new byte[0];
    private int length;
    private int filled;
    private boolean inPayload;
    private boolean magicPending;

    /** @param expectMagic the stream begins with the protocol's magic */
    FrameReader(boolean expectMagic) {
        this.magicPending = expectMagic;
    }

    /** Takes all of the bytes; returns the frames that are complete now. */
    List<Frame> take(ByteBuffer bytes) throws ProtocolException {
        List<Frame> frames = new ArrayList<>();
        while (bytes.hasRemaining()) {
            if (!inPayload) {
                takeHead(bytes);
            }
            if (inPayload) {
                takePayload(bytes);
                if (filled == length) {
                    frames.add(new Frame(head.get(0), payload));
                    payload = new byte[0];
                    inPayload = false;
                    head.clear();
                }
            }
        }
        return frames;
    }

    /** Bytes that the unfinished frame takes up. */
    int bytes() {
        return payload.length;
    }

    /** A head alone takes up nothing: the payload grows with what comes. */
    private void takePayload(ByteBuffer bytes) {
        int count = Math.min(bytes.remaining(), length - filled);
        if (filled + count > payload.length) {
            payload = Arrays.copyOf(payload, Math.min(length, Math.max(filled + count, 2 * payload.length)));
        }
        bytes.get(payload, filled, count);
        filled += count;
    }

    private void takeHead(ByteBuffer bytes) throws ProtocolException {
        while (head.hasRemaining() && bytes.hasRemaining()) {
            head.put(bytes.get());
        }
        if (head.hasRemaining()) {
            return;
        }
        if (magicPending) {
            if (!Arrays.equals(head.array(), FrameDescriptor.magic())) {
                throw new ProtocolException("this is no client of this version of Archipelago");
            }
            magicPending = false;
            head.clear();
            return;
        }
        length = head.getInt(4);
        if (head.get(1) != 0 || head.get(2) != 0 || head.get(3) != 0 || length < 0 || length > FrameDescriptor.PAYLOAD_MAX) {
            throw new ProtocolException("no frame: type " + (head.get(0) & 0xff) + ", length " + Integer.toUnsignedString(length)
                + ", " + FrameDescriptor.PAYLOAD_MAX + " is the limit");
        }
        filled = 0;
        inPayload = true;
    }
}
