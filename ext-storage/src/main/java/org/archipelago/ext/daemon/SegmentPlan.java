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
    private static final long REACTOR_BYTES = 2L * 8 * Caller.PAYLOAD_MAX + 2L * Caller.PAYLOAD_MAX + (1 << 20);
    private static final long OPERATION_BYTES = 4096;
    private static final long SLACK = 1 << 20;

    /** Throws Failure with CONFIGURATION where the size does not suffice. */
    static SegmentPlan of(Configuration configuration) {
        return find(configuration).orElseThrow(() -> new Failure(ExitCode.CONFIGURATION, tooSmall(configuration).toString()));
    }

    /** What is wrong with the configured size; empty where it suffices. */
    static Optional<Finding> problem(Configuration configuration) {
        return find(configuration).isPresent() ? Optional.empty() : Optional.of(tooSmall(configuration));
    }

    private static Optional<SegmentPlan> find(Configuration configuration) {
        int wanted = configuration.daemon().reactors();
        int most = wanted > 0 ? wanted : Runtime.getRuntime().availableProcessors();
        for (int reactors = most; reactors >= (wanted > 0 ? wanted : 1); reactors--) {
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
        long needed = ((fixed(configuration, least) + dataOf(configuration, least)) >> 20) + 1;
        long processes = processes(configuration);
        return new Finding(Finding.Severity.ERROR, configuration.file(), configuration.line("", "SEGMENT_SIZE"), 0, "SEGMENT_SIZE",
            String.valueOf(configuration.segment().sizeMib()), "too small for " + processes + (processes == 1 ? " process" : " processes")
            + " of " + least + (least == 1 ? " reactor" : " reactors") + ", with NBD_BUFFERS = " + configuration.endpoint().nbdBuffersMib()
            + " and SEGMENT_PORTS = " + configuration.segment().ports(), "at least " + needed + " MiB");
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
