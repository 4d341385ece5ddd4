package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.UNIT;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.create;
import static org.archipelago.peer.volume.Lab.ok;
import static org.archipelago.peer.volume.Lab.snapshot;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Weather.Fate;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * One operation and one collection of the same daemon, each of which stops at a request to the store, before that takes effect or
 * after that and before it is answered; at each request, and at some pairs of them:
 *
 * <pre>
 *   first    ---|            |--- end            |------- end
 *   second        ---|             |--- end   ---|            |--- end     (the first one as a whole)
 * </pre>
 */
@Timeout(600)
class GarbageInterleavingTest {
    /** Of so many pairs of stops one is tried, at random; 1: all. Of single stops all are, or one of 4 where that takes long. */
    private static final int SHARE = Integer.getInteger("archipelago.share", 40);
    private static final long LONG_MILLIS = 10_000;
    private static final long SHORT_MILLIS = 150;

    private final long seed = Long.getLong("archipelago.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final Lab lab = new Lab();
    private final Node node = lab.node("n1");
    private final ExecutorService threads = Executors.newCachedThreadPool();
    /** After which who neither stops nor ends is taken to wait for the other one. */
    private long patienceMillis = LONG_MILLIS;
    private int waited;

    /** v: unit 3 in block 0 and 2 in block 1; s: 1 and 2. */
    @BeforeEach
    void setUp() {
        create(node, "v", 2 * BLOCK);
        write("v", 0, 1);
        write("v", 1, 2);
        snapshot(node, "v", "s");
        write("v", 0, 3);
    }

    @AfterEach
    void end() {
        lab.close();
        threads.shutdownNow();
    }

    // --- the race that was met

    @Test
    void createThatEndsBetweenTheLooksOfTheMarking_isNotGivenUp() throws Exception {
        Stopped create = createWithoutHeader();
        Stopped gc = lookedTwice();
        create.end();
        gc.end();
        isSound("w", 1, 2);
        write("w", 1, 5);
        isSound("w", 1, 5);
    }

    @Test
    void createThatEndsAndIsRenamedBetweenTheLooksOfTheMarking_isNotGivenUp() throws Exception {
        Stopped create = createWithoutHeader();
        Stopped gc = lookedTwice();
        create.end();
        ok(node.json(Op.RENAME, "w", "{\"to\": \"x\"}"));
        gc.end();
        isSound("x", 1, 2);
    }

    /** There is no room to say in the record that it ended well. */
    @Test
    void createOnAFullStoreThatEndsBetweenTheLooksOfTheMarking_isNotGivenUp() throws Exception {
        Stopped create = createWithoutHeader();
        Stopped gc = lookedTwice();
        lab.weather.rule(request -> putsRecord(request) ? Fate.failed(Errno.ENOSPC) : Fate.FINE);
        create.end();
        lab.weather.fair();
        gc.end();
        isSound("w", 1, 2);
    }

    /** The header is there, and the record does not say so before the collection has ended. */
    @Test
    void createThatHasItsHeaderBetweenTheLooksOfTheMarking_isNotGivenUp() throws Exception {
        Stopped create = createWithoutHeader();
        Stopped gc = lookedTwice();
        lab.weather.rule(request -> putsRecord(request) ? Fate.held() : Fate.FINE);
        lab.weather.release(what -> what.equals("create vol-w"));
        Lab.await("the record", () -> lab.weather.held() == 2);
        lab.weather.fair();
        gc.end();
        lab.weather.release();
        create.end();
        isSound("w", 1, 2);
    }

    /** The record of an image is there long before the checkpoint that it names. */
    @Test
    void imageOfWhichTheMarkingFoundNoCheckpoint_keepsTheOneThatIsMadeThen() throws Exception {
        closedClone(5);
        Stopped image = stopped(() -> ok(run(Op.HASH, "x", "{\"into\": \"w\"}")), 1, GarbageInterleavingTest::putsRecord, Fate.heldAfter());
        Stopped gc = stopped(() -> Lab.gc(node), 1, request -> request.op() == Op.INFO && request.target().endsWith("-00000001.2"),
            Fate.heldAfter());
        image.end();
        gc.end();
        isSound("w", 1, 5);
    }

    private Stopped createWithoutHeader() throws InterruptedException {
        return stopped(() -> Lab.clone(node, "s", "w"), 1, is(Op.CREATE, "vol-w"), Fate.held());
    }

    /** A collection that has seen twice that w has no header, and is not told so for the second time before it goes on. */
    private Stopped lookedTwice() throws InterruptedException {
        return stopped(() -> Lab.gc(node), 2, is(Op.READ, "vol-w"), Fate.heldAfter());
    }

    private Stopped stopped(Runnable what, int n, Predicate<Request> kind, Fate how) throws InterruptedException {
        int before = lab.weather.held();
        Stopped stopped = begin(what, n, kind, how);
        assertThat(lab.weather.held()).as("stops").isEqualTo(before + 1);
        return stopped;
    }

    private static boolean putsRecord(Request request) {
        return request.op() == Op.PUT && request.target().startsWith("id-");
    }

    private static Predicate<Request> is(int op, String target) {
        return request -> request.op() == op && request.target().equals(target);
    }

    // --- all of them

    /** What there is before it, what it does, and what there is after it: a volume or snapshot w of those two units. */
    enum Operation {
        CREATE(0, 0, t -> { }, t -> create(t.node, "w", 2 * BLOCK)),
        CLONE(1, 2, t -> { }, t -> Lab.clone(t.node, "s", "w")),
        SNAPSHOT(3, 2, t -> { }, t -> snapshot(t.node, "v", "w")),
        SNAPSHOT_OF_CLOSED(3, 2, t -> ok(t.node.call(Op.CLOSE, "v")), t -> snapshot(t.node, "v", "w")),
        RENAME(1, 2, t -> Lab.clone(t.node, "s", "x"), t -> ok(t.node.json(Op.RENAME, "x", "{\"to\": \"w\"}"))),
        REMOVE(1, 5, t -> {
            t.closedClone(5);
            snapshot(t.node, "x", "y");
            Lab.clone(t.node, "y", "w");
        }, t -> {
            ok(t.node.call(Op.DELETE, "y"));
            ok(t.node.call(Op.DELETE, "x"));
        }),
        HAND_ON(1, 5, t -> {
            t.closedClone(5);
            snapshot(t.node, "x", "y");
            ok(t.node.call(Op.DELETE, "x"));
        }, t -> {
            Lab.clone(t.node, "y", "w");
            ok(t.node.call(Op.DELETE, "y"));
        }),
        CREATE_AND_RENAME(1, 2, t -> { }, t -> {
            Lab.clone(t.node, "s", "x");
            ok(t.node.json(Op.RENAME, "x", "{\"to\": \"w\"}"));
        }),
        WRITE(6, 5, t -> Lab.clone(t.node, "s", "w"), t -> {
            t.write("w", 1, 5);
            snapshot(t.node, "w", "y");
            t.write("w", 0, 6);
            ok(t.node.call(Op.DELETE, "y"));
            ok(t.node.call(Op.CLOSE, "w"));
        }),
        IMAGE(1, 5, t -> t.closedClone(5), t -> t.image("x", "{\"into\": \"w\"}")),
        SNAPSHOT_TO_IMAGE(1, 5, t -> {
            t.closedClone(5);
            snapshot(t.node, "x", "w");
        }, t -> t.image("w", "{}"));

        private interface Step {
            void of(GarbageInterleavingTest test);
        }

        private final int first;
        private final int second;
        private final Step preparation;
        private final Step operation;

        Operation(int first, int second, Step preparation, Step operation) {
            this.first = first;
            this.second = second;
            this.preparation = preparation;
            this.operation = operation;
        }
    }

    @ParameterizedTest
    @EnumSource(Operation.class)
    void operationBesideACollection_losesNothing(Operation operation) throws Exception {
        long begin = System.nanoTime();
        Runnable work = () -> operation.operation.of(this);
        Runnable gc = () -> Lab.gc(node);
        operation.preparation.of(this);
        int requestsOfWork = requests(work);
        int requestsOfGc = requests(gc);
        tidyUp();
        int shareOfSingles = Math.min(SHARE, patienceMillis == SHORT_MILLIS ? 4 : 1); // each wait takes its time
        int ways = 0;
        for (Fate how : List.of(Fate.heldAfter(), Fate.held())) {
            for (boolean gcFirst : new boolean[] {false, true}) {
                for (int first = 0; first <= (gcFirst ? requestsOfGc : requestsOfWork); first++) {
                    for (int second = 1; second <= (gcFirst ? requestsOfWork : requestsOfGc); second++) {
                        if (random.nextInt(first > 0 ? SHARE : shareOfSingles) > 0) {
                            continue;
                        }
                        operation.preparation.of(this);
                        try {
                            interleave(gcFirst ? gc : work, first, gcFirst ? work : gc, second, how);
                            isSound("v", 3, 2);
                            isSound("s", 1, 2);
                            isSound("w", operation.first, operation.second);
                            tidyUp();
                        } catch (AssertionError | ExecutionException e) {
                            throw new AssertionError(seed + ", " + operation + ": " + (gcFirst ? "gc" : "it") + " stops "
                                + (how.before() == 0 ? "after" : "before")
                                + " request " + first + ", the other at " + second, e);
                        }
                        ways++;
                    }
                }
            }
        }
        System.out.printf("GarbageInterleavingTest: %s, %d requests, gc %d, %d ways, %d waits, %d ms, -Darchipelago.seed=%d%n",
            operation, requestsOfWork, requestsOfGc, ways, waited, (System.nanoTime() - begin) / 1_000_000, seed);
    }

    /** How many requests something needs when it is alone. */
    private int requests(Runnable what) {
        AtomicInteger count = new AtomicInteger();
        lab.weather.rule(request -> {
            count.incrementAndGet();
            return Fate.FINE;
        });
        what.run();
        lab.weather.fair();
        return count.get();
    }

    private void interleave(Runnable first, int firstStop, Runnable second, int secondStop, Fate how) throws Exception {
        Stopped one = begin(first, firstStop, request -> true, how);
        Stopped two = begin(second, secondStop, request -> true, how);
        one.goOn();
        two.end();
        one.end();
        lab.weather.release(); // what was stopped in the background instead
    }

    // --- what stops and goes on

    /** Something that has begun, or not even that, and waits at the request that is held there; it may also have ended. */
    private final class Stopped {
        private final Runnable what;
        private Optional<CompletableFuture<Void>> work = Optional.empty();
        private volatile String at = "";

        Stopped(Runnable what) {
            this.what = what;
        }

        void begin() {
            work = Optional.of(CompletableFuture.runAsync(what, threads));
        }

        /** Until it ends, or can get no farther because it waits for the other one. */
        void goOn() throws Exception {
            if (work.isEmpty()) {
                begin();
            }
            AtomicInteger first = new AtomicInteger(1);
            lab.weather.release(held -> held.equals(at) && first.getAndDecrement() > 0);
            try {
                work.orElseThrow().get(patienceMillis, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                waited++;
            }
        }

        void end() throws Exception {
            goOn();
            work.orElseThrow().get(20, TimeUnit.SECONDS);
        }
    }

    /** Begins something, and stops it at the n-th request of a kind; 0: does not begin it. */
    private Stopped begin(Runnable what, int n, Predicate<Request> kind, Fate how) throws InterruptedException {
        Stopped stopped = new Stopped(what);
        if (n == 0) {
            return stopped;
        }
        AtomicInteger left = new AtomicInteger(n);
        int before = lab.weather.held();
        lab.weather.rule(request -> {
            if (!kind.test(request) || left.decrementAndGet() != 0) {
                return Fate.FINE;
            }
            stopped.at = Op.name(request.op()) + " " + request.target();
            return how;
        });
        stopped.begin();
        long deadline = System.nanoTime() + patienceMillis * 1_000_000;
        while (lab.weather.held() == before && !stopped.work.orElseThrow().isDone() && System.nanoTime() < deadline) {
            Thread.sleep(0, 50_000);
        }
        lab.weather.fair();
        return stopped;
    }

    // --- volumes

    private void write(String volume, int block, int number) {
        ok(node.write(volume, block * BLOCK, bytes(UNIT, number), 0));
    }

    /** A clone x of s that holds something of its own in block 1. */
    private void closedClone(int number) {
        Lab.clone(node, "s", "x");
        write("x", 1, number);
        ok(node.call(Op.CLOSE, "x"));
    }

    /** Waits for a collection that has begun to remove contents: that has to go on first. */
    private void image(String of, String argument) {
        patienceMillis = SHORT_MILLIS;
        ok(run(Op.HASH, of, argument));
    }

    private Reply run(int op, String name, String argument) {
        JsonObject json = JsonParser.parseString(argument).getAsJsonObject();
        json.addProperty("run", UUID.randomUUID().toString());
        Reply reply;
        do {
            reply = node.caller.call(Call.of(Node.MAPPER, op, name).data(json.toString().getBytes(StandardCharsets.UTF_8)));
        } while (reply.status() == 0 && reply.message().contains("\"done\":false"));
        return reply;
    }

    /** It reads right, and all that it names is there. */
    private void isSound(String name, int... numbers) {
        for (int block = 0; block < numbers.length; block++) {
            Reply read = node.read(name, block * BLOCK, UNIT);
            ok(read);
            byte[] expected = numbers[block] == 0 ? new byte[UNIT] : bytes(UNIT, numbers[block]);
            assertThat(read.data()).as(name + " block " + block).isEqualTo(expected);
        }
        Reply checked = run(Op.CHECK, name, "{}");
        ok(checked);
        assertThat(checked.message()).as("check of " + name).contains("\"findings\":[]");
    }

    /** Removes all but v and s; nothing stays of the others. */
    private void tidyUp() throws InterruptedException {
        for (String name : List.of("w", "x", "y")) {
            assertThat(node.call(Op.DELETE, name).status()).as(name).isIn(0, Errno.ENOENT);
        }
        List<String> ids = List.of("vol-v", "vol-s", node.info("v").get("id").getAsString(),
            node.info("s").get("id").getAsString());
        Lab.await("nothing else", () -> {
            Lab.gc(node);
            return lab.objects("").stream().allMatch(object -> ids.stream().anyMatch(object::contains));
        });
    }
}
