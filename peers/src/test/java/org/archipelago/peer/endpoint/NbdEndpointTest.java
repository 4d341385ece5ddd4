package org.archipelago.peer.endpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.archipelago.posix.Errno;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class NbdEndpointTest {
    private static final int SIZE = 4 << 20;
    private NbdFixture nbd;
    private final ExecutorService threads = Executors.newCachedThreadPool();

    @BeforeEach
    void start() throws IOException {
        nbd = new NbdFixture(NbdFixture.settings(4 << 20));
    }

    @AfterEach
    void stop() throws IOException, InterruptedException {
        threads.shutdownNow();
        nbd.awaitIdle();
        nbd.close();
    }

    @Test
    void export_makesSocketsForTheGroup() throws IOException {
        nbd.volume("vol", SIZE);
        for (Path socket : List.of(nbd.socket("vol"), nbd.imageSocket("vol"))) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket))).isEqualTo("rw-rw----");
        }
        assertThat(nbd.folder.toFile().list()).containsExactlyInAnyOrder("vol.sock", "vol.img");
        assertThat(nbd.status("vol").socket()).isEqualTo(nbd.socket("vol"));
        nbd.endpoint.unexport("vol");
        nbd.endpoint.unexport("vol");
        assertThat(nbd.folder.toFile().list()).isEmpty();
        assertThat(nbd.endpoint.exports()).isEmpty();
    }

    @Test
    void export_replacesAStaleSocketAndNothingElse() throws IOException {
        for (Path socket : List.of(nbd.socket("vol"), nbd.imageSocket("vol"))) {
            try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
                dead.bind(UnixDomainSocketAddress.of(socket));
            }
            assertThat(socket).exists();
        }
        MemoryComposer.Disk disk = nbd.volume("vol", SIZE);
        try (NbdClient client = nbd.client("vol", false); NbdClient copier = nbd.client("vol", true)) {
            assertThat(client.readSimple(0, 4)).hasSize(4);
            assertThat(copier.readStructured(0, 0, 4)).hasSize(4);
        }
        Path[][] files = {{nbd.socket("file"), nbd.imageSocket("other")}, {nbd.socket("other"), nbd.imageSocket("file")}};
        for (Path[] paths : files) {
            Path file = paths[0].equals(nbd.socket("file")) ? paths[0] : paths[1];
            Files.writeString(file, "precious");
            assertThatThrownBy(() -> nbd.endpoint.export("file", paths[0], paths[1], new ExportInfo(1, false)))
                .isInstanceOf(EndpointException.class).hasMessageContaining("not a socket").hasMessageContaining(file.toString());
            assertThat(Files.readString(file)).isEqualTo("precious");
        }
        assertThat(nbd.folder.toFile().list()).as("both sockets or none")
            .containsExactlyInAnyOrder("vol.sock", "vol.img", "file.sock", "file.img");
        assertThatThrownBy(() -> nbd.export("vol", 1))
            .isInstanceOf(EndpointException.class).hasMessageContaining("exported already");
        assertThat(disk.size).isEqualTo(SIZE);
    }

    @Test
    void unexport_leavesASuccessorsSocket() throws IOException {
        nbd.volume("vol", SIZE);
        Files.delete(nbd.socket("vol"));
        try (ServerSocketChannel successor = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            successor.bind(UnixDomainSocketAddress.of(nbd.socket("vol")));
            nbd.endpoint.unexport("vol");
            assertThat(nbd.folder.toFile().list()).containsExactly("vol.sock");
        }
    }

    @Test
    void export_checksThePathsLength() throws IOException, InterruptedException {
        NbdFixture.needs("nbdinfo");
        Path shortFolder = Files.createDirectory(Path.of("/tmp", Long.toString(System.nanoTime(), 36)));
        nbd.disks.add(new MemoryComposer.Disk("longest", SIZE, SIZE));
        for (Path folder : new Path[] {nbd.folder, shortFolder}) {
            Path longest = folder.resolve("x".repeat(107 - folder.toString().length() - 1));
            nbd.endpoint.export("longest", longest, folder.resolve("i"), new ExportInfo(SIZE, false));
            String uri = "nbd+unix:///longest?socket=" + longest; // Java's own clients stop at 106 bytes
            assertThat(NbdFixture.run("nbdinfo", "--size", uri).strip()).isEqualTo(String.valueOf(SIZE));
            nbd.endpoint.unexport("longest");
        }
        Files.delete(shortFolder);
        int room = 107 - nbd.folder.toString().length() - 1;
        assertThatThrownBy(() -> nbd.endpoint.export("v", nbd.imageSocket("v"),
            nbd.folder.resolve("x".repeat(room + 1)), new ExportInfo(1, false)))
            .isInstanceOf(EndpointException.class).hasMessageContaining("108 bytes").hasMessageContaining("at most 107")
            .matches(e -> ((EndpointException) e).errno() == Errno.ENAMETOOLONG);
        assertThatThrownBy(() -> nbd.endpoint.export("v", nbd.folder.resolve("none/s"), nbd.imageSocket("v"),
            new ExportInfo(1, false)))
            .isInstanceOf(EndpointException.class).hasMessageContaining("folder");
    }

    private static long size(Path socket) throws IOException {
        try (NbdClient client = NbdClient.connect(socket)) {
            client.greet();
            client.option(NbdProtocol.OPT_GO, NbdClient.goData(""));
            return client.optionReplies().get(0).buffer().getLong(2);
        }
    }

    @Test
    void grow_isSeenByNewClientsAndServedToOld() throws IOException {
        MemoryComposer.Disk disk = nbd.volume("vol", SIZE);
        try (NbdClient old = nbd.client("vol", false)) {
            assertThat(old.write(SIZE, new byte[512])).isEqualTo(NbdProtocol.ENOSPC);
            disk.size = SIZE + 8192;
            nbd.endpoint.resized("vol", SIZE + 8192);
            assertThat(nbd.status("vol").size()).isEqualTo(SIZE + 8192);
            assertThat(size(nbd.socket("vol"))).isEqualTo(SIZE + 8192);
            assertThat(old.write(SIZE, new byte[512])).isZero();
            assertThat(old.write(SIZE + 8192, new byte[512])).isEqualTo(NbdProtocol.ENOSPC);
            disk.size = SIZE + 16384; // nobody said so, but the composer is asked
            assertThat(size(nbd.socket("vol"))).isEqualTo(SIZE + 16384);
        }
    }

    @Test
    void sixteenConnectionsOfEachVolume_atOnce() throws Exception {
        List<Future<?>> clients = new ArrayList<>();
        for (int v = 0; v < 2; v++) {
            MemoryComposer.Disk disk = nbd.volume("vol" + v, SIZE);
            disk.mode = v % 2 == 0 ? MemoryComposer.Mode.AT_ONCE : MemoryComposer.Mode.MIXED;
        }
        for (int c = 0; c < 32; c++) {
            int number = c;
            String volume = "vol" + c % 2;
            clients.add(threads.submit(() -> {
                Random random = new Random(number);
                int part = SIZE / 16;
                byte[] model = new byte[part];
                long base = (long) number / 2 * part;
                try (NbdClient client = nbd.client(volume, number % 8 < 4)) {
                    for (int i = 0; i < 60; i++) {
                        int length = 1 + random.nextInt(100_000);
                        int at = random.nextInt(part - length);
                        byte[] data = new byte[length];
                        random.nextBytes(data);
                        System.arraycopy(data, 0, model, at, length);
                        assertThat(client.write(base + at, data)).isZero();
                        int from = random.nextInt(part - 50_000);
                        byte[] read = number % 8 < 4 ? client.readStructured(0, base + from, 50_000)
                            : client.readSimple(base + from, 50_000);
                        NbdFixture.assertBytes(read, Arrays.copyOfRange(model, from, from + 50_000));
                    }
                }
                return null;
            }));
        }
        for (Future<?> client : clients) {
            client.get();
        }
        assertThat(nbd.status("vol0").bytesServed()).isGreaterThan(16 * 60 * 50_000);
    }

    @Test
    void unexport_underLoad_andAgain() throws Exception {
        nbd.volume("vol", SIZE).mode = MemoryComposer.Mode.MIXED;
        AtomicInteger reads = new AtomicInteger();
        AtomicBoolean over = new AtomicBoolean();
        List<Future<?>> clients = new ArrayList<>();
        for (int c = 0; c < 8; c++) {
            boolean structured = c % 2 == 0;
            clients.add(threads.submit(() -> {
                while (!over.get()) {
                    try (NbdClient client = nbd.client("vol", structured)) {
                        while (!over.get()) {
                            for (int i = 0; i < 8; i++) {
                                client.request(0, NbdProtocol.CMD_READ, i, 0, 300_000);
                            }
                            client.receive(8 * 300_000);
                            reads.addAndGet(8);
                        }
                    } catch (IOException e) {
                        LockSupport.parkNanos(1_000_000);
                    }
                }
            }));
        }
        for (int round = 0; round < 10; round++) {
            Thread.sleep(20);
            nbd.endpoint.unexport("vol");
            assertThat(nbd.endpoint.exports()).isEmpty();
            nbd.export("vol", SIZE);
        }
        int before = reads.get();
        NbdFixture.await("reads go on", () -> reads.get() > before);
        over.set(true);
        for (Future<?> client : clients) {
            client.get();
        }
    }

    @Test
    void settings_nameTheirLimits() {
        assertThatThrownBy(() -> NbdSettings.defaults().bufferBytes(1000))
            .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("bufferBytes=1000");
        assertThat(NbdSettings.defaults().connections()).isEqualTo(512);
        assertThat(NbdSettings.defaults().bufferBytes(1 << 20).connections()).isEqualTo(16);
    }
}
