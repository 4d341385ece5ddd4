package org.archipelago.peer.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.archipelago.peer.bench.Bench;
import org.archipelago.peer.bench.BenchSettings;
import org.archipelago.peer.dummy.Dummy;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Node;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentDescriptor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Peers in one process of a segment, their clients in another: the same requests, through the rings. */
@Timeout(60)
class RingsTest {
    private static final int PORT = 3;

    @TempDir
    Path store;

    private final String name = "test-rings-" + ProcessHandle.current().pid();

    @BeforeEach
    void createSegment() {
        Segment.create(name, Node.PARAMETERS);
    }

    @AfterEach
    void destroySegment() {
        Segment.destroy(name);
    }

    private static void ok(Reply reply) {
        assertThat(reply.status()).as(reply.message()).isZero();
    }

    @Test
    void clientInAnotherHost_usesVolumes() throws Exception {
        try (Node node = new Node("n1", Node.BOOT, store, 2, Segment.join(name));
                Segment segment = Segment.join(name);
                Host client = new Host("client", segment, 2, 20_000)) {
            Caller caller = new Caller(client, "client", 20_000);
            client.start();
            ok(caller.call(Call.of(Node.COMPOSER, Op.CREATE, "v").data("{\"size\": 67108864}".getBytes(StandardCharsets.UTF_8))));
            byte[] data = new byte[200_000];
            Arrays.fill(data, (byte) 7);
            ok(caller.call(Call.of(Node.COMPOSER, Op.WRITE, "v").data(data).range(12345, data.length)));
            Reply read = caller.call(Call.of(Node.COMPOSER, Op.READ, "v").range(12345, data.length));
            ok(read);
            assertThat(read.data()).isEqualTo(data);
            assertThat(node.read("v", 12345, 200_000).data()).isEqualTo(data);
            Thread.sleep(1500); // both asleep now: the bells must ring
            long from = System.nanoTime();
            ok(caller.call(Call.of(Node.COMPOSER, Op.PING, "v")));
            assertThat(System.nanoTime() - from).isLessThan(TimeUnit.MILLISECONDS.toNanos(400));
            Bench.Result result = new Bench(client, client.reactors()[0],
                new BenchSettings(Node.COMPOSER, "v", false, true, 4096, 32, 64 << 20, 2, 1)).run().get(20, TimeUnit.SECONDS);
            System.out.printf("RingsTest: 4 KiB reads through the rings, depth 32: %.0f/s, p50 %d ns%n", result.perSecond(), result.p50());
            assertThat(result.failed()).isZero();
            assertThat(result.requests()).isPositive();
        }
    }

    /** The port follows the work, to and fro, while requests are under way; none is lost. */
    @Test
    void requestsForOneReactor_comeToItsBell() throws Exception {
        try (Segment served = Segment.join(name); Segment segment = Segment.join(name);
                Host server = new Host("server", served, 2, 20_000); Host client = new Host("client", segment, 1, 20_000)) {
            server.serve(PORT, "dummy", reactor -> new Dummy());
            server.start();
            client.start();
            Set<Integer> bells = new HashSet<>();
            for (int target = 0; target < 8; target++) {
                Bench.Result result = new Bench(client, client.reactors()[0],
                    new BenchSettings(PORT, "target" + target, false, true, 4096, 8, 1 << 20, 1, 1)).run().get(20, TimeUnit.SECONDS);
                assertThat(result.failed()).isZero();
                assertThat(result.requests()).isGreaterThan(1000);
                bells.add(segment.metadata().getInt(segment.portAt(PORT) + SegmentDescriptor.PORT_BELL));
            }
            assertThat(bells).as("eight targets, so 1 in 128 that all belong to one reactor; these never do").hasSize(2);
        }
    }

    @Test
    void portWithoutOwner_isDown() {
        try (Segment segment = Segment.join(name); Host client = new Host("client", segment, 1, 20_000)) {
            Caller caller = new Caller(client, "client", 5_000);
            client.start();
            assertThat(caller.call(Call.of(Node.COMPOSER, Op.PING, "v")).status()).isEqualTo(Errno.EHOSTDOWN);
        }
    }

    @Test
    void truncation_endsWhatIsWithOthers() throws Exception {
        try (Segment theirs = Segment.join(name); Host holder = new Host("holder", theirs, 1, 20_000);
                Segment segment = Segment.join(name); Host client = new Host("client", segment, 1, 20_000)) {
            holder.serve(Node.COMPOSER, "holder", reactor -> request -> { }); // never answers
            holder.start();
            Caller caller = new Caller(client, "client", 10_000);
            client.start();
            CompletableFuture<Reply> answer = CompletableFuture.supplyAsync(() -> caller.call(Call.of(Node.COMPOSER, Op.READ, "v")));
            Thread.sleep(500);
            try (FileChannel file = FileChannel.open(Path.of("/dev/shm", name), StandardOpenOption.WRITE)) {
                file.truncate(0);
            }
            assertThat(answer.get(5, TimeUnit.SECONDS).status()).isEqualTo(Errno.EUCLEAN);
            assertThat(caller.call(Call.of(Node.COMPOSER, Op.READ, "v")).status()).isEqualTo(Errno.EUCLEAN);
        }
    }

    /** A port that a process holds for its own requests serves nothing: what is sent there is refused, not kept for ever. */
    @Test
    void requestToAPortThatServesNothing_isRefused() throws Exception {
        try (Segment theirs = Segment.join(name); Host other = new Host("other", theirs, 1, 20_000);
                Segment segment = Segment.join(name); Host client = new Host("client", segment, 1, 20_000)) {
            other.start(); // its bell is the highest port
            Caller caller = new Caller(client, "client", 5_000);
            client.start();
            Reply reply = caller.call(Call.of(theirs.ports() - 1, Op.PING, "v"));
            assertThat(reply.status()).isNotEqualTo(0).isNotEqualTo(Errno.ETIMEDOUT);
        }
    }
}
