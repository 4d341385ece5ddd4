package org.archipelago.peer.endpoint;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.LibXseg;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentException;
import org.archipelago.xseg.Target;

/**
 * A device of the kernel module xsegbd that this process serves. What the kernel asks lies in the device's own
 * segment, and goes from there to the composer as it is: it takes the data from the kernel's buffer, or puts it there.
 * For its reactor's thread alone.
 *
 * <pre>
 *  port 0, 1        what the kernel itself asks: INFO           slot 0
 *  port 2q+2, 2q+3  hardware queue q; the odd one is served     its slots, one a tag
 * </pre>
 */
final class XsegbdDevice implements Reactor.Poller {
    private static final System.Logger LOG = System.getLogger(XsegbdDevice.class.getName());
    private static final int CONTROL_PORT = 1;
    private static final int PORT_STEP = 2;
    private static final int BATCH = 64;

    private enum State { SERVING, ENDING, CLOSED }

    private final Host host;
    private final Reactor reactor;
    private final int composerPort;
    private final VolumeQuery query;
    private final String volume;
    private final Target target;
    private final Segment segment;
    private final int fd;
    private final Request[] requests;
    private final Memory incoming = new Memory(4L * BATCH);
    private final Memory answers = new Memory(4L * BATCH);
    private final long incomingAddress = Pointer.nativeValue(incoming);
    private final long answersAddress = Pointer.nativeValue(answers);
    private int answersCount;
    /** Requests that are not answered yet. */
    private int outstanding;
    private State state = State.SERVING;
    private final List<Runnable> whenClosed = new ArrayList<>();

    /**
     * The segment becomes this device's with {@link #begin}.
     *
     * @param closed run when the device is not served any more, on the reactor
     */
    XsegbdDevice(Host host, Reactor reactor, int composerPort, VolumeQuery query, String volume, Segment segment, Runnable closed) {
        this.host = host;
        this.reactor = reactor;
        this.composerPort = composerPort;
        this.query = query;
        this.volume = volume;
        this.target = Target.of(volume);
        this.segment = segment;
        this.fd = LibXseg.xseg_device_fd(segment.handle());
        this.requests = new Request[segment.requests()];
        whenClosed.add(closed);
    }

    /** From now on the kernel sends requests. */
    void begin() {
        SegmentException.check(LibXseg.xseg_serve_device(segment.handle()));
        reactor.dataAreas().add(segment);
        reactor.watch(fd, Posix.EPOLLIN, this::ready);
        reactor.add(this);
    }

    private void ready(int events) {
        if ((events & Posix.EPOLLHUP) != 0) {
            LOG.log(Level.INFO, "the device of volume {0} was removed", volume);
            end(() -> { });
        }
    }

    /** Takes nothing more, and gives the device back once all that it took is answered; then runs the task. */
    void end(Runnable task) {
        if (state == State.CLOSED) {
            task.run();
            return;
        }
        whenClosed.add(task);
        if (state == State.SERVING) {
            state = State.ENDING;
            reactor.unwatch(fd);
            closeIfIdle();
        }
    }

    /** Not at once: the reactor may be going through its pollers. */
    private void closeIfIdle() {
        if (state == State.ENDING && outstanding == 0) {
            reactor.execute(this::close);
        }
    }

    private void close() {
        if (state == State.ENDING) {
            state = State.CLOSED;
            respond();
            reactor.remove(this);
            reactor.dataAreas().remove(segment);
            segment.close();
            whenClosed.forEach(Runnable::run);
        }
    }

    // --- in

    @Override
    public int poll() {
        int work = 0;
        for (int port = CONTROL_PORT; state == State.SERVING && port < segment.ports(); port += PORT_STEP) {
            if (segment.hasRequest(port)) {
                work += accept(port);
            }
        }
        work += answersCount;
        respond();
        return work;
    }

    private int accept(int port) {
        int count = LibXseg.xseg_accept(segment.handle(), port, incomingAddress, BATCH);
        for (int i = 0; i < count; i++) {
            Request request = request(incoming.getInt(4L * i));
            boolean sound = request.load(port, segment.dataAt(), segment.size());
            outstanding++;
            if (!sound) {
                request.complete(Errno.EINVAL);
            } else if (port == CONTROL_PORT) {
                describe(request);
            } else {
                host.submit(request.target(target), reactor, composerPort);
            }
        }
        return Math.max(count, 0);
    }

    private Request request(int slot) {
        if (requests[slot] == null) {
            requests[slot] = new Request(segment.metadata(), segment.base(), segment.requestAt(slot), slot, true, this::answer);
        }
        return requests[slot];
    }

    /** Size, and 1 where it is read-only: what the kernel makes the disk of. */
    private void describe(Request request) {
        if (request.op() != Op.INFO) {
            request.complete(Errno.EOPNOTSUPP);
            return;
        }
        query.ask(target, (status, size, readOnly, message) -> {
            if (status != 0) {
                LOG.log(Level.WARNING, "the device of volume {0} gets no size: {1} {2}", volume, Errno.text(status), message);
            }
            request.range(0, size).serviced(readOnly ? 1 : 0).complete(status);
        });
    }

    // --- out

    private void answer(Request request) {
        if (!reactor.isCurrent()) {
            reactor.execute(() -> answer(request));
            return;
        }
        if (request.status() == 0 && (request.op() == Op.READ || request.op() == Op.WRITE)) {
            request.serviced(request.dataLength());
        }
        if (!request.publishAnswer()) {
            return;
        }
        outstanding--;
        if (answersCount == BATCH) {
            respond();
        }
        answers.setInt(4L * answersCount++, request.slot());
        closeIfIdle();
    }

    private void respond() {
        if (answersCount > 0) {
            LibXseg.xseg_respond(segment.handle(), answersAddress, answersCount);
            answersCount = 0;
        }
    }

    // --- sleep

    @Override
    public boolean prepareToSleep() {
        LibXseg.xseg_prepare_wait(segment.handle(), CONTROL_PORT);
        return poll() == 0;
    }

    @Override
    public void awake() {
        LibXseg.xseg_cancel_wait(segment.handle(), CONTROL_PORT);
    }
}
