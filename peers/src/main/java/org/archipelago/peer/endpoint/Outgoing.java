package org.archipelago.peer.endpoint;

import static org.archipelago.peer.endpoint.NbdProtocol.CHUNK_BLOCK_STATUS;
import static org.archipelago.peer.endpoint.NbdProtocol.CHUNK_ERROR;
import static org.archipelago.peer.endpoint.NbdProtocol.CHUNK_FLAG_DONE;
import static org.archipelago.peer.endpoint.NbdProtocol.CHUNK_MAGIC;
import static org.archipelago.peer.endpoint.NbdProtocol.CHUNK_NONE;
import static org.archipelago.peer.endpoint.NbdProtocol.CHUNK_OFFSET_DATA;
import static org.archipelago.peer.endpoint.NbdProtocol.CHUNK_SIZE;
import static org.archipelago.peer.endpoint.NbdProtocol.SIMPLE_REPLY_MAGIC;
import static org.archipelago.peer.endpoint.NbdProtocol.SIMPLE_REPLY_SIZE;

import java.nio.ByteBuffer;

/**
 * Something on its way to a client: a header, which lies in this object's place of a
 * {@link HeaderSlab}, then data, which lies in the segment. Either may be empty. It is in at most
 * one {@link ReplyQueue}, which tells it when its bytes have gone.
 */
abstract class Outgoing {
    /** For the queue it stands in. */
    Outgoing next;
    int headerLength;
    long dataAddress;
    int dataLength;
    final long headerAddress;
    private final ByteBuffer header;
    private final int at;

    Outgoing(HeaderSlab slab, int place) {
        this.header = slab.bytes;
        this.at = place * HeaderSlab.SIZE;
        this.headerAddress = slab.address + at;
    }

    /** The kernel has taken all its bytes, or the connection is no more: its memory is free again. */
    abstract void gone();

    final void noHeader() {
        headerLength = 0;
    }

    final void noData() {
        dataLength = 0;
    }

    final void data(long address, int length) {
        dataAddress = address;
        dataLength = length;
    }

    final void simpleReply(long cookie, int error) {
        header.putInt(at, SIMPLE_REPLY_MAGIC);
        header.putInt(at + 4, error);
        header.putLong(at + 8, cookie);
        headerLength = SIMPLE_REPLY_SIZE;
    }

    /** The head of a chunk of data; length: of the data, which need not all be this object's. */
    final void dataChunk(boolean last, long cookie, long offset, long length) {
        chunk(last, CHUNK_OFFSET_DATA, cookie, 8 + length);
        header.putLong(at + CHUNK_SIZE, offset);
        headerLength = CHUNK_SIZE + 8;
    }

    /** The head of the last chunk of a BLOCK_STATUS; extents: bytes of (length, flags) that follow. */
    final void statusChunk(long cookie, int context, int extents) {
        chunk(true, CHUNK_BLOCK_STATUS, cookie, 4L + extents);
        header.putInt(at + CHUNK_SIZE, context);
        headerLength = CHUNK_SIZE + 4;
    }

    final void errorChunk(long cookie, int error) {
        chunk(true, CHUNK_ERROR, cookie, 6);
        header.putInt(at + CHUNK_SIZE, error);
        header.putShort(at + CHUNK_SIZE + 4, (short) 0);
        headerLength = CHUNK_SIZE + 6;
    }

    /** The chunk that ends a reply and says nothing. */
    final void emptyChunk(long cookie) {
        chunk(true, CHUNK_NONE, cookie, 0);
        headerLength = CHUNK_SIZE;
    }

    private void chunk(boolean last, int type, long cookie, long payload) {
        header.putInt(at, CHUNK_MAGIC);
        header.putShort(at + 4, (short) (last ? CHUNK_FLAG_DONE : 0));
        header.putShort(at + 6, (short) type);
        header.putLong(at + 8, cookie);
        header.putInt(at + 16, (int) payload);
    }
}
