package org.archipelago.ext.daemon;

import java.lang.System.Logger.Level;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.archipelago.config.Configuration;
import org.archipelago.config.Locations;
import org.archipelago.config.Role;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.daemon.ProcessState.Phase;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentException;

/**
 * A process of some roles beside the daemon: it joins the daemon's segment, and ends when the daemon
 * does, since the segment is then a thing of the past.
 */
public final class RoleProcess implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(RoleProcess.class.getName());

    private final Locations locations;
    private final String name;
    private final List<Role> roles;
    private final ProcessLock lock;
    private final Segment segment;
    private final PeerProcess peers;
    private final CountDownLatch stopAsked = new CountDownLatch(1);
    private boolean closed;

    public RoleProcess(Locations locations, String name) {
        this.locations = locations;
        this.name = name;
        Configuration configuration = Daemon.read(locations);
        this.roles = configuration.roles().stream().filter(r -> r.process().filter(name::equals).isPresent()).toList();
        if (roles.isEmpty()) {
            throw new Failure(ExitCode.USAGE, configuration.file() + ": no role has process = '" + name + "'");
        }
        ProcessState main = ProcessState.read(locations.run(), ProcessState.MAIN).filter(s -> s.process().alive())
            .orElseThrow(() -> new Failure(ExitCode.NOT_RUNNING, "archipelagod is not running: process " + name + " has nothing to join"));
        ProcessLock lock = new ProcessLock(locations.run(), name);
        write(Phase.STARTING, ""); // not before: what is written there is the living process's
        try (Unwinding undo = new Unwinding()) {
            this.lock = undo.add(lock);
            String id = Identity.peek(locations.data()).orElseThrow(() -> new Failure(ExitCode.FAILED, "the identity below "
                + locations.data() + " cannot be read"));
            this.segment = undo.add(Segment.join(Daemon.segmentName(configuration, Identity.shorten(id))));
            this.peers = undo.add(new PeerProcess(name, configuration, segment, SegmentPlan.of(configuration).reactors(),
                Identity.nodeOf(id)));
            roles.forEach(peers::serve);
            peers.start();
            undo.dismiss();
        } catch (Failure e) {
            throw failed(e);
        } catch (SegmentException e) {
            throw failed(new Failure(ExitCode.ofErrno(e.errno()), e.getMessage(), e));
        }
        ProcessHandle.of(main.process().pid()).ifPresentOrElse(h -> h.onExit().thenRun(stopAsked::countDown), stopAsked::countDown);
        Reclaim.holdMemory(configuration);
        write(Phase.RUNNING, "");
        LOG.log(Level.INFO, "process {0} runs", name);
    }

    private Failure failed(Failure e) {
        LOG.log(Level.ERROR, "process {0} does not start: {1}", name, e.getMessage());
        write(Phase.FAILED, e.getMessage());
        return e;
    }

    private void write(Phase phase, String why) {
        Map<String, String> states = new LinkedHashMap<>();
        roles.forEach(r -> states.put(r.name(), ""));
        ProcessState.now(phase, why, states).write(locations.run(), name);
    }

    /** Waits for the end of the daemon. */
    public void await() throws InterruptedException {
        stopAsked.await();
        LOG.log(Level.INFO, "archipelagod has ended, so process {0} does", name);
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        peers.close();
        segment.close();
        write(Phase.STOPPED, "");
        lock.close();
        stopAsked.countDown();
    }
}
