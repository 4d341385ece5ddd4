package org.archipelago.ext.control;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;

/**
 * Serves the control socket: one thread reads from all clients, a bounded pool runs their commands, and another those of the
 * program archipelago, so that status and stop work however long others take.
 * What comes from a client is hostile until checked, and everything that a client can take up is bounded.
 */
public final class ControlServer implements AutoCloseable {
    /** Runs a command to its end. */
    @FunctionalInterface
    public interface Handler {
        ExitCode handle(Invocation invocation, Console console);
    }

    /**
     * How much clients can take up.
     *
     * @param commands that run at a time
     * @param waiting commands that wait for one to end
     * @param waitMillis that a command waits at most
     * @param connections in all
     * @param requestMillis until the whole request must be there
     * @param keepAliveMillis after which a client that heard nothing is told that it is not forgotten
     */
    record Limits(int commands, int waiting, long waitMillis, int connections, long requestMillis, long keepAliveMillis) {
        static Limits usual() {
            return new Limits(16, 64, 30_000, 256, 10_000, 4000);
        }
    }

    /** Longest path of a Unix socket, bytes. */
    public static final int PATH_MAX = 107;

    private static final System.Logger LOG = System.getLogger(ControlServer.class.getName());
    private static final String ADMINISTRATION = "archipelago";
    private static final int BACKLOG = 128;
    private static final int BYTES_MAX = 12 << 20;
    private static final long TICK_MILLIS = 500;
    private static final long CLOSE_MILLIS = 10_000;
    private static final long DRAIN_NANOS = TimeUnit.SECONDS.toNanos(2);

    private final Path path;
    private final Handler handler;
    private final Limits limits;
    private final ServerSocketChannel listener;
    private final Selector selector;
    private final ThreadPoolExecutor commands;
    private final ThreadPoolExecutor administration;
    private final List<Connection> connections = new ArrayList<>();
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(64 << 10);
    private final Thread thread = new Thread(this::run, "control");
    private volatile boolean closing;
    private volatile boolean ending;
    private volatile long terminated;

    /** Listens; a socket that lies there is taken to be a left-over. Clients are served after {@link #start}. */
    public ControlServer(Path path, Handler handler) throws IOException {
        this(path, handler, Limits.usual());
    }

    ControlServer(Path path, Handler handler, Limits limits) throws IOException {
        if (path.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8).length > PATH_MAX) {
            throw new IOException(path + ": the path of a socket has at most " + PATH_MAX + " bytes: choose a shorter folder");
        }
        this.path = path;
        this.handler = handler;
        this.limits = limits;
        this.commands = pool("command-");
        this.administration = pool("administration-");
        this.selector = Selector.open();
        Files.deleteIfExists(path);
        this.listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listener.bind(UnixDomainSocketAddress.of(path), BACKLOG);
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-rw----"));
        listener.configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
    }

    private ThreadPoolExecutor pool(String name) {
        AtomicInteger number = new AtomicInteger();
        ThreadPoolExecutor pool = new ThreadPoolExecutor(limits.commands, limits.commands, 60, TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(limits.waiting), task -> new Thread(task, name + number.incrementAndGet()));
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }

    public void start() {
        thread.start();
    }

    /** A command, and since when it waits for a thread. */
    private final class Order implements Runnable {
        private final Connection connection;
        private final Invocation invocation;
        private final long since = System.nanoTime();

        private Order(Connection connection, Invocation invocation) {
            this.connection = connection;
            this.invocation = invocation;
        }

        @Override
        public void run() {
            handle(connection, invocation);
        }
    }

    private void run() {
        long lastTick = System.nanoTime();
        while (!ended()) {
            try {
                selector.select(this::ready, TICK_MILLIS);
                connections.removeIf(this::closeIfOver);
                long now = System.nanoTime();
                if (now - lastTick >= TimeUnit.MILLISECONDS.toNanos(TICK_MILLIS)) {
                    lastTick = now;
                    tick(now);
                }
            } catch (IOException | RuntimeException e) {
                LOG.log(Level.ERROR, "a defect in the control socket's server: it goes on", e);
                pause();
            }
        }
        connections.forEach(Connection::close);
    }

    /** All commands have ended, and the clients have what these said, or do not take it. */
    private boolean ended() {
        return ending
            && (connections.stream().noneMatch(Connection::started) || System.nanoTime() - terminated > DRAIN_NANOS);
    }

    private boolean closeIfOver(Connection connection) {
        boolean over = connection.over();
        if (over) {
            connection.close();
        }
        return over;
    }

    private void tick(long now) {
        for (Connection connection : connections) {
            if (!connection.started() && now - connection.opened() > TimeUnit.MILLISECONDS.toNanos(limits.requestMillis)) {
                refuse(connection, ExitCode.TIMED_OUT, "no request came within " + limits.requestMillis + " ms");
            } else {
                connection.keepAlive(now, TimeUnit.MILLISECONDS.toNanos(limits.keepAliveMillis));
            }
        }
        sendAway(commands, now);
        sendAway(administration, now);
    }

    private void sendAway(ThreadPoolExecutor pool, long now) {
        long patience = TimeUnit.MILLISECONDS.toNanos(limits.waitMillis);
        for (Runnable waiting : pool.getQueue()) {
            if (waiting instanceof Order order && now - order.since > patience && pool.remove(order)) {
                refuse(order.connection, ExitCode.TRY_AGAIN, "archipelagod is busy: the command has waited " + limits.waitMillis / 1000
                    + " s for one of " + limits.commands + " others to end; repeat it");
            }
        }
    }

    private void ready(SelectionKey key) {
        if (key.isValid() && key.isAcceptable()) {
            accept();
        }
        if (key.attachment() instanceof Connection connection) {
            serve(connection, key);
        }
    }

    private void accept() {
        try {
            SocketChannel channel = listener.accept();
            if (channel == null) {
                return;
            }
            channel.configureBlocking(false);
            SelectionKey key = channel.register(selector, SelectionKey.OP_READ);
            Connection connection = new Connection(channel, key);
            key.attach(connection);
            connections.add(connection);
            if (connections.size() > limits.connections) {
                refuse(connection, ExitCode.TRY_AGAIN, "archipelagod has " + limits.connections + " clients, which is the most; repeat the command");
            }
        } catch (IOException e) {
            LOG.log(Level.WARNING, "a client could not be accepted: {0}", e.getMessage());
            pause();
        }
    }

    /** After what may go wrong again at once, such as a lack of descriptors: does not spin. */
    private static void pause() {
        try {
            Thread.sleep(20);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void serve(Connection connection, SelectionKey key) {
        try {
            if (key.isValid() && key.isWritable() && !connection.flush()) {
                connection.close();
                return;
            }
            if (key.isValid() && key.isReadable()) {
                boolean asking = !connection.started();
                Connection.Arrival arrival = connection.read(buffer);
                if (arrival instanceof Connection.Arrival.Gone) {
                    connection.close();
                } else if (asking && connections.stream().mapToInt(Connection::bytes).sum() > BYTES_MAX) {
                    refuse(connection, ExitCode.TRY_AGAIN, "too many requests at once; repeat the command");
                } else if (arrival instanceof Connection.Arrival.Go go) {
                    dispatch(connection, go.invocation());
                }
            }
        } catch (ProtocolException e) {
            LOG.log(Level.INFO, "a client was refused: {0}", e.getMessage());
            refuse(connection, ExitCode.USAGE, e.getMessage());
        } catch (IOException e) {
            connection.close();
        }
    }

    private void dispatch(Connection connection, Invocation invocation) {
        if (closing) {
            refuse(connection, ExitCode.TRY_AGAIN, "archipelagod is stopping");
            return;
        }
        try {
            (invocation.program().equals(ADMINISTRATION) ? administration : commands).execute(new Order(connection, invocation));
        } catch (RejectedExecutionException e) {
            LOG.log(Level.WARNING, "a client was refused: too many commands");
            refuse(connection, ExitCode.TRY_AGAIN, "archipelagod is busy: " + limits.commands + " commands run and "
                + limits.waiting + " wait, which is the most; repeat the command");
        }
    }

    private void handle(Connection connection, Invocation invocation) {
        ExitCode code = ExitCode.FAILED;
        try {
            connection.begins();
            if (!connection.gone()) {
                code = handler.handle(invocation, new ClientConsole(connection, invocation));
            }
        } finally {
            connection.finish(exit(code));
        }
    }

    /** On the I/O thread. */
    private void refuse(Connection connection, ExitCode code, String why) {
        connection.refuse(FrameDescriptor.frame(FrameDescriptor.ERR, "archipelagod: " + why + "\n"), exit(code));
    }

    private static ByteBuffer exit(ExitCode code) {
        byte[] number = FrameDescriptor.number(code.number());
        return FrameDescriptor.frame(FrameDescriptor.EXIT, number, 0, number.length);
    }

    /** Takes no more clients, lets the commands at hand end, within a bound, and removes the socket. */
    @Override
    public void close() {
        closing = true;
        try {
            listener.close();
            Files.deleteIfExists(path);
            administration.shutdown();
            commands.shutdown();
            long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CLOSE_MILLIS);
            end(administration, deadline);
            end(commands, deadline);
            terminated = System.nanoTime();
            ending = true;
            selector.wakeup();
            thread.join(CLOSE_MILLIS);
            selector.close();
        } catch (IOException e) {
            throw new UncheckedIOException(path + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void end(ThreadPoolExecutor pool, long deadline) throws InterruptedException {
        if (!pool.awaitTermination(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
            LOG.log(Level.WARNING, "{0} commands were still at work and are cut off", pool.getActiveCount());
            pool.shutdownNow();
        }
    }
}
