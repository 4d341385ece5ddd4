package org.archipelago.ext.archipelago;

import com.beust.jcommander.Parameter;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.archipelago.config.ComposerRole;
import org.archipelago.config.Configuration;
import org.archipelago.config.Role;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.command.Command;
import org.archipelago.ext.command.CommandSpec;
import org.archipelago.ext.command.CommandSpec.Needs;
import org.archipelago.ext.command.Session;
import org.archipelago.ext.daemon.Launcher;
import org.archipelago.peer.bench.BenchSettings;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.host.Host;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentException;

/** archipelago bench: a peer of the bench kind, in a process of its own. */
final class Bench implements Command {
    static final CommandSpec SPEC = CommandSpec.of("bench", Needs.NOTHING, "Measures requests through the segment to a role", Bench::new)
        .operands(1, "TARGET").group(Archipelago.DAEMON)
        .details("Sends requests from a process of its own, through the segment's rings, and tells how many are answered a second and how "
            + "soon. TARGET is a volume, or an object where --role is one that stores objects. A role of type dummy answers without doing "
            + "anything: what the way alone costs.")
        .example("web1 --depth 32", "4 KiB reads at random places of a volume")
        .example("x --role dummy", "the rings alone, where such a role is configured");

    private static final long SMALLEST = 1L << 20;
    private static final long CALL_MILLIS = 10_000;

    @Parameter(names = "--role", order = 1, description = "ROLE  Where the requests go; otherwise to the role that serves volumes.")
    private String role = "";

    @Parameter(names = "--write", order = 2, description = "Writes instead of reads: WHAT THE TARGET HOLDS IS LOST.")
    private boolean write;

    @Parameter(names = "--sequential", order = 3, description = "One place after another, not at random.")
    private boolean sequential;

    @Parameter(names = "--block", order = 4, description = "BYTES  Of a request, 512 to 1048576; 4096 otherwise.")
    private int block = 4096;

    @Parameter(names = "--depth", order = 5, description = "N  Requests under way at a time, 1 to 1024; 1 otherwise.")
    private int depth = 1;

    @Parameter(names = "--seconds", order = 6, description = "N  How long; 3 otherwise.")
    private int seconds = 3;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        if (session.daemon().isPresent()) {
            throw Failure.usage("bench runs in a process of its own, not in archipelagod: give -c after the command: archipelago bench -c FILE");
        }
        Configuration configuration = Launcher.read(session.locations());
        int port = port(configuration);
        String target = operands.get(0);
        try (Segment segment = Launcher.join(session.locations(), configuration);
                Host host = new Host("bench", segment, 1, configuration.daemon().spinMicros() * 1000L)) {
            Caller caller = new Caller(host, "bench", CALL_MILLIS);
            host.start();
            long size = size(caller.call(Call.of(port, Op.INFO, target)), target);
            org.archipelago.peer.bench.Bench.Result result = measure(host, port, target, size);
            if (result.failed() > 0) {
                throw new Failure(ExitCode.ofErrno(result.status()), result.failed() + " of " + result.requests() + " requests failed: "
                    + Errno.text(result.status()));
            }
            session.console().outLine("%s of %d bytes, depth %d: %.0f a second; 50 %% within %.1f us, 99 %% within %.1f us, 99.9 %% within %.1f us"
                .formatted(write ? "writes" : "reads", block, depth, result.perSecond(), result.p50() / 1e3, result.p99() / 1e3,
                    result.p999() / 1e3));
            return ExitCode.OK;
        } catch (SegmentException e) {
            throw new Failure(ExitCode.ofErrno(e.errno()), e.getMessage(), e);
        }
    }

    private int port(Configuration configuration) {
        Optional<Role> found = role.isEmpty()
            ? configuration.roles().stream().filter(ComposerRole.class::isInstance).findFirst() : Optional.of(Roles.find(configuration, role));
        return found.orElseThrow(() -> new Failure(ExitCode.CONFIGURATION, configuration.file() + ": no role of type vlmcd"))
            .ports().first();
    }

    /** A dummy does not tell a size. */
    private static long size(Reply info, String target) {
        if (info.status() != Errno.OK) {
            throw new Failure(ExitCode.ofErrno(info.status()), target + ": "
                + (info.message().isBlank() ? Errno.text(info.status()) : info.message()));
        }
        return Math.max(SMALLEST, info.length());
    }

    private org.archipelago.peer.bench.Bench.Result measure(Host host, int port, String target, long size) {
        try {
            BenchSettings settings = new BenchSettings(port, target, write, !sequential, block, depth, size, seconds, System.nanoTime());
            return new org.archipelago.peer.bench.Bench(host, host.reactors()[0], settings).run()
                .get(seconds + TimeUnit.MILLISECONDS.toSeconds(CALL_MILLIS), TimeUnit.SECONDS);
        } catch (IllegalArgumentException e) {
            throw Failure.usage("bench: " + e.getMessage());
        } catch (TimeoutException e) {
            throw new Failure(ExitCode.TIMED_OUT, "not all requests were answered within " + CALL_MILLIS / 1000 + " s after the end", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Failure(ExitCode.FAILED, "interrupted", e);
        } catch (ExecutionException e) {
            throw new Failure(ExitCode.FAILED, String.valueOf(e.getCause().getMessage()), e);
        }
    }
}
