package org.archipelago.peer.endpoint;

import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A client that says exactly what a test tells it to. Blocks; tests have time limits. */
final class NbdClient implements AutoCloseable {
    record OptionReply(int option, int type, byte[] data) {
        ByteBuffer buffer() {
            return ByteBuffer.wrap(data);
        }

        String text() {
            return new String(data, StandardCharsets.UTF_8);
        }
    }

    record Simple(int error, long cookie) {}

    record Chunk(boolean done, int type, long cookie, byte[] data) {
        ByteBuffer buffer() {
            return ByteBuffer.wrap(data);
        }
    }

    final SocketChannel channel;

    private NbdClient(SocketChannel channel) {
        this.channel = channel;
    }

    static NbdClient connect(Path socket) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(socket));
        return new NbdClient(channel);
    }

    /** A connection that has chosen the volume. */
    static NbdClient serving(Path socket, boolean structured) throws IOException {
        NbdClient client = connect(socket);
        client.greet();
        if (structured) {
            client.option(NbdProtocol.OPT_STRUCTURED_REPLY, new byte[0]);
            if (client.optionReply().type != NbdProtocol.REP_ACK) {
                throw new IOException("this socket has no structured replies");
            }
            client.option(NbdProtocol.OPT_SET_META_CONTEXT, metaData("", NbdProtocol.BASE_ALLOCATION));
            client.optionReply();
            client.optionReply();
        }
        client.option(NbdProtocol.OPT_GO, goData(""));
        while (client.optionReply().type != NbdProtocol.REP_ACK) {
            continue;
        }
        return client;
    }

    // --- raw

    void send(byte[]... parts) throws IOException {
        for (byte[] part : parts) {
            ByteBuffer buffer = ByteBuffer.wrap(part);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
        }
    }

    ByteBuffer receive(int bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(bytes);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new EOFException("the server closed after " + buffer.position() + " of " + bytes + " bytes");
            }
        }
        return buffer.flip();
    }

    /** Whether the server closes, without a further byte. */
    boolean isClosedByServer() throws IOException {
        try {
            return channel.read(ByteBuffer.allocate(1)) < 0;
        } catch (IOException e) {
            return true; // reset: there was unread input
        }
    }

    // --- handshake

    void greet() throws IOException {
        receive(NbdProtocol.GREETING_SIZE);
        send(flags(NbdProtocol.FIXED_NEWSTYLE | NbdProtocol.NO_ZEROES));
    }

    static byte[] flags(int flags) {
        return ByteBuffer.allocate(4).putInt(flags).array();
    }

    void option(int option, byte[] data) throws IOException {
        send(optionBytes(option, data));
    }

    static byte[] optionBytes(int option, byte[] data) {
        return ByteBuffer.allocate(16 + data.length).putLong(NbdProtocol.OPTION_MAGIC).putInt(option)
            .putInt(data.length).put(data).array();
    }

    OptionReply optionReply() throws IOException {
        ByteBuffer head = receive(NbdProtocol.OPTION_REPLY_SIZE);
        if (head.getLong() != NbdProtocol.OPTION_REPLY_MAGIC) {
            throw new IOException("not an option's reply");
        }
        int option = head.getInt();
        int type = head.getInt();
        return new OptionReply(option, type, receive(head.getInt()).array());
    }

    /** All replies to an option: the last one is an ACK or an error. */
    List<OptionReply> optionReplies() throws IOException {
        List<OptionReply> replies = new ArrayList<>();
        do {
            replies.add(optionReply());
        } while (replies.get(replies.size() - 1).type > NbdProtocol.REP_ACK);
        return replies;
    }

    static byte[] goData(String name, int... informations) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        ByteBuffer data = ByteBuffer.allocate(6 + bytes.length + 2 * informations.length)
            .putInt(bytes.length).put(bytes).putShort((short) informations.length);
        for (int information : informations) {
            data.putShort((short) information);
        }
        return data.array();
    }

    static byte[] metaData(String name, String... queries) {
        ByteBuffer data = ByteBuffer.allocate(4096);
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        data.putInt(bytes.length).put(bytes).putInt(queries.length);
        for (String query : queries) {
            byte[] text = query.getBytes(StandardCharsets.UTF_8);
            data.putInt(text.length).put(text);
        }
        return java.util.Arrays.copyOf(data.array(), data.position());
    }

    // --- transmission

    static byte[] requestBytes(int flags, int command, long cookie, long offset, long length) {
        return ByteBuffer.allocate(NbdProtocol.REQUEST_SIZE).putInt(NbdProtocol.REQUEST_MAGIC).putShort((short) flags)
            .putShort((short) command).putLong(cookie).putLong(offset).putInt((int) length).array();
    }

    void request(int flags, int command, long cookie, long offset, long length) throws IOException {
        send(requestBytes(flags, command, cookie, offset, length));
    }

    Simple simple() throws IOException {
        ByteBuffer head = receive(NbdProtocol.SIMPLE_REPLY_SIZE);
        if (head.getInt() != NbdProtocol.SIMPLE_REPLY_MAGIC) {
            throw new IOException("not a simple reply");
        }
        return new Simple(head.getInt(), head.getLong());
    }

    Chunk chunk() throws IOException {
        ByteBuffer head = receive(NbdProtocol.CHUNK_SIZE);
        if (head.getInt() != NbdProtocol.CHUNK_MAGIC) {
            throw new IOException("not a chunk");
        }
        boolean done = (head.getShort() & NbdProtocol.CHUNK_FLAG_DONE) != 0;
        int type = head.getShort() & 0xffff;
        long cookie = head.getLong();
        return new Chunk(done, type, cookie, receive(head.getInt()).array());
    }

    /** The error of a request that has no data; 0 is success. */
    int ask(int flags, int command, long offset, long length, byte[] data) throws IOException {
        send(requestBytes(flags, command, 7, offset, length), data);
        Simple reply = simple();
        if (reply.cookie != 7) {
            throw new IOException("the reply to something else: cookie=" + reply.cookie);
        }
        return reply.error;
    }

    int write(long offset, byte[] data) throws IOException {
        return ask(0, NbdProtocol.CMD_WRITE, offset, data.length, data);
    }

    /** Reads with simple replies; throws where the server refuses. */
    byte[] readSimple(long offset, int length) throws IOException {
        request(0, NbdProtocol.CMD_READ, 8, offset, length);
        Simple reply = simple();
        if (reply.error != 0 || reply.cookie != 8) {
            throw new IOException("refused: " + reply);
        }
        return receive(length).array();
    }

    /** Reads with structured replies; throws where the server refuses or leaves out a byte. */
    byte[] readStructured(int flags, long offset, int length) throws IOException {
        request(flags, NbdProtocol.CMD_READ, 9, offset, length);
        byte[] result = new byte[length];
        int missing = length;
        int data = 0;
        Chunk chunk;
        do {
            chunk = chunk();
            if (chunk.cookie != 9) {
                throw new IOException("the reply to something else: " + chunk);
            } else if (chunk.type == NbdProtocol.CHUNK_OFFSET_DATA) {
                long at = chunk.buffer().getLong() - offset;
                int count = chunk.data.length - 8;
                System.arraycopy(chunk.data, 8, result, Math.toIntExact(at), count);
                missing -= count;
                data++;
            } else if (chunk.type != NbdProtocol.CHUNK_NONE) {
                throw new IOException("refused: error=" + chunk.buffer().getInt());
            }
        } while (!chunk.done);
        if (missing != 0 || (flags & NbdProtocol.CMD_FLAG_DF) != 0 && data > 1) {
            throw new IOException(missing + " bytes missing, " + data + " chunks");
        }
        return result;
    }

    /** The extents of a range: pairs of length and flags. */
    List<int[]> extents(int flags, long offset, long length) throws IOException {
        request(flags, NbdProtocol.CMD_BLOCK_STATUS, 10, offset, length);
        Chunk chunk = chunk();
        ByteBuffer data = chunk.buffer();
        if (chunk.type != NbdProtocol.CHUNK_BLOCK_STATUS || !chunk.done || data.getInt() != NbdProtocol.BASE_ALLOCATION_ID) {
            throw new IOException("refused: type=" + chunk.type + " error=" + chunk.buffer().getInt());
        }
        List<int[]> extents = new ArrayList<>();
        while (data.hasRemaining()) {
            extents.add(new int[] {data.getInt(), data.getInt()});
        }
        return extents;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
