package org.archipelago.ext.control;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * One client. The server's I/O thread reads and keeps it alive; the command's thread sends. What the
 * client does not take at once is queued, up to a bound, at which the sender waits.
 */
final class Connection {
    private static final int QUEUE_MAX = 512 << 10;
    private static final int ANSWERS_MAX = 16;
    private static final long STALL_NANOS = TimeUnit.SECONDS.toNanos(300);

    private final SocketChannel channel;
    private final SelectionKey key;
    private final FrameReader reader = new FrameReader(true);
    private final BlockingQueue<Frame> answers = new LinkedBlockingQueue<>(ANSWERS_MAX);
    private final long opened = System.nanoTime();
    private Invocation.Builder request = new Invocation.Builder();
    private boolean started;

    private final Deque<ByteBuffer> queue = new ArrayDeque<>();
    private int queued;
    private boolean finished;
    private boolean gone;
    private long lastSent = opened;

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

    int requestBytes() {
        return started ? 0 : request.bytes();
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
                request = new Invocation.Builder();
                started = true;
            } else {
                request.add(frame);
            }
        }
        return result;
    }

    private void answer(Frame frame) throws ProtocolException {
        boolean known = frame.type() == FrameDescriptor.VERB_OUTPUT
            || frame.type() == FrameDescriptor.VERB_STATUS && frame.payload().length == 4;
        if (!known || !answers.offer(frame)) {
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
            send(FrameDescriptor.frame(FrameDescriptor.ALIVE, ""));
        }
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

    synchronized boolean gone() {
        return gone;
    }

    /** Hands a frame to the client, or to the queue; waits while the queue is full. */
    synchronized void send(ByteBuffer frame) {
        long deadline = System.nanoTime() + STALL_NANOS;
        while (!gone && queued > 0 && queued + frame.remaining() > QUEUE_MAX) {
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0 || !waitFor(left)) {
                gone = true;
                wakeIo();
            }
        }
        if (gone || finished) {
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
        finished = true;
        wakeIo();
    }

    /** All is sent and there will be no more. */
    synchronized boolean over() {
        return gone || finished && queue.isEmpty();
    }

    private void wakeIo() {
        key.selector().wakeup();
    }

    /** The next frame that answers a verb; empty list when none came in that time. */
    List<Frame> nextAnswer(long millis) {
        try {
            Frame frame = answers.poll(millis, TimeUnit.MILLISECONDS);
            return frame == null ? List.of() : List.of(frame);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return List.of();
        }
    }
}
