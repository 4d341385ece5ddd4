package org.archipelago.ext.archipelago;

import com.beust.jcommander.Parameter;
import java.util.Collections;
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
            + "soon: half of them, 99 % and 99.9 %. The first second is not counted. TARGET is a volume, or an object where --role is one "
            + "that stores objects. A role of type dummy answers without doing anything: what the way alone costs.")
        .example("web1 --depth 1,32", "4 KiB reads at random places of a volume")
        .example("x --role dummy", "the rings alone, where such a role is configured");

    private static final long SMALLEST = 1L << 20;
    private static final long CALL_MILLIS = 10_000;
    private static final int WARM_SECONDS = 1;

    @Parameter(names = "--role", order = 1, description = "ROLE  Where the requests go; otherwise to the role that serves volumes.")
    private String role = "";

    @Parameter(names = "--port", order = 2, description = "N  Where the requests go, if to no role: for example 'xseg bench --serve N'.")
    private int port = -1;

    @Parameter(names = "--write", order = 3, description = "Writes instead of reads: WHAT THE TARGET HOLDS IS LOST.")
    private boolean write;

    @Parameter(names = "--sequential", order = 4, description = "One place after another, not at random.")
    private boolean sequential;

    @Parameter(names = "--block", order = 5, description = "BYTES  Of a request, 512 to 1048576; 4096 otherwise.")
    private int block = 4096;

    @Parameter(names = "--depth", order = 6, description = "N,...  Requests under way at a time, 1 to 1024; 1 otherwise.")
    private List<Integer> depths = List.of(1);

    @Parameter(names = "--seconds", order = 7, description = "N  How long, for each depth; 3 otherwise.")
    private int seconds = 3;

    @Override
    public ExitCode run(Session session, List<String> operands) {
        if (session.daemon().isPresent()) {
            throw Failure.usage("bench runs in a process of its own, not in archipelagod: give -c after the command: archipelago bench -c FILE");
        }
        Configuration configuration = Launcher.read(session.locations());
        int server = port < 0 ? port(configuration) : port;
        String target = operands.get(0);
        try (Segment segment = Launcher.join(session.locations(), configuration);
                Host host = new Host("bench", segment, 1, configuration.daemon().spinMicros() * 1000L)) {
            if (server >= segment.ports()) {
                throw Failure.usage("bench: there is no port " + server + ": the segment has the ports 0 to " + (segment.ports() - 1));
            }
            Caller caller = new Caller(host, "bench", CALL_MILLIS);
            host.start();
            long size = size(caller.call(Call.of(server, Op.INFO, target)), target);
            measure(host, server, target, size, Collections.max(depths), WARM_SECONDS);
            session.console().outLine("depth  roundtrips/s   p50 ns   p99 ns p99.9 ns");
            for (int depth : depths) {
                org.archipelago.peer.bench.Bench.Result result = measure(host, server, target, size, depth, seconds);
                session.console().outLine("%5d %12.0f %8d %8d %8d".formatted(depth, result.perSecond(), result.p50(), result.p99(), result.p999()));
            }
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

    private org.archipelago.peer.bench.Bench.Result measure(Host host, int server, String target, long size, int depth, int duration) {
        try {
            BenchSettings settings = new BenchSettings(server, target, write, !sequential, block, depth, size, duration, System.nanoTime());
            org.archipelago.peer.bench.Bench.Result result = new org.archipelago.peer.bench.Bench(host, host.reactors()[0], settings).run()
                .get(duration + TimeUnit.MILLISECONDS.toSeconds(CALL_MILLIS), TimeUnit.SECONDS);
            if (result.failed() > 0) {
                throw new Failure(ExitCode.ofErrno(result.status()), result.failed() + " of " + result.requests() + " requests failed: "
                    + Errno.text(result.status()));
            }
            return result;
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
