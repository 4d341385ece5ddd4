package org.archipelago.peer.host;

import java.util.concurrent.TimeUnit;
import org.archipelago.xseg.Op;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** What a request costs Java on its way through the rings and back, on one thread: four calls into libxseg. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class RoundTripBench {
    private final Pair pair = Pair.take();

    @Benchmark
    public boolean thereAndBack() {
        pair.asked.op(Op.READ).range(4096, 4096);
        pair.submit();
        pair.accept();
        pair.respond();
        return pair.receive();
    }

    @Benchmark
    public boolean lookIntoEmptyRing() {
        return pair.hasEntry();
    }

    @Benchmark
    public boolean callIntoEmptyRing() {
        return pair.receive();
    }
}
