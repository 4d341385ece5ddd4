package org.archipelago.xseg;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** Fields of a request between object and slot, and a target among 64 others found by its name. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class RequestBench {
    private static final int TARGETS = 64;

    private final ByteBuffer slot = ByteBuffer.allocateDirect(RequestDescriptor.SIZE).order(ByteOrder.LITTLE_ENDIAN);
    private final Request request = new Request(slot, 0, 0, 0, true, answered -> { });
    private final Target target = Target.of("0123456789abcdef0123456789abcdef-0000000a-00000007");
    private final TargetTable<Integer> table = new TargetTable<>(-1);

    public RequestBench() {
        for (int i = 0; i < TARGETS; i++) {
            table.put(Target.of("0123456789abcdef0123456789abcdef-0000000a-%08x".formatted(i)), i);
        }
        request.op(Op.READ).range(4096, 4096).target(target);
    }

    @Benchmark
    public void publish() {
        request.publish();
    }

    @Benchmark
    public boolean load() {
        return request.load(1, 0, 1 << 20);
    }

    @Benchmark
    public Request setTarget() {
        return request.target(target);
    }

    @Benchmark
    public int findTarget() {
        return table.find(request);
    }
}
