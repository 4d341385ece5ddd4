package org.archipelago.ext.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.archipelago.ext.Console;
import org.archipelago.ext.Console.Terminal;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ControlServerTest {
    @TempDir
    private Path folder;

    private ControlServer server;
    private final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch release = new CountDownLatch(1);
    private final CompletableFuture<Boolean> sawLeaving = new CompletableFuture<>();
    private final CompletableFuture<String> verb = new CompletableFuture<>();
    private final AtomicInteger calls = new AtomicInteger();

    @BeforeEach
    void start() throws IOException {
        server = new ControlServer(socket(), this::handle, new ControlServer.Limits(2, 2, 60_000, 20, 1000, 600));
        server.start();
    }

    @AfterEach
    void stop() {
        release.countDown();
        server.close();
        assertThat(socket()).doesNotExist();
    }

    private Path socket() {
        return folder.resolve("control.sock");
    }

    private ExitCode handle(Invocation invocation, Console console) {
        calls.incrementAndGet();
        switch (invocation.program()) {
            case "echo" -> {
                console.outLine(String.join(" ", invocation.arguments()) + " " + invocation.environment());
                console.errLine("on stderr");
                return ExitCode.EXISTS;
            }
            case "large" -> console.out("x".repeat(3_000_000));
            case "archipelago" -> {
                return ExitCode.BUSY;
            }
            case "slow" -> {
                entered.countDown();
                await(release);
            }
            case "watch" -> {
                entered.countDown();
                while (!console.gone()) {
                    Thread.onSpinWait();
                }
                sawLeaving.complete(true);
            }
            case "verb" -> {
                try {
                    Console.VerbResult result = console.verb(List.of("inspect", "a b"));
                    verb.complete(result.status() + ":" + result.output());
                } catch (Failure e) {
                    verb.complete(e.getMessage());
                }
            }
            default -> throw new IllegalStateException("a defect, which closes the conversation");
        }
        return ExitCode.OK;
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private ControlClient.Result call(String program, String... arguments) throws IOException {
        return ControlClient.call(socket(), new Invocation(program, List.of(arguments), Map.of("VOL_NAME", "v"), Path.of("/"), Terminal.NONE), 5000);
    }

    @Test
    void aCommandGetsWhatItsCallerBroughtAndGivesBackItsCode() throws IOException {
        ControlClient.Result result = call("echo", "a", "", "b c");
        assertThat(result.code()).isEqualTo(6);
        assertThat(result.output()).isEqualTo("a  b c {VOL_NAME=v}\non stderr\n");
        assertThat(Files.getPosixFilePermissions(socket())).hasSize(4);
    }

    @Test
    void muchOutputArrivesWhole() throws IOException {
        assertThat(call("large").output()).hasSize(3_000_000);
    }

    @Test
    void aDefectEndsOneConversation() throws IOException {
        assertThat(call("unknown").code()).isEqualTo(1);
        assertThat(call("echo").code()).isEqualTo(6);
    }

    @Test
    void garbageHarmsNobody() throws IOException {
        Random random = new Random(3);
        for (int round = 0; round < 200; round++) {
            byte[] garbage = new byte[random.nextInt(300)];
            random.nextBytes(garbage);
            if (round % 3 == 0 && garbage.length > 8) {
                System.arraycopy(FrameDescriptor.magic(), 0, garbage, 0, 8);
            }
            try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
                channel.write(ByteBuffer.wrap(garbage));
            } catch (IOException e) {
                assertThat(e.getMessage()).isIn("Broken pipe", "Connection reset by peer", "Connection reset");
            }
        }
        assertThat(call("echo").code()).isEqualTo(6);
        assertThat(calls.get()).isEqualTo(1);
    }

    @Test
    void anOversizedRequestIsRefusedWithAReason() throws IOException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            channel.write(ByteBuffer.wrap(FrameDescriptor.magic()));
            byte[] payload = new byte[FrameDescriptor.PAYLOAD_MAX];
            assertThatThrownBy(() -> {
                for (int i = 0; i < 100; i++) {
                    ByteBuffer frame = FrameDescriptor.frame((byte) 'A', payload, 0, payload.length);
                    while (frame.hasRemaining()) {
                        channel.write(frame);
                    }
                }
            }).isInstanceOf(IOException.class);
        }
        assertThat(call("echo").code()).isEqualTo(6);
    }

    @Test
    void halfAHandshakeIsEndedAfterABound() throws IOException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            channel.write(ByteBuffer.wrap(FrameDescriptor.magic(), 0, 5));
            assertThat(readAll(channel)).contains("no request came within 1000 ms");
        }
        assertThat(call("echo").code()).isEqualTo(6);
    }

    private static String readAll(SocketChannel channel) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(4096);
        while (channel.read(buffer) >= 0) {
            assertThat(buffer.hasRemaining()).isTrue();
        }
        return new String(buffer.array(), 0, buffer.position());
    }

    @Test
    void theFloodIsToldToComeBack() throws IOException {
        List<CompletableFuture<Integer>> slow = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            slow.add(CompletableFuture.supplyAsync(() -> {
                try {
                    return call("slow").code();
                } catch (IOException e) {
                    return -1;
                }
            }, task -> new Thread(task).start()));
        }
        await(entered);
        long refused;
        do {
            refused = slow.stream().filter(f -> f.getNow(0) == 75).count();
        } while (refused < 4);
        release.countDown();
        assertThat(slow.stream().map(CompletableFuture::join).filter(c -> c == 0).count()).isEqualTo(4);
        assertThat(call("echo").code()).isEqualTo(6);
    }

    private SocketChannel begun(Path socket, String program) throws IOException {
        SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        begin(channel, program);
        return channel;
    }

    /** However long others take: who waits is sent away after a bound, and administration goes on. */
    @Test
    void longCommandsDoNotStopTheOthers() throws IOException {
        Path socket = folder.resolve("other.sock");
        try (ControlServer impatient = new ControlServer(socket, this::handle, new ControlServer.Limits(2, 2, 1000, 20, 1000, 600))) {
            impatient.start();
            List<SocketChannel> slow = List.of(begun(socket, "slow"), begun(socket, "slow"));
            while (calls.get() < 2) {
                Thread.onSpinWait();
            }
            try (SocketChannel waiting = begun(socket, "echo")) {
                assertThat(readAll(waiting)).contains("has waited 1 s for one of 2 others to end");
            }
            assertThat(ControlClient.call(socket, new Invocation("archipelago", List.of(), Map.of(), Path.of("/"), Terminal.NONE), 5000).code())
                .isEqualTo(5);
            release.countDown();
            for (SocketChannel channel : slow) {
                channel.close();
            }
        }
    }

    @Test
    void connectionsAreBounded() throws IOException {
        List<SocketChannel> idle = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            idle.add(SocketChannel.open(UnixDomainSocketAddress.of(socket())));
        }
        assertThat(call("echo").code()).isEqualTo(75);
        for (SocketChannel channel : idle) {
            channel.close();
        }
        int code;
        do {
            code = call("echo").code();
        } while (code == 75);
        assertThat(code).isEqualTo(6);
    }

    @Test
    void aCommandSeesThatItsCallerHasGone() throws Exception {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            begin(channel, "watch");
            await(entered);
        }
        assertThat(sawLeaving.get(10, TimeUnit.SECONDS)).isTrue();
    }

    private static void begin(SocketChannel channel, String program) throws IOException {
        channel.write(ByteBuffer.wrap(FrameDescriptor.magic()));
        channel.write(FrameDescriptor.frame((byte) 'P', program));
        channel.write(FrameDescriptor.frame((byte) 'G', ""));
    }

    @Test
    void whoWaitsIsNotForgotten() throws IOException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            begin(channel, "slow");
            ByteBuffer frames = ByteBuffer.allocate(2 * 8); // that it begins, and that it goes on
            while (frames.hasRemaining()) {
                channel.read(frames);
            }
            assertThat(frames.get(0)).isEqualTo((byte) 'K');
            assertThat(frames.get(8)).isEqualTo((byte) 'K');
        }
    }

    @Test
    void aVerbIsAnsweredByTheCaller() throws Exception {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            begin(channel, "verb");
            ByteBuffer asked = ByteBuffer.allocate(8 + 8 + 11); // behind the frame that it begins with
            while (asked.hasRemaining()) {
                channel.read(asked);
            }
            assertThat(new String(asked.array(), 16, 11)).isEqualTo("inspect\0a b");
            channel.write(FrameDescriptor.frame((byte) 'o', "some "));
            channel.write(FrameDescriptor.frame((byte) 'o', "output"));
            channel.write(FrameDescriptor.frame((byte) 's', FrameDescriptor.number(3), 0, 4));
            assertThat(verb.get(10, TimeUnit.SECONDS)).isEqualTo("3:some output");
        }
    }

    @Test
    void answersThatNobodyAskedForAreRefused() throws Exception {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            begin(channel, "verb");
            ByteBuffer asked = ByteBuffer.allocate(8 + 8 + 11); // behind the frame that it begins with
            while (asked.hasRemaining()) {
                channel.read(asked);
            }
            channel.write(FrameDescriptor.frame((byte) 'Q', "?"));
            assertThat(readAll(channel)).contains("an answer that nobody asked for");
        }
        assertThat(verb.get(10, TimeUnit.SECONDS)).contains("the caller went away");
    }

    @Test
    void answersAreRefusedWhileNoVerbIsOut() throws Exception {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            begin(channel, "slow");
            await(entered);
            channel.write(FrameDescriptor.frame((byte) 'o', "x"));
            assertThat(readAll(channel)).contains("an answer that nobody asked for");
        }
    }

    @Test
    void aVerbPrintsSoMuchAndNoMore() throws Exception {
        byte[] part = new byte[FrameDescriptor.PAYLOAD_MAX / 2];
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            begin(channel, "verb");
            ByteBuffer asked = ByteBuffer.allocate(8 + 8 + 11); // behind the frame that it begins with
            while (asked.hasRemaining()) {
                channel.read(asked);
            }
            for (int i = 0; i < 2; i++) {
                writeAll(channel, FrameDescriptor.frame((byte) 'o', part, 0, part.length));
            }
            writeAll(channel, FrameDescriptor.frame((byte) 'o', "x"));
            assertThat(readAll(channel)).contains("a verb printed more than 65536 bytes");
        }
        assertThat(verb.get(10, TimeUnit.SECONDS)).contains("the caller went away");
    }

    private static void writeAll(SocketChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Many that send as much as one may, and never the end of it. */
    @Test
    void requestsAreBoundedTogether() throws IOException {
        Path socket = folder.resolve("other.sock");
        byte[] part = new byte[FrameDescriptor.PAYLOAD_MAX];
        List<SocketChannel> clients = new ArrayList<>();
        try (ControlServer patient = new ControlServer(socket, this::handle, new ControlServer.Limits(2, 2, 60_000, 20, 60_000, 600))) {
            patient.start();
            for (int i = 0; i < 14; i++) {
                SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
                clients.add(channel);
                channel.write(ByteBuffer.wrap(FrameDescriptor.magic()));
                try {
                    for (int k = 0; k < 14; k++) {
                        writeAll(channel, FrameDescriptor.frame((byte) 'A', part, 0, part.length));
                    }
                } catch (IOException e) {
                    assertThat(i).isEqualTo(13);
                }
            }
            assertThat(readAll(clients.get(13))).contains("too many requests at once");
        } finally {
            for (SocketChannel channel : clients) {
                channel.close();
            }
        }
    }

    @Test
    void whoDoesNotReadIsRefusedWithoutAWait() throws Exception {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            begin(channel, "large"); // its output fills the queue, and is not read
            while (calls.get() == 0) {
                Thread.onSpinWait();
            }
            Thread.sleep(100);
            channel.write(FrameDescriptor.frame((byte) 'o', "nobody asked"));
            assertThat(call("echo").code()).isEqualTo(6);
        }
    }

    @Test
    void aVerbIsCutOffByTheEnd() throws Exception {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            begin(channel, "verb");
            assertThat(channel.read(ByteBuffer.allocate(8 + 11))).isPositive();
            server.close();
            assertThat(verb.get(1, TimeUnit.SECONDS)).contains("archipelagod is stopping");
        }
    }

    @Test
    void closingDoesNotWaitForWhoSaysNothing() throws IOException {
        List<SocketChannel> silent = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            silent.add(SocketChannel.open(UnixDomainSocketAddress.of(socket())));
        }
        assertThat(call("echo").code()).isEqualTo(6);
        long start = System.nanoTime();
        server.close();
        assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(5));
        for (SocketChannel channel : silent) {
            assertThat(channel.read(ByteBuffer.allocate(1))).isEqualTo(-1);
            channel.close();
        }
    }

    @Test
    void aPathThatIsTooLongIsRefused() {
        Path deep = folder.resolve("x".repeat(120)).resolve("control.sock");
        assertThatThrownBy(() -> new ControlServer(deep, this::handle)).isInstanceOf(IOException.class).hasMessageContaining("107");
    }
}
