package org.archipelago.peer.volume;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.archipelago.map.MapReply;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeLayer;
import org.archipelago.peer.composer.Composer;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentParameters;
import org.archipelago.xseg.Target;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What a mapper answers lies in memory that others write to: whatever it says, the composer touches no byte but those
 * that a request is about, and answers.
 */
@Timeout(60)
class LyingMapperTest {
    private static final int MAPPER = 1;
    private static final int BLOCKER = 2;
    private static final int COMPOSER = 3;
    private static final int ROUNDS = 20_000;
    private static final int PART = 64 << 10;
    private static final byte UNTOUCHED = 0x3c;
    private static final long[] ODD = {0, 1, 2, 3, 8, 50, 56, 255, 4095, 4096, PART, 4 << 20, 1 << 30, Integer.MAX_VALUE, -1, -2, -4096,
        Integer.MIN_VALUE, 0x7fff, 0x8000, 0xffff};

    private final long seed = Long.getLong("archipelago.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final Segment segment = Segment.anonymous(new SegmentParameters(64, 256, 1024, 0600, 16 << 20));
    private final Host host = new Host("test", segment, 1, 0);
    private final Reactor reactor = host.reactors()[0];
    private long dataFrom;
    private static final VolumeLayer OWN = new VolumeLayer("00112233445566778899aabbccddeeff", 1);
    private boolean strayed;

    @AfterEach
    void close() {
        host.close();
        segment.close();
    }

    private void lie(Request request) {
        if (request.op() != Op.MAPR && request.op() != Op.MAPW) {
            request.complete(request.op() == Op.FLUSH ? 1L : 0L); // the lease is held
            return;
        }
        ByteBuffer reply = request.data();
        int block = (int) (request.offset() >> VolumeHeader.BLOCK_SHIFT);
        int offset = (int) request.offset() & (1 << VolumeHeader.BLOCK_SHIFT) - 1;
        MapReply.clear(reply, random.nextInt(2), 64 << 20);
        int object = MapReply.object(reply, OWN, 0, block);
        MapReply.extent(reply, object, random.nextInt(16), offset, (int) Math.min(request.length(), (1 << VolumeHeader.BLOCK_SHIFT) - offset));
        for (int lies = random.nextInt(4); lies > 0; lies--) {
            int at = 2 * (random.nextBoolean() ? random.nextInt(80) : 584 + random.nextInt(16)); // header and object, or extents
            int value = random.nextInt(4) == 0 ? random.nextInt() : (int) ODD[random.nextInt(ODD.length)];
            if (random.nextBoolean()) {
                reply.putShort(at, (short) value);
            } else {
                reply.putInt(at & ~3, value);
            }
        }
        request.complete(request.length());
    }

    private void move(Request request) {
        long address = request.dataAddress();
        boolean moves = request.op() == Op.READ || request.op() == Op.WRITE;
        boolean clients = address >= dataFrom && address < dataFrom + 3 * PART;
        if (moves && (request.length() < 0 || request.length() > request.dataLength()
                || clients && (address < dataFrom + PART || address + request.length() > dataFrom + 2 * PART))) {
            strayed = true;
        } else if (request.op() == Op.READ) {
            Posix.memset(address, 1, request.length());
        }
        request.complete(request.length());
    }

    private int ask(RequestPool pool, int op, long offset, int length) throws Exception {
        CompletableFuture<Integer> status = new CompletableFuture<>();
        reactor.execute(() -> {
            Request request = pool.take();
            dataFrom = request.dataAddress();
            Posix.memset(dataFrom, UNTOUCHED, 3 * PART);
            request.op(op).flags(random.nextInt(16)).target(Target.of("v")).range(offset, length).data(dataFrom + PART, PART)
                .onCompletion(done -> {
                    pool.release(done.data(dataFrom, 3 * PART));
                    status.complete(done.status());
                });
            host.submit(request, reactor, COMPOSER);
        });
        return status.get(10, TimeUnit.SECONDS);
    }

    @Test
    void composer_touchesWhatItWasAskedFor() throws Exception {
        System.out.println("LyingMapperTest: -Darchipelago.seed=" + seed);
        host.serve(MAPPER, "mapper", r -> this::lie);
        host.serve(BLOCKER, "blocker", r -> this::move);
        host.serve(COMPOSER, "composer", r -> new Composer(host, r, MAPPER, BLOCKER, 4));
        RequestPool pool = host.pool(reactor, "client", 1, 3 * PART);
        host.start();
        int[] ops = {Op.READ, Op.READ, Op.WRITE, Op.ZERO, Op.STATUS, Op.FLUSH};
        byte[] bytes = new byte[PART];
        Arrays.fill(bytes, UNTOUCHED);
        ByteBuffer untouched = ByteBuffer.wrap(bytes);
        int refused = 0;
        for (int round = 0; round < ROUNDS; round++) {
            int op = ops[random.nextInt(ops.length)];
            int status = ask(pool, op, 512L * random.nextInt(1 << 16), 512 * random.nextInt(129));
            assertThat(status).as("round " + round + " " + Op.name(op)).isIn(0, Errno.EIO, Errno.EINVAL, Errno.ENOSPC);
            assertThat(strayed).as("round " + round + " " + Op.name(op)).isFalse();
            ByteBuffer data = new Pointer(dataFrom).getByteBuffer(0, 3 * PART);
            assertThat(data.slice(0, PART).mismatch(untouched)).as("touched before, in round " + round).isNegative();
            assertThat(data.slice(2 * PART, PART).mismatch(untouched)).as("touched behind, in round " + round).isNegative();
            refused += status == 0 ? 0 : 1;
        }
        assertThat(refused).isBetween(ROUNDS / 20, ROUNDS * 19 / 20);
    }
}
