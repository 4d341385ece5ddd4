package org.archipelago.peer.endpoint;

import static org.archipelago.peer.endpoint.NbdProtocol.CMD_BLOCK_STATUS;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_DISC;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_FLAG_DF;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_FLAG_FUA;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_FLAG_NO_HOLE;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_FLAG_REQ_ONE;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_FLUSH;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_READ;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_TRIM;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_WRITE;
import static org.archipelago.peer.endpoint.NbdProtocol.CMD_WRITE_ZEROES;
import static org.archipelago.peer.endpoint.NbdProtocol.EINVAL;
import static org.archipelago.peer.endpoint.NbdProtocol.EIO;
import static org.archipelago.peer.endpoint.NbdProtocol.ENOSPC;
import static org.archipelago.peer.endpoint.NbdProtocol.EPERM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(20)
class TransmissionTest {
    private static final int SIZE = 9 << 20;
    private static final byte[] NOTHING = new byte[0];

    private NbdFixture nbd;
    private MemoryComposer.Disk disk;

    @BeforeEach
    void start() throws IOException {
        nbd = new NbdFixture(NbdFixture.settings(8 << 20)); // a read of 4 MiB does not fit
        disk = nbd.volume("vol", SIZE);
    }

    @AfterEach
    void stop() throws IOException, InterruptedException {
        nbd.awaitIdle();
        nbd.close();
    }

    private NbdClient client(boolean structured) throws IOException {
        return nbd.client("vol", structured);
    }

    private static byte[] noise(long seed, int length) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private byte[] fill() {
        byte[] content = noise(1, SIZE);
        disk.memory.write(0, content, 0, SIZE);
        Arrays.fill(disk.allocated, true);
        return content;
    }

    @ParameterizedTest
    @CsvSource({"AT_ONCE,false", "AT_ONCE,true", "MIXED,false", "MIXED,true"})
    void randomOperations_matchAModel(MemoryComposer.Mode mode, boolean structured) throws IOException {
        disk.mode = mode;
        long seed = System.nanoTime();
        System.out.println("TransmissionTest.randomOperations seed=" + seed);
        Random random = new Random(seed);
        byte[] model = fill();
        try (NbdClient client = client(structured)) {
            for (int i = 0; i < 300; i++) {
                int length = 1 + random.nextInt(1 << 1 + random.nextInt(23));
                length = Math.min(length, SIZE);
                int offset = random.nextInt(SIZE - length + 1);
                if (random.nextBoolean()) {
                    offset &= ~4095;
                }
                switch (random.nextInt(5)) {
                    case 0 -> {
                        byte[] data = noise(seed + i, length);
                        System.arraycopy(data, 0, model, offset, length);
                        assertThat(client.write(offset, data)).isZero();
                    }
                    case 1 -> {
                        Arrays.fill(model, offset, offset + length, (byte) 0);
                        assertThat(client.ask(0, random.nextBoolean() ? CMD_TRIM : CMD_WRITE_ZEROES, offset, length, NOTHING)).isZero();
                    }
                    default -> {
                        byte[] read = structured
                            ? client.readStructured(random.nextBoolean() ? CMD_FLAG_DF : 0, offset, length)
                            : client.readSimple(offset, length);
                        assertThat(Arrays.equals(read, Arrays.copyOfRange(model, offset, offset + length)))
                            .as("read %d at %d", length, offset).isTrue();
                    }
                }
            }
            assertThat(client.ask(0, CMD_FLUSH, 0, 0, NOTHING)).isZero();
        }
        NbdFixture.assertBytes(disk.bytes(0, SIZE), model);
    }

    @ParameterizedTest
    @EnumSource(value = MemoryComposer.Mode.class, names = {"AT_ONCE", "MIXED"})
    void manyReadsAtOnce_areEachAnsweredOnce(MemoryComposer.Mode mode) throws IOException {
        disk.mode = mode;
        byte[] content = fill();
        int count = 3000;
        try (NbdClient client = client(false)) {
            Thread sender = new Thread(() -> {
                try {
                    for (int i = 0; i < count; i++) {
                        client.request(0, CMD_READ, i, i * 512L, 1024);
                    }
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            });
            sender.start();
            Map<Long, Integer> seen = new HashMap<>();
            for (int i = 0; i < count; i++) {
                NbdClient.Simple reply = client.simple();
                assertThat(reply.error()).isZero();
                int at = (int) reply.cookie() * 512;
                NbdFixture.assertBytes(client.receive(1024).array(), Arrays.copyOfRange(content, at, at + 1024));
                seen.merge(reply.cookie(), 1, Integer::sum);
            }
            assertThat(seen).hasSize(count);
        }
    }

    /** More than there is memory for, so replies are sent in parts, which must not come between each other. */
    @ParameterizedTest
    @CsvSource({"AT_ONCE,false", "AT_ONCE,true", "MIXED,false", "MIXED,true"})
    void largeReadsAtOnce_areEachAnsweredWhole(MemoryComposer.Mode mode, boolean structured) throws IOException {
        disk.mode = mode;
        byte[] content = fill();
        long seed = System.nanoTime();
        System.out.println("TransmissionTest.largeReadsAtOnce seed=" + seed);
        Random random = new Random(seed);
        int count = 200;
        int[] offsets = new int[count];
        int[] lengths = new int[count];
        for (int i = 0; i < count; i++) {
            lengths[i] = 1 + random.nextInt(random.nextInt(10) == 0 ? SIZE : 1 << 20);
            offsets[i] = random.nextInt(SIZE - lengths[i] + 1);
        }
        try (NbdClient client = client(structured)) {
            Thread sender = new Thread(() -> {
                try {
                    for (int i = 0; i < count; i++) {
                        client.request(structured ? CMD_FLAG_DF : 0, CMD_READ, i, offsets[i], lengths[i]);
                    }
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            });
            sender.start();
            boolean[] seen = new boolean[count];
            for (int i = 0; i < count; i++) {
                int which;
                byte[] data;
                if (structured) {
                    NbdClient.Chunk chunk = client.chunk();
                    which = (int) chunk.cookie();
                    assertThat(chunk.buffer().getLong()).isEqualTo(offsets[which]);
                    data = Arrays.copyOfRange(chunk.data(), 8, chunk.data().length);
                } else {
                    NbdClient.Simple reply = client.simple();
                    assertThat(reply.error()).isZero();
                    which = (int) reply.cookie();
                    data = client.receive(lengths[which]).array();
                }
                assertThat(seen[which]).isFalse();
                seen[which] = true;
                NbdFixture.assertBytes(data, Arrays.copyOfRange(content, offsets[which], offsets[which] + lengths[which]));
            }
        }
    }

    @Test
    void ranges_areChecked() throws IOException {
        try (NbdClient client = client(false)) {
            long[][] ranges = {{SIZE, 1}, {SIZE - 1, 2}, {0, SIZE + 1L}, {-1, 1}, {-4096, 4096}, {Long.MAX_VALUE, 1},
                {Long.MAX_VALUE, 0xffffffffL}, {Long.MIN_VALUE, 0xffffffffL}, {1L << 40, 4096}};
            for (long[] range : ranges) {
                assertThat(client.ask(0, CMD_READ, range[0], range[1], NOTHING)).isEqualTo(EINVAL);
                assertThat(client.ask(0, CMD_TRIM, range[0], range[1], NOTHING)).isEqualTo(EINVAL);
                assertThat(client.ask(0, CMD_WRITE_ZEROES, range[0], range[1], NOTHING)).isEqualTo(ENOSPC);
                if (range[1] <= SIZE + 1) {
                    byte[] data = new byte[(int) range[1]];
                    assertThat(client.ask(0, CMD_WRITE, range[0], range[1], data)).isEqualTo(ENOSPC);
                }
            }
            assertThat(client.ask(0, CMD_READ, 0, 40 << 20, NOTHING)).isEqualTo(EINVAL);
            assertThat(client.ask(0, CMD_WRITE, 0, 33 << 20, new byte[33 << 20])).isEqualTo(EINVAL);
            assertThat(client.ask(0, CMD_FLUSH, 0, 1, NOTHING)).isEqualTo(EINVAL);
            assertThat(client.ask(0, CMD_FLUSH, 1, 0, NOTHING)).isEqualTo(EINVAL);
            assertThat(client.write(SIZE - 1, new byte[] {9})).isZero();
            assertThat(client.readSimple(SIZE - 2, 2)).containsExactly(0, 9);
        }
    }

    @Test
    void unknownCommandsAndFlags_areRefused() throws IOException {
        try (NbdClient client = client(true)) {
            for (int command : new int[] {5, 8, 99, 65535}) {
                assertThat(client.ask(0, command, 0, 0, NOTHING)).isEqualTo(EINVAL);
            }
            assertThat(client.ask(1 << 4, CMD_WRITE_ZEROES, 0, 512, NOTHING)).isEqualTo(EINVAL); // FAST_ZERO
            assertThat(client.ask(CMD_FLAG_NO_HOLE, CMD_WRITE, 0, 512, new byte[512])).isEqualTo(EINVAL);
            assertThat(client.ask(CMD_FLAG_DF, CMD_FLUSH, 0, 0, NOTHING)).isEqualTo(EINVAL);
            client.request(1 << 15, CMD_READ, 3, 0, 512);
            assertThat(client.chunk().buffer().getInt()).isEqualTo(EINVAL);
        }
        try (NbdClient client = client(false)) {
            assertThat(client.ask(CMD_FLAG_DF, CMD_READ, 0, 512, NOTHING)).isEqualTo(EINVAL);
            assertThat(client.ask(0, CMD_BLOCK_STATUS, 0, 512, NOTHING)).isEqualTo(EINVAL);
        }
    }

    @Test
    void nothing_isDoneAtOnce() throws IOException {
        try (NbdClient simple = client(false); NbdClient structured = client(true)) {
            for (int command : new int[] {CMD_READ, CMD_WRITE, CMD_TRIM, CMD_WRITE_ZEROES}) {
                assertThat(simple.ask(0, command, SIZE, 0, NOTHING)).isZero();
            }
            structured.request(0, CMD_READ, 4, 0, 0);
            assertThat(structured.chunk()).matches(chunk -> chunk.done() && chunk.type() == NbdProtocol.CHUNK_NONE);
        }
    }

    @Test
    void flags_reachTheComposer() throws IOException {
        try (NbdClient client = client(false)) {
            client.ask(CMD_FLAG_FUA, CMD_WRITE, 0, 3, new byte[3]);
            assertThat(disk.lastFlags).isEqualTo(Op.FUA);
            client.ask(0, CMD_WRITE, 0, 3, new byte[3]);
            assertThat(disk.lastFlags).isZero();
            client.ask(CMD_FLAG_FUA, CMD_TRIM, 0, 4096, NOTHING);
            assertThat(disk.lastFlags).isEqualTo(Op.FUA | Op.DISCARD);
            client.ask(0, CMD_WRITE_ZEROES, 0, 4096, NOTHING);
            assertThat(disk.lastFlags).isEqualTo(Op.DISCARD);
            client.ask(CMD_FLAG_NO_HOLE | CMD_FLAG_FUA, CMD_WRITE_ZEROES, 0, 4096, NOTHING);
            assertThat(disk.lastFlags).isEqualTo(Op.FUA);
            assertThat(client.ask(CMD_FLAG_FUA, CMD_READ, 0, 1, NOTHING)).isZero();
            client.receive(1);
            client.ask(CMD_FLAG_FUA, CMD_FLUSH, 0, 0, NOTHING);
            assertThat(disk.flushes).isEqualTo(1);
        }
    }

    @Test
    void composersErrors_becomeThoseOfTheProtocol() throws IOException {
        int[][] errors = {{Errno.EIO, EIO}, {Errno.EBUSY, EPERM}, {Errno.EROFS, EPERM}, {Errno.ENOSPC, ENOSPC},
            {Errno.EDQUOT, ENOSPC}, {Errno.ENOMEM, NbdProtocol.ENOMEM}, {Errno.EINVAL, EINVAL},
            {Errno.EOPNOTSUPP, NbdProtocol.ENOTSUP}, {Errno.ESHUTDOWN, NbdProtocol.ESHUTDOWN},
            {Errno.EOVERFLOW, NbdProtocol.EOVERFLOW}, {Errno.ENOENT, EIO}};
        disk.badByte = 700_000;
        try (NbdClient client = client(false)) {
            for (int[] error : errors) {
                disk.badErrno = error[0];
                assertThat(client.ask(0, CMD_WRITE, 0, 1 << 20, new byte[1 << 20])).isEqualTo(error[1]);
                assertThat(client.ask(0, CMD_READ, 0, 1 << 20, NOTHING)).isEqualTo(error[1]);
                assertThat(client.ask(0, CMD_TRIM, 0, SIZE, NOTHING)).isEqualTo(error[1]);
            }
            assertThat(client.readSimple(0, 699_000)).hasSize(699_000);
        }
    }

    /** The process of a role dies, and another takes its place. */
    @ParameterizedTest
    @ValueSource(ints = {Errno.EOWNERDEAD, Errno.EHOSTDOWN})
    void requestsWaitForASuccessor(int errno) throws IOException, InterruptedException {
        disk.badByte = 700_000;
        disk.badErrno = errno;
        try (NbdClient client = client(false)) {
            client.send(NbdClient.requestBytes(0, CMD_WRITE, 1, 0, 1 << 20), noise(5, 1 << 20));
            Thread.sleep(350);
            assertThat(nbd.status("vol").requestsInFlight()).isEqualTo(1);
            disk.badByte = -1;
            assertThat(client.simple()).isEqualTo(new NbdClient.Simple(0, 1));
            NbdFixture.assertBytes(client.readSimple(0, 1 << 20), noise(5, 1 << 20));
        }
    }

    @Test
    void requestsWaitNoLongerThanTheyMay() throws Exception {
        try (NbdFixture impatient = new NbdFixture(NbdFixture.settings(8 << 20).patienceMillis(300))) {
            MemoryComposer.Disk orphan = impatient.volume("orphan", SIZE);
            orphan.badByte = 0;
            orphan.badErrno = Errno.EHOSTDOWN;
            try (NbdClient client = impatient.client("orphan", false)) {
                assertThat(client.ask(0, CMD_WRITE, 0, 4096, new byte[4096])).isEqualTo(EIO);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = MemoryComposer.Mode.class, names = {"AT_ONCE", "MIXED"})
    void readThatFailsInPart_endsWithTheError(MemoryComposer.Mode mode) throws IOException {
        disk.mode = mode;
        disk.badErrno = Errno.EIO;
        fill();
        try (NbdClient client = client(true)) {
            for (int bad : new int[] {0, 300_000, (1 << 20) - 1}) {
                disk.badByte = bad;
                for (int flags : new int[] {0, CMD_FLAG_DF}) {
                    client.request(flags, CMD_READ, 11, 0, 1 << 20);
                    NbdClient.Chunk chunk = client.chunk();
                    while (!chunk.done()) {
                        assertThat(chunk.type()).isEqualTo(NbdProtocol.CHUNK_OFFSET_DATA);
                        chunk = client.chunk();
                    }
                    assertThat(chunk.type()).isEqualTo(NbdProtocol.CHUNK_ERROR);
                    assertThat(chunk.buffer().getInt()).isEqualTo(EIO);
                }
            }
            disk.badByte = -1;
            assertThat(client.readStructured(CMD_FLAG_DF, 0, 1 << 20)).hasSize(1 << 20);
        }
    }

    /** Such a read has begun to be answered before its end can have been asked for. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void readLargerThanMemory_thatFailsLate_endsTheConnection(boolean structured) throws IOException {
        fill();
        disk.badErrno = Errno.EIO;
        disk.badByte = 7 << 20;
        try (NbdClient client = client(structured)) {
            client.request(structured ? CMD_FLAG_DF : 0, CMD_READ, 1, 0, 8 << 20);
            assertThatThrownBy(() -> client.receive(8 << 20)).isInstanceOf(IOException.class);
        }
        try (NbdClient client = client(structured)) {
            byte[] read = structured ? client.readStructured(CMD_FLAG_DF, 0, 6 << 20) : client.readSimple(0, 6 << 20);
            NbdFixture.assertBytes(read, Arrays.copyOf(noise(1, SIZE), 6 << 20));
        }
    }

    @Test
    void chunks_goOutWhenTheyAreThere() throws IOException, InterruptedException {
        fill();
        disk.mode = MemoryComposer.Mode.HELD;
        try (NbdClient client = client(true)) {
            client.request(0, CMD_READ, 5, 0, 512 << 10);
            NbdFixture.await("two pieces", () -> disk.held.size() == 2);
            assertThat(nbd.status("vol").requestsInFlight()).isEqualTo(1);
            var first = disk.held.poll();
            MemoryComposer.release(disk); // the second
            NbdClient.Chunk chunk = client.chunk();
            assertThat(chunk.buffer().getLong()).isEqualTo(256 << 10);
            assertThat(chunk.done()).isFalse();
            disk.held.add(first);
            MemoryComposer.release(disk);
            chunk = client.chunk();
            assertThat(chunk.buffer().getLong()).isZero();
            assertThat(chunk.done()).isTrue();
        }
    }

    @Test
    void extents_areThoseOfTheVolume() throws IOException {
        try (NbdClient client = client(true)) {
            client.write(8192, noise(2, 4096));
            client.write(1 << 20, noise(3, 8192));
            client.ask(CMD_FLAG_NO_HOLE, CMD_WRITE_ZEROES, (1 << 20) + 8192, 4096, NOTHING);
            List<int[]> extents = client.extents(0, 0, SIZE);
            assertThat(extents).containsExactly(new int[] {8192, 3}, new int[] {4096, 0}, new int[] {(1 << 20) - 12288, 3},
                new int[] {12288, 0}, new int[] {SIZE - (1 << 20) - 12288, 3});
            assertThat(client.extents(CMD_FLAG_REQ_ONE, 0, SIZE)).containsExactly(new int[] {8192, 3});
            assertThat(client.extents(CMD_FLAG_REQ_ONE, 8193, 100)).containsExactly(new int[] {100, 0});
            client.request(0, CMD_BLOCK_STATUS, 1, SIZE - 1, 2);
            assertThat(client.chunk().buffer().getInt()).isEqualTo(EINVAL);
            client.request(0, CMD_BLOCK_STATUS, 1, 0, 0);
            assertThat(client.chunk().buffer().getInt()).isEqualTo(EINVAL);
        }
    }

    @Test
    void extents_thatDoNotFitAreLeftForTheNextRequest() throws IOException {
        for (int block = 0; block < SIZE / 4096; block += 2) {
            disk.allocated[block] = true;
        }
        try (NbdClient client = client(true)) {
            long at = 0;
            int requests = 0;
            while (at < SIZE) {
                for (int[] extent : client.extents(0, at, SIZE - at)) {
                    assertThat(extent).containsExactly(4096, at / 4096 % 2 == 0 ? 0 : 3);
                    at += extent[0];
                }
                requests++;
            }
            assertThat(at).isEqualTo(SIZE);
            assertThat(requests).isEqualTo(5); // 512 extents each
        }
    }

    @Test
    void disconnect_comesAfterWhatWasAsked() throws IOException, InterruptedException {
        disk.mode = MemoryComposer.Mode.HELD;
        try (NbdClient client = client(false)) {
            client.request(0, CMD_READ, 1, 0, 100);
            client.request(0, CMD_FLUSH, 2, 0, 0);
            client.request(0, CMD_DISC, 3, 0, 0);
            NbdFixture.await("two requests", () -> disk.held.size() == 2);
            Thread.sleep(20);
            assertThat(MemoryComposer.release(disk)).isEqualTo(2);
            ByteBuffer all = client.receive(16 + 100 + 16);
            assertThat(all.getLong(8)).isEqualTo(1);
            assertThat(all.getLong(124)).isEqualTo(2);
            assertThat(client.isClosedByServer()).isTrue();
        }
    }
}
