package org.archipelago.peer.endpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that die, lie, flood or sleep; others beside them must not notice, and nothing may leak. */
@Timeout(30)
class HostileClientTest {
    private static final int SIZE = 4 << 20;

    private NbdFixture nbd;
    private MemoryComposer.Disk disk;

    @BeforeEach
    void start() throws IOException {
        nbd = new NbdFixture(NbdFixture.settings(2 << 20));
        disk = nbd.volume("vol", SIZE);
        byte[] content = new byte[SIZE];
        new Random(1).nextBytes(content);
        disk.memory.write(0, content, 0, SIZE);
    }

    @AfterEach
    void stop() throws IOException, InterruptedException {
        nbd.awaitIdle();
        nbd.close();
    }

    private NbdClient connect(boolean images) throws IOException {
        return NbdClient.connect(images ? nbd.imageSocket("vol") : nbd.socket("vol"));
    }

    /** What a client may send in one session, without waiting for anything. */
    private static byte[] session(Random random, int requests) {
        ByteBuffer bytes = ByteBuffer.allocate(1 << 20);
        bytes.put(NbdClient.flags(3));
        bytes.put(NbdClient.optionBytes(NbdProtocol.OPT_STRUCTURED_REPLY, new byte[0]));
        bytes.put(NbdClient.optionBytes(NbdProtocol.OPT_SET_META_CONTEXT, NbdClient.metaData("vol", "base:allocation")));
        bytes.put(NbdClient.optionBytes(NbdProtocol.OPT_LIST, new byte[0]));
        bytes.put(NbdClient.optionBytes(NbdProtocol.OPT_GO, NbdClient.goData("vol", 3)));
        int[] commands = {0, 1, 3, 4, 6, 7};
        for (int i = 0; i < requests; i++) {
            int command = commands[random.nextInt(commands.length)];
            int length = command == NbdProtocol.CMD_FLUSH ? 0 : 1 + random.nextInt(6000);
            int offset = command == NbdProtocol.CMD_FLUSH ? 0 : SIZE / 2 + random.nextInt(SIZE / 2 - length);
            bytes.put(NbdClient.requestBytes(0, command, i, offset, length));
            if (command == NbdProtocol.CMD_WRITE) {
                bytes.put(new byte[length]);
            }
        }
        bytes.put(NbdClient.requestBytes(0, NbdProtocol.CMD_DISC, 0, 0, 0));
        return Arrays.copyOf(bytes.array(), bytes.position());
    }

    private void drain(NbdClient client) throws IOException {
        ByteBuffer sink = ByteBuffer.allocate(65536);
        while (client.channel.read(sink.clear()) >= 0) {
            continue;
        }
    }

    private void checkService(NbdClient good) throws IOException {
        int offset = 12345;
        NbdFixture.assertBytes(good.readStructured(0, offset, 70_000), disk.bytes(offset, 70_000));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void deathAtAnyByte_leavesNothingBehind(boolean images) throws IOException {
        disk.mode = MemoryComposer.Mode.MIXED;
        byte[] session = session(new Random(5), 6);
        try (NbdClient good = nbd.client("vol", true)) {
            for (int length = 0; length < session.length; length += length < 420 ? 1 : 37) {
                try (NbdClient victim = connect(images)) {
                    victim.send(Arrays.copyOf(session, length));
                    if (length % 3 == 0) { // half-closed: the rest of the conversation is heard out
                        victim.channel.shutdownOutput();
                        drain(victim);
                    }
                } catch (IOException e) {
                    assertThat(e).hasMessageMatching("Broken pipe|Connection reset.*");
                }
                if (length % 50 == 0) {
                    checkService(good);
                }
            }
            checkService(good);
        }
    }

    @Test
    void garbage_isSurvived() throws IOException {
        long seed = System.nanoTime();
        System.out.println("HostileClientTest.garbage seed=" + seed);
        Random random = new Random(seed);
        try (NbdClient good = nbd.client("vol", true)) {
            for (int i = 0; i < 3000; i++) {
                disk.mode = i % 2 == 0 ? MemoryComposer.Mode.AT_ONCE : MemoryComposer.Mode.MIXED;
                byte[] session = session(random, random.nextInt(8));
                int errors = 1 + random.nextInt(4);
                for (int error = 0; error < errors; error++) {
                    int at = random.nextInt(session.length);
                    switch (random.nextInt(4)) {
                        case 0 -> session[at] ^= (byte) (1 << random.nextInt(8));
                        case 1 -> session[at] = (byte) random.nextInt(256);
                        case 2 -> Arrays.fill(session, at, Math.min(session.length, at + random.nextInt(16)), (byte) 0xff);
                        default -> session = Arrays.copyOf(session, at + 1);
                    }
                }
                try (NbdClient bad = connect(random.nextBoolean())) {
                    bad.send(session);
                    if (i % 4 == 0) {
                        bad.channel.shutdownOutput();
                        drain(bad);
                    }
                } catch (IOException e) {
                    assertThat(e).hasMessageMatching("Broken pipe|Connection reset.*");
                }
                if (i % 100 == 0) {
                    checkService(good);
                }
            }
            checkService(good);
        }
    }

    @Test
    void slowReaders_doNotStopAFastOne() throws IOException {
        List<NbdClient> slow = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            NbdClient client = nbd.client("vol", i % 2 == 0);
            for (int request = 0; request < 100; request++) {
                client.request(0, NbdProtocol.CMD_READ, request, 0, 256 << 10);
            }
            slow.add(client);
        }
        try (NbdClient fast = nbd.client("vol", true)) {
            for (int i = 0; i < 300; i++) {
                checkService(fast);
            }
            byte[] written = new byte[1 << 20];
            Arrays.fill(written, (byte) 3);
            assertThat(fast.write(SIZE / 2, written)).isZero();
            assertThat(nbd.status("vol").requestsInFlight()).isGreaterThan(6);
        }
        for (NbdClient client : slow.subList(0, 4)) { // they wake up and get all they asked for
            if (slow.indexOf(client) % 2 != 0) {
                for (int request = 0; request < 100; request++) {
                    assertThat(client.simple()).isEqualTo(new NbdClient.Simple(0, request));
                    NbdFixture.assertBytes(client.receive(256 << 10).array(), disk.bytes(0, 256 << 10));
                }
            } else {
                int done = 0;
                int bytes = 0;
                while (done < 100) {
                    NbdClient.Chunk chunk = client.chunk();
                    assertThat(chunk.type()).isEqualTo(NbdProtocol.CHUNK_OFFSET_DATA);
                    bytes += chunk.data().length - 8;
                    done += chunk.done() ? 1 : 0;
                }
                assertThat(bytes).isEqualTo(100 * (256 << 10));
            }
        }
        for (NbdClient client : slow) {
            client.close();
        }
    }

    /** A simple reply's header goes out when all of its data is there: each of these wants as much as there is, and none reads. */
    @Test
    void slowReadersOfLargeSimpleReplies_leaveRoomForOthers() throws IOException, InterruptedException {
        int length = 1 << 20;
        int requests = 16;
        List<NbdClient> slow = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            NbdClient client = nbd.client("vol", false);
            for (int request = 0; request < requests; request++) {
                client.request(0, NbdProtocol.CMD_READ, request, 0, length);
            }
            slow.add(client);
        }
        NbdFixture.await("all at work", () -> nbd.status("vol").requestsInFlight() >= slow.size());
        try (NbdClient fast = nbd.client("vol", false)) {
            for (int i = 0; i < 30; i++) {
                NbdFixture.assertBytes(fast.readSimple(12345, 70_000), disk.bytes(12345, 70_000));
                NbdFixture.assertBytes(fast.readSimple(54321, length), disk.bytes(54321, length));
            }
            assertThat(nbd.status("vol").requestsInFlight()).isGreaterThanOrEqualTo(slow.size());
        }
        byte[] content = disk.bytes(0, length);
        for (NbdClient client : slow) { // one after the other they wake up
            for (int request = 0; request < requests; request++) {
                assertThat(client.simple()).isEqualTo(new NbdClient.Simple(0, request));
                NbdFixture.assertBytes(client.receive(length).array(), content);
            }
            client.close();
        }
    }

    @Test
    void slowWriters_doNotStopAFastOne() throws IOException {
        List<NbdClient> slow = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            NbdClient client = nbd.client("vol", false);
            client.request(0, NbdProtocol.CMD_WRITE, 1, 0, 1 << 20);
            client.send(new byte[300_000]); // and never the rest
            slow.add(client);
        }
        try (NbdClient fast = nbd.client("vol", true)) {
            for (int i = 0; i < 100; i++) {
                checkService(fast);
            }
        }
        for (NbdClient client : slow) {
            client.close();
        }
    }

    @Test
    void flood_isRefusedAndOver() throws IOException, InterruptedException {
        List<NbdClient> crowd = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            crowd.add(connect(i % 2 == 0));
        }
        NbdFixture.await("16 connections", () -> nbd.status("vol").connections() == 16);
        assertThat(crowd.get(199).isClosedByServer()).isTrue();
        for (NbdClient client : crowd) {
            client.close();
        }
        NbdFixture.await("no connection", () -> nbd.status("vol").connections() == 0);
        try (NbdClient good = nbd.client("vol", true)) {
            checkService(good);
        }
    }

    @Test
    void halfClosedClient_getsAllReplies() throws IOException, InterruptedException {
        disk.mode = MemoryComposer.Mode.HELD;
        try (NbdClient client = nbd.client("vol", false)) {
            for (int i = 0; i < 10; i++) {
                client.request(0, NbdProtocol.CMD_READ, i, 0, 1000);
            }
            client.send(new byte[] {0x25, 0x60}); // half of a header
            client.channel.shutdownOutput();
            NbdFixture.await("ten requests", () -> disk.held.size() == 10);
            Thread.sleep(20);
            MemoryComposer.release(disk);
            for (int i = 0; i < 10; i++) {
                assertThat(client.simple()).isEqualTo(new NbdClient.Simple(0, i));
                client.receive(1000);
            }
            assertThat(client.isClosedByServer()).isTrue();
        }
    }

    @Test
    void death_whileTheComposerWorks_givesBuffersBackLater() throws IOException, InterruptedException {
        disk.mode = MemoryComposer.Mode.HELD;
        for (int i = 0; i < 4; i++) {
            try (NbdClient client = nbd.client("vol", i % 2 == 0)) {
                client.request(0, NbdProtocol.CMD_READ, 1, 0, 3 << 20);
                client.request(0, NbdProtocol.CMD_WRITE, 2, 0, 4096);
                client.send(new byte[4096]);
                NbdFixture.await("a request", () -> !disk.held.isEmpty());
            }
        }
        NbdFixture.await("no connection", () -> nbd.status("vol").connections() == 0);
        assertThat(nbd.endpoint.isIdle()).isFalse();
        NbdFixture.await("all answered", () -> MemoryComposer.release(disk) >= 0 && nbd.endpoint.isIdle());
    }
}
