package org.archipelago.ext.control;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.archipelago.ext.Console.VerbResult;

/**
 * One client. The server's I/O thread reads and keeps it alive; the command's thread sends. What the
 * client does not take at once is queued, up to a bound, at which the sender waits.
 */
final class Connection {
    private static final int QUEUE_MAX = 512 << 10;
    private static final long STALL_NANOS = TimeUnit.SECONDS.toNanos(300);

    private final SocketChannel channel;
    private final SelectionKey key;
    private final FrameReader reader = new FrameReader(true);
    private final long opened = System.nanoTime();
    private final Invocation.Builder request = new Invocation.Builder();
    private boolean started;

    private final Deque<ByteBuffer> queue = new ArrayDeque<>();
    private int queued;
    private boolean finished;
    private boolean gone;
    private long lastSent = opened;

    private boolean verbOut;
    private final ByteArrayOutputStream verbOutput = new ByteArrayOutputStream();
    private Optional<VerbResult> verbResult = Optional.empty();

    Connection(SocketChannel channel, SelectionKey key) {
        this.channel = channel;
        this.key = key;
    }

    // --- the I/O thread

    boolean started() {
        return started;
    }

    long opened() {
        return opened;
    }

    /** What it takes up: its request until the conversation is over, an unfinished frame, what it does not read. */
    synchronized int bytes() {
        return request.bytes() + reader.bytes() + queued;
    }

    /** What to do after bytes have come. */
    sealed interface Arrival {
        record More() implements Arrival {}

        record Go(Invocation invocation) implements Arrival {}

        record Gone() implements Arrival {}
    }

    /** Reads once. */
    Arrival read(ByteBuffer buffer) throws IOException, ProtocolException {
        buffer.clear();
        int count = channel.read(buffer);
        if (count < 0) {
            return new Arrival.Gone();
        }
        Arrival result = new Arrival.More();
        for (Frame frame : reader.take(buffer.flip())) {
            if (started) {
                answer(frame);
            } else if (frame.type() == FrameDescriptor.GO) {
                result = new Arrival.Go(request.build());
                started = true;
            } else {
                request.add(frame);
            }
        }
        return result;
    }

    private synchronized void answer(Frame frame) throws ProtocolException {
        if (verbOut && frame.type() == FrameDescriptor.VERB_OUTPUT) {
            if (verbOutput.size() + frame.payload().length > FrameDescriptor.PAYLOAD_MAX) {
                throw new ProtocolException("a verb printed more than " + FrameDescriptor.PAYLOAD_MAX + " bytes");
            }
            verbOutput.writeBytes(frame.payload());
        } else if (verbOut && frame.type() == FrameDescriptor.VERB_STATUS && frame.payload().length == 4) {
            verbResult = Optional.of(new VerbResult(FrameDescriptor.number(frame.payload()), verbOutput.toString(StandardCharsets.UTF_8)));
            verbOut = false;
            notifyAll();
        } else {
            throw new ProtocolException("an answer that nobody asked for");
        }
    }

    /** The client can take more; false when nothing is left and the conversation is over. */
    synchronized boolean flush() throws IOException {
        while (!queue.isEmpty()) {
            ByteBuffer first = queue.peek();
            int written = channel.write(first);
            queued -= written;
            if (written > 0) {
                lastSent = System.nanoTime();
            }
            if (first.hasRemaining()) {
                return true;
            }
            queue.poll();
        }
        key.interestOps(SelectionKey.OP_READ);
        notifyAll();
        return !finished;
    }

    /** Tells the client that it is not forgotten, if it has heard nothing for that long. */
    synchronized void keepAlive(long now, long quietNanos) {
        if (started && !finished && queue.isEmpty() && now - lastSent >= quietNanos) {
            put(FrameDescriptor.frame(FrameDescriptor.ALIVE, ""));
        }
    }

    /**
     * Tells the client, before the command does anything, that it begins: a client that has heard nothing
     * when the daemon ends asks the next one.
     */
    synchronized void begins() {
        put(FrameDescriptor.frame(FrameDescriptor.ALIVE, ""));
    }

    /** The last frames, from the thread that never waits: whatever the queue holds, these few bytes find room. */
    synchronized void refuse(ByteBuffer why, ByteBuffer exit) {
        put(why);
        end(exit);
    }

    synchronized void close() {
        gone = true;
        notifyAll();
        key.cancel();
        try {
            channel.close();
        } catch (IOException e) {
            System.getLogger(Connection.class.getName()).log(System.Logger.Level.DEBUG, "closing a connection", e);
        }
    }

    // --- any thread

    /** Nobody waits for a result any more. */
    synchronized boolean gone() {
        return gone || finished;
    }

    /** Hands a frame to the client, or to the queue; waits while the queue is full. */
    synchronized void send(ByteBuffer frame) {
        long deadline = System.nanoTime() + STALL_NANOS;
        while (!gone() && queued > 0 && queued + frame.remaining() > QUEUE_MAX) {
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0 || !waitFor(left)) {
                gone = true;
                wakeIo();
            }
        }
        put(frame);
    }

    private void put(ByteBuffer frame) {
        if (gone()) {
            return;
        }
        try {
            if (queue.isEmpty()) {
                channel.write(frame);
                lastSent = System.nanoTime();
            }
        } catch (IOException e) {
            gone = true; // the I/O thread sees the end of the stream and closes
            return;
        }
        if (frame.hasRemaining()) {
            queued += frame.remaining();
            queue.add(frame);
            key.interestOps(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
            wakeIo();
        }
    }

    private boolean waitFor(long millis) {
        try {
            wait(millis);
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** The last frame: the connection is closed once it is out. */
    synchronized void finish(ByteBuffer frame) {
        send(frame);
        end(ByteBuffer.allocate(0));
    }

    private void end(ByteBuffer frame) {
        put(frame);
        finished = true;
        notifyAll();
        wakeIo();
    }

    /** All is sent, or not taken, and there will be no more. */
    synchronized boolean over() {
        return gone || finished && (queue.isEmpty() || System.nanoTime() - lastSent > STALL_NANOS);
    }

    private void wakeIo() {
        key.selector().wakeup();
    }

    /** Asks for a verb, waits as long as the client takes for it; empty where the client has gone. */
    synchronized Optional<VerbResult> ask(ByteBuffer verb) throws InterruptedException {
        verbOutput.reset();
        verbResult = Optional.empty();
        verbOut = true;
        send(verb);
        while (verbResult.isEmpty() && !gone()) {
            wait();
        }
        return verbResult;
    }
}
