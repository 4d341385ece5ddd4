package org.archipelago.jmh;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Layer;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.LibXseg;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentException;
import org.archipelago.xseg.SegmentParameters;
import org.archipelago.xseg.Target;
import org.archipelago.xseg.TargetTable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What one request costs in each piece of Java that it passes, and in the calls out of Java. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = {"-XX:+UseSerialGC", "-Xms24m", "-Xmx48m"})
public class DataPath {
    private static final int BATCH = 32;
    private static final int VOLUMES = 64;
    private static final int BLOCKS = 4096;
    private static final int SERVER = 0;
    private static final int CLIENT = 1;

    private Segment segment;
    private Memory slots;
    private long slotsAddress;
    private Request ours;
    private Request theirs;
    private TargetTable<String> volumes;
    private List<Target> names;
    private BlockMap map;
    private int next;
    private int epoll;
    private Memory events;

    /** A segment of this process, with a server's port and a client's. */
    @Setup
    public void begin() {
        segment = Segment.anonymous(new SegmentParameters(4, 64, 64, 0600, 1 << 20));
        slots = new Memory(4 * BATCH);
        slotsAddress = Pointer.nativeValue(slots);
        bind(SERVER, 0);
        bind(CLIENT, BATCH);
        try (Memory run = new Memory(8)) {
            long at = Pointer.nativeValue(run);
            SegmentException.check(LibXseg.xseg_port_slots(segment.handle(), CLIENT, at, at + 4));
            for (int i = 0; i < BATCH; i++) {
                slots.setInt(4L * i, run.getInt(0) + i);
            }
        }
        ours = request(false);
        theirs = request(true);
        volumes = new TargetTable<>("");
        names = new ArrayList<>();
        for (int i = 0; i < VOLUMES; i++) {
            names.add(Target.of("12345678-9abc-def0-1234-56789abcdef0.ext.disk" + i));
            volumes.put(names.get(i), "volume " + i);
        }
        map = new BlockMap(BLOCKS);
        map.own(new Layer("0".repeat(32), 1));
        for (int block = 0; block < BLOCKS; block++) {
            map.commit(block, 0, BlockMap.UNITS);
        }
        ours.op(Op.READ).range(0, BlockMap.UNIT).target(names.get(0));
        epoll = Posix.epoll_create1(Posix.EPOLL_CLOEXEC);
        events = new Memory(64);
    }

    private void bind(int port, int requests) {
        try (Memory role = new Memory(8)) {
            role.setString(0, "jmh");
            SegmentException.check(LibXseg.xseg_bind(segment.handle(), port, requests, 0, Pointer.nativeValue(role), port));
        }
    }

    private Request request(boolean foreign) {
        int slot = slots.getInt(0);
        return new Request(segment.metadata(), segment.base(), segment.requestAt(slot), slot, foreign, request -> { });
    }

    /** Ends what {@link #begin} made. */
    @TearDown
    public void end() {
        Posix.close(epoll);
        segment.close();
    }

    /** A request written to its slot by one process and read by another, and the answer back. */
    @Benchmark
    public boolean slot() {
        ours.publish();
        boolean good = theirs.load(SERVER, segment.dataAt(), segment.size());
        theirs.serviced(BlockMap.UNIT);
        theirs.publishAnswer();
        ours.loadAnswer();
        return good;
    }

    /** There and back through both rings, one at a time: four calls of libxseg. */
    @Benchmark
    public int ringsOneByOne() {
        return trips(1);
    }

    /** The same, a batch at a time. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public int ringsBatched() {
        return trips(BATCH);
    }

    private int trips(int count) {
        long handle = segment.handle();
        int sent = LibXseg.xseg_submit(handle, SERVER, slotsAddress, count);
        int taken = LibXseg.xseg_accept(handle, SERVER, slotsAddress, BATCH);
        int answered = LibXseg.xseg_respond(handle, slotsAddress, taken);
        int back = LibXseg.xseg_receive(handle, CLIENT, slotsAddress, BATCH);
        if (sent != count || taken != count || answered != count || back != count) {
            throw new IllegalStateException(sent + " sent, " + taken + " taken, " + answered + " answered, " + back + " back");
        }
        return back;
    }

    /** The least that a call out of Java costs. */
    @Benchmark
    public int emptyRing() {
        return LibXseg.xseg_accept(segment.handle(), SERVER, slotsAddress, BATCH);
    }

    /** A look at descriptors of which none is ready. */
    @Benchmark
    public int epollOfNothing() {
        return Posix.epoll_wait(epoll, Pointer.nativeValue(events), 1, 0);
    }

    /** The volume of a request, among {@value #VOLUMES}. */
    @Benchmark
    public String volume() {
        return volumes.find(ours.target(names.get(next++ & VOLUMES - 1)));
    }

    /** The layer of one unit of a volume that owns all of its blocks. */
    @Benchmark
    public boolean locate() {
        next += 7;
        return map.locate(next & BLOCKS - 1, next & BlockMap.UNITS - 1, 1, (layer, unit, count) -> layer >= 0);
    }
}
