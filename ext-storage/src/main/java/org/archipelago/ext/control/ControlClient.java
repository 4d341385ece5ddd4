package org.archipelago.ext.control;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The Java end of the conversation, for 'archipelago restart' and tests. Refuses verbs. */
public final class ControlClient {
    private static final int NO_VERBS = 77;

    private ControlClient() {}

    /** How a command ended: its exit code and what it printed, stdout and stderr together. */
    public record Result(int code, String output) {}

    /**
     * Asks for a command and waits for its end.
     *
     * @param silenceMillis longest time without a sign of life
     * @throws IOException where there is no daemon, or none that answers
     */
    public static Result call(Path socket, Invocation invocation, long silenceMillis) throws IOException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket)); Selector selector = Selector.open()) {
            try {
                request(channel, invocation);
            } catch (IOException e) {
                // it does not listen to the end: why not, it may have said before it closed the connection
            }
            channel.configureBlocking(false);
            channel.register(selector, SelectionKey.OP_READ);
            return converse(channel, selector, silenceMillis);
        }
    }

    private static void request(SocketChannel channel, Invocation invocation) throws IOException {
        send(channel, ByteBuffer.wrap(FrameDescriptor.magic()));
        send(channel, FrameDescriptor.frame(FrameDescriptor.PROGRAM, invocation.program()));
        for (String argument : invocation.arguments()) {
            send(channel, FrameDescriptor.frame(FrameDescriptor.ARGUMENT, argument));
        }
        for (var variable : invocation.environment().entrySet()) {
            send(channel, FrameDescriptor.frame(FrameDescriptor.VARIABLE, variable.getKey() + "=" + variable.getValue()));
        }
        send(channel, FrameDescriptor.frame(FrameDescriptor.DIRECTORY, invocation.directory().toString()));
        send(channel, FrameDescriptor.frame(FrameDescriptor.GO, ""));
    }

    private static Result converse(SocketChannel channel, Selector selector, long silenceMillis) throws IOException {
        FrameReader reader = new FrameReader(false);
        ByteBuffer buffer = ByteBuffer.allocate(FrameDescriptor.PAYLOAD_MAX);
        StringBuilder output = new StringBuilder();
        while (true) {
            long start = System.nanoTime();
            selector.select(silenceMillis);
            selector.selectedKeys().clear();
            int count = channel.read(buffer.clear());
            if (count < 0) {
                throw new IOException("archipelagod went away");
            }
            if (count == 0 && System.nanoTime() - start >= TimeUnit.MILLISECONDS.toNanos(silenceMillis)) {
                throw new IOException("archipelagod has not answered for " + silenceMillis / 1000 + " s");
            }
            for (Frame frame : frames(reader, buffer.flip())) {
                switch (frame.type()) {
                    case FrameDescriptor.OUT, FrameDescriptor.ERR -> output.append(frame.text());
                    case FrameDescriptor.VERB -> refuseVerb(channel);
                    case FrameDescriptor.EXIT -> {
                        return new Result(FrameDescriptor.number(frame.payload()), output.toString());
                    }
                    default -> { }
                }
            }
        }
    }

    private static List<Frame> frames(FrameReader reader, ByteBuffer bytes) throws IOException {
        try {
            return reader.take(bytes);
        } catch (ProtocolException e) {
            throw new IOException("archipelagod sent what is no frame: " + e.getMessage(), e);
        }
    }

    private static void refuseVerb(SocketChannel channel) throws IOException {
        byte[] status = FrameDescriptor.number(NO_VERBS);
        send(channel, FrameDescriptor.frame(FrameDescriptor.VERB_STATUS, status, 0, status.length));
    }

    private static void send(SocketChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
