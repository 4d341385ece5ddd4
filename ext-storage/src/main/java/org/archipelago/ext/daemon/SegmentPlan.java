package org.archipelago.ext.daemon;

import java.util.Optional;
import org.archipelago.config.Configuration;
import org.archipelago.config.Finding;
import org.archipelago.config.Role;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.peer.host.Caller;
import org.archipelago.xseg.RequestDescriptor;
import org.archipelago.xseg.SegmentDescriptor;
import org.archipelago.xseg.SegmentParameters;

/**
 * Divides a segment of the configured size: the configured ports, more above them that processes take
 * for their own requests, request slots, and data in the rest. The numbers for a reactor are sums of
 * what the peers' constructors take.
 */
record SegmentPlan(SegmentParameters parameters, int reactors) {
    private static final int RING_LEAST = 64;
    private static final int MODE = 0660;
    private static final int REACTOR_PORTS = 24;
    private static final int REACTOR_REQUESTS = 2048;
    private static final int REQUESTS_OF_AN_OPERATION = 6;
    private static final long REACTOR_BYTES = 2L * 8 * Caller.PAYLOAD_MAX + 2L * 2 * Caller.PAYLOAD_MAX + (1 << 20);
    private static final long OPERATION_BYTES = 4096;
    private static final long SLACK = 1 << 20;

    /** Throws Failure with CONFIGURATION where the size does not suffice. */
    static SegmentPlan of(Configuration configuration) {
        return find(configuration).orElseThrow(() -> new Failure(ExitCode.CONFIGURATION, tooSmall(configuration).toString()));
    }

    /** What is wrong with the configured size; empty where it suffices for all reactors. */
    static Optional<Finding> problem(Configuration configuration) {
        Optional<SegmentPlan> plan = find(configuration);
        int wanted = wanted(configuration);
        if (plan.isEmpty()) {
            return Optional.of(tooSmall(configuration));
        }
        return plan.get().reactors == wanted ? Optional.empty() : Optional.of(finding(configuration, Finding.Severity.WARNING,
            "room for " + plan.get().reactors + " of " + wanted + " reactors only: the other cores serve no requests", wanted));
    }

    private static int wanted(Configuration configuration) {
        int set = configuration.daemon().reactors();
        return set > 0 ? set : Runtime.getRuntime().availableProcessors();
    }

    private static Optional<SegmentPlan> find(Configuration configuration) {
        int wanted = wanted(configuration);
        int least = Math.max(1, configuration.daemon().reactors());
        for (int reactors = wanted; reactors >= least; reactors--) {
            long data = configuration.segment().sizeBytes() - fixed(configuration, reactors);
            if (data >= dataOf(configuration, reactors)) {
                return Optional.of(new SegmentPlan(new SegmentParameters(ports(configuration, reactors), ring(configuration),
                    requests(configuration, reactors), MODE, data), reactors));
            }
        }
        return Optional.empty();
    }

    private static Finding tooSmall(Configuration configuration) {
        int least = Math.max(1, configuration.daemon().reactors());
        long processes = processes(configuration);
        return finding(configuration, Finding.Severity.ERROR, "too small for " + processes + (processes == 1 ? " process" : " processes")
            + " of " + least + (least == 1 ? " reactor" : " reactors") + ", with NBD_BUFFERS = " + configuration.endpoint().nbdBuffersMib()
            + " and SEGMENT_PORTS = " + configuration.segment().ports(), least);
    }

    private static Finding finding(Configuration configuration, Finding.Severity severity, String what, int reactors) {
        long needed = ((fixed(configuration, reactors) + dataOf(configuration, reactors)) >> 20) + 1;
        return new Finding(severity, configuration.file(), configuration.line("", "SEGMENT_SIZE"), 0, "SEGMENT_SIZE",
            String.valueOf(configuration.segment().sizeMib()), what, "at least " + needed + " MiB");
    }

    private static long processes(Configuration configuration) {
        return 1 + configuration.roles().stream().flatMap(r -> r.process().stream()).distinct().count();
    }

    private static int ring(Configuration configuration) {
        return Math.max(RING_LEAST, configuration.roles().stream().mapToInt(Role::nrOps).max().orElse(RING_LEAST));
    }

    private static int ports(Configuration configuration, int reactors) {
        long own = processes(configuration) * (REACTOR_PORTS * reactors + 8L);
        return (int) Math.min(SegmentParameters.PORTS_MAX, configuration.segment().ports() + own);
    }

    private static int requests(Configuration configuration, int reactors) {
        long wanted = processes(configuration) * reactors * (REACTOR_REQUESTS + (long) REQUESTS_OF_AN_OPERATION * operations(configuration));
        return (int) Math.min(SegmentParameters.REQUESTS_MAX, wanted);
    }

    /** Most that a composer has under way on a reactor. */
    static int operations(Configuration configuration) {
        return Math.min(ring(configuration), 512);
    }

    private static long fixed(Configuration configuration, int reactors) {
        long stride = SegmentDescriptor.PORT_WORDS + 16L * ring(configuration) + 64;
        return SLACK + ports(configuration, reactors) * stride
            + (long) requests(configuration, reactors) * RequestDescriptor.SIZE;
    }

    private static long dataOf(Configuration configuration, int reactors) {
        long nbd = (long) configuration.endpoint().nbdBuffersMib() << 20;
        return reactors * (nbd + processes(configuration) * (REACTOR_BYTES + OPERATION_BYTES * operations(configuration)));
    }
}
