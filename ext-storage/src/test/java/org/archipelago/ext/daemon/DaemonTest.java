package org.archipelago.ext.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.archipelago.config.Locations;
import org.archipelago.ext.Console.Terminal;
import org.archipelago.ext.Console.VerbResult;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.FakeConsole;
import org.archipelago.ext.Programs;
import org.archipelago.ext.control.ControlClient;
import org.archipelago.ext.control.Invocation;
import org.archipelago.ext.node.Mapping;
import org.archipelago.ext.node.MappingStore;
import org.archipelago.ext.node.Node;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A real daemon in this process, over a folder of its own, with commands as the client would send them. */
@Timeout(120)
class DaemonTest {
    private static final String CONFIGURATION = """
        SEGMENT_NAME = 'test'
        SEGMENT_SIZE = 32
        SEGMENT_PORTS = 64
        NBD_BUFFERS = 2
        REACTORS = 1
        XSEGBD_START = 0
        XSEGBD_END = 9
        VTOOL_START = 60
        VTOOL_END = 63
        ENDPOINT = '%s'
        roles = [('b', 'file_blocker'), ('m', 'file_blocker'), ('map', 'mapperd'), ('vol', 'vlmcd')]
        b = {'portno_start': 20, 'portno_end': 20, 'nr_ops': 64, 'archip_dir': 'blocks'}
        m = {'portno_start': 21, 'portno_end': 21, 'nr_ops': 64, 'archip_dir': 'maps'}
        map = {'portno_start': 22, 'portno_end': 22, 'nr_ops': 64, 'blockerb_port': 20, 'blockerm_port': 21}
        vol = {'portno_start': 30, 'portno_end': 49, 'nr_ops': 64, 'blocker_port': 20, 'mapper_port': 22}
        """;

    private Path root;
    private Locations locations;
    private Daemon daemon;

    @BeforeEach
    void start() throws IOException {
        root = Files.createTempDirectory(Path.of("/tmp"), "ext"); // a socket's path must be short
        configure("none");
        Files.createDirectories(root.resolve("blocks"));
        Files.createDirectories(root.resolve("maps"));
        locations = Locations.of(Map.of(Locations.ROOT_VARIABLE, root.toString()));
        Launcher.prepare(locations);
        daemon = new Daemon(locations);
    }

    private void configure(String endpoint) throws IOException {
        Files.createDirectories(root.resolve("etc"));
        Files.writeString(root.resolve("etc/archipelago.conf"), CONFIGURATION.formatted(endpoint));
    }

    private void restart(String endpoint) throws IOException {
        daemon.close();
        configure(endpoint);
        daemon = new Daemon(locations);
    }

    @AfterEach
    void stop() throws IOException {
        daemon.close();
        try (var files = Files.walk(root)) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    private FakeConsole expect(ExitCode code, FakeConsole console, String program, String... arguments) {
        assertThat(Programs.find(program).orElseThrow().run(List.of(arguments), console, daemon))
            .as(program + " " + List.of(arguments) + ": " + console.errors()).isEqualTo(code);
        return console;
    }

    private FakeConsole vlmc(String... arguments) {
        return expect(ExitCode.OK, new FakeConsole(), "vlmc", arguments);
    }

    private String refused(ExitCode code, String... arguments) {
        FakeConsole console = expect(code, new FakeConsole(), "vlmc", arguments);
        assertThat(console.output()).isEmpty();
        assertThat(console.errors().lines().count()).isEqualTo(1);
        return console.errors();
    }

    private FakeConsole hook(ExitCode code, FakeConsole console, String action, String volume) {
        return expect(code, console.with("VOL_NAME", volume), "ext-storage", action);
    }

    private FakeConsole hook(String action, String volume) {
        return hook(ExitCode.OK, new FakeConsole().with("VOL_SIZE", "16").with("VOL_NEW_SIZE", "32").with("VOL_OPEN_EXCLUSIVE", "True")
            .with("VOL_SNAPSHOT_NAME", volume + ".snap"), action, volume);
    }

    @Test
    void volumesLiveAndDie() {
        vlmc("create", "v", "--size", "10M");
        vlmc("snapshot", "v", "s");
        vlmc("create", "c", "--snap", "s");
        vlmc("create", "d", "--snap", "s", "--size", "20");
        vlmc("resize", "c", "-s", "12M");
        vlmc("rename", "d", "e");
        assertThat(vlmc("list", "-n", "-b", "-o", "name,type,size,origin").output().lines().map(l -> l.replaceAll(" +", " ")))
            .containsExactly("c volume 12582912 s", "e volume 20971520 s", "s snapshot 10485760 v", "v volume 10485760");
        assertThat(vlmc("info", "c", "-o", "size,name").output()).isEqualTo("size: 12M\nname: c\n");
        assertThat(vlmc("mapinfo", "v").output()).contains("blocks:").contains("zero:");
        vlmc("remove", "s");
        vlmc("remove", "c");
        assertThat(JsonParser.parseString(vlmc("list", "--json").output()).getAsJsonObject().getAsJsonArray("volumes")).hasSize(2);
        assertThat(vlmc("ls", "e", "-n", "-o", "name").output()).isEqualTo("e\n");
    }

    @Test
    void mistakesHaveTheirCodes() {
        vlmc("create", "v", "--size", "10M");
        assertThat(refused(ExitCode.EXISTS, "create", "v", "--size", "1G")).contains("v exists already");
        assertThat(refused(ExitCode.NOT_FOUND, "create", "x", "--snap", "none")).contains("none");
        assertThat(refused(ExitCode.USAGE, "create", "x", "--snap", "v")).contains("snapshot");
        assertThat(refused(ExitCode.USAGE, "create", "x")).contains("--size");
        refused(ExitCode.USAGE, "create", "x", "--size", "0");
        refused(ExitCode.USAGE, "create", "x", "--size", "-5");
        refused(ExitCode.USAGE, "create", "x", "--size", "1000P");
        refused(ExitCode.USAGE, "create", "x", "--size", "much");
        refused(ExitCode.USAGE, "create", "x", "--size", "");
        refused(ExitCode.USAGE, "create", "", "--size", "1M");
        refused(ExitCode.USAGE, "create", "../x", "--size", "1M");
        refused(ExitCode.USAGE, "create", "x\n", "--size", "1M");
        refused(ExitCode.USAGE, "create", "@x", "--size", "1M");
        refused(ExitCode.USAGE, "create", "y".repeat(81), "--size", "1M");
        refused(ExitCode.NOT_FOUND, "info", "none");
        refused(ExitCode.NOT_FOUND, "remove", "none");
        refused(ExitCode.NOT_FOUND, "map", "none");
        refused(ExitCode.NOT_FOUND, "unmap", "/dev/loop7");
        refused(ExitCode.NOT_FOUND, "snapshot", "none", "s");
        refused(ExitCode.NOT_FOUND, "resize", "none", "--size", "1G");
        refused(ExitCode.USAGE, "resize", "v");
        vlmc("snapshot", "v", "s");
        refused(ExitCode.EXISTS, "snapshot", "v", "s");
        refused(ExitCode.EXISTS, "rename", "v", "s");
        assertThat(vlmc("list", "-n", "-o", "name").output()).isEqualTo("s\nv\n");
    }

    @Test
    void mappingIsIdempotentAndProtects() {
        vlmc("create", "v", "--size", "10M");
        Path socket = locations.nbdSocket("v");
        assertThat(vlmc("map", "v").output()).isEqualTo(socket + "\n");
        assertThat(vlmc("map", "v").output()).isEqualTo(socket + "\n");
        assertThat(socket).exists();
        assertThat(refused(ExitCode.BUSY, "remove", "v")).contains(socket.toString());
        refused(ExitCode.BUSY, "rename", "v", "w");
        assertThat(vlmc("showmapped").output()).contains("attached");
        FakeConsole stop = expect(ExitCode.BUSY, new FakeConsole(), "archipelago", "stop");
        assertThat(stop.errors()).contains("v (").contains("--force");
        vlmc("unmap", socket.toString());
        assertThat(socket).doesNotExist();
        assertThat(vlmc("showmapped").output()).isEqualTo("No volumes mapped\n");
        vlmc("remove", "v");
    }

    @Test
    void mappedVolumesAreServedAgainAfterARestart() throws IOException {
        vlmc("create", "v", "--size", "10M");
        vlmc("map", "v");
        restart("none");
        assertThat(locations.nbdSocket("v")).exists();
        assertThat(locations.imageSocket("v")).exists();
        assertThat(vlmc("showmapped", "-n", "-o", "id,volume,state").output()).isEqualTo("1  v  attached\n");
        vlmc("unmap", "v");
        assertThat(new MappingStore(locations.run()).all()).isEmpty();
    }

    @Test
    void hooksDoWhatGanetiWants() {
        hook("create", "u.ext.disk0");
        String attached = hook("attach", "u.ext.disk0").output();
        assertThat(attached).isEqualTo("\nkvm:nbd:unix:" + locations.nbdSocket("u.ext.disk0") + ",file.reconnect-delay=300\n");
        assertThat(Path.of(attached.strip().substring("kvm:nbd:unix:".length()))).exists();
        hook("open", "u.ext.disk0");
        hook("open", "u.ext.disk0");
        assertThat(vlmc("info", "u.ext.disk0", "-o", "holder").output()).contains("this node");
        hook("snapshot", "u.ext.disk0");
        hook("attach", "u.ext.disk0.snap");
        hook("open", "u.ext.disk0.snap");
        hook("close", "u.ext.disk0.snap");
        hook("detach", "u.ext.disk0.snap");
        hook("remove", "u.ext.disk0.snap");
        hook("grow", "u.ext.disk0");
        hook("grow", "u.ext.disk0");
        assertThat(vlmc("info", "u.ext.disk0", "-o", "size").output()).contains("32M");
        hook(ExitCode.OK, new FakeConsole().with("VOL_METADATA", "originstname+i1").with("VOL_CNAME", "root").with("VOL_UUID", "77"),
            "setinfo", "u.ext.disk0");
        assertThat(vlmc("info", "u.ext.disk0").output()).contains("ganeti.instance=i1", "ganeti.disk-name=root", "ganeti.disk-uuid=77");
        hook(ExitCode.OK, new FakeConsole().with("VOL_OPEN_EXCLUSIVE", "False"), "open", "u.ext.disk0");
        hook(ExitCode.BUSY, new FakeConsole(), "remove", "u.ext.disk0");
        hook("detach", "u.ext.disk0");
        hook("detach", "u.ext.disk0");
        hook("close", "u.ext.disk0");
        hook("remove", "u.ext.disk0");
        assertThat(hook("remove", "u.ext.disk0").errors()).contains("does not exist");
        hook("detach", "u.ext.disk0");
        assertThat(vlmc("list", "-n").output()).isEmpty();
        assertNoSockets();
    }

    @Test
    void hooksRefuseBadOrders() {
        expect(ExitCode.USAGE, new FakeConsole(), "ext-storage", "attach");
        hook(ExitCode.USAGE, new FakeConsole(), "create", "v");
        hook(ExitCode.USAGE, new FakeConsole().with("VOL_SIZE", "x"), "create", "v");
        hook(ExitCode.USAGE, new FakeConsole().with("VOL_SIZE", "16").with("EXTP_SIEZ", "1"), "create", "v");
        hook(ExitCode.NOT_FOUND, new FakeConsole().with("VOL_SIZE", "16").with("EXTP_ORIGIN", "none"), "create", "v");
        hook(ExitCode.NOT_FOUND, new FakeConsole(), "attach", "v");
        hook(ExitCode.USAGE, new FakeConsole().with("VOL_OPEN_EXCLUSIVE", "yes"), "open", "v");
        hook(ExitCode.USAGE, new FakeConsole(), "attach", "a/b");
        hook(ExitCode.USAGE, new FakeConsole().with("VOL_SIZE", "16"), "grow", "v");
        hook("create", "v");
        hook(ExitCode.EXISTS, new FakeConsole().with("VOL_SIZE", "16"), "create", "v");
        assertThat(vlmc("list", "-n", "-o", "name").output()).isEqualTo("v\n");
    }

    @Test
    void aCallerWhoLeavesDuringCreateGetsNothing() {
        FakeConsole console = new FakeConsole().with("VOL_SIZE", "16");
        console.leave();
        hook(ExitCode.OK, console, "create", "v");
        assertThat(vlmc("list", "-n").output()).isEmpty();
    }

    private static VerbResult device(List<String> words) {
        return words.get(0).equals("loop-attach") ? new VerbResult(0, "/dev/loop9999\n") : new VerbResult(0, "");
    }

    @Test
    void devicesAreMadeOnTheCallersSide() throws IOException {
        restart("loop");
        hook("create", "v");
        FakeConsole root = new FakeConsole().answering(DaemonTest::device);
        assertThat(hook(ExitCode.OK, root, "attach", "v").output()).startsWith("/dev/loop9999\nkvm:nbd:unix:/");
        assertThat(root.verbs()).containsExactly(List.of("loop-attach", "v"));
        assertThat(vlmc("showmapped", "-n", "-o", "device").output()).isEqualTo("/dev/loop9999\n");
        FakeConsole grow = new FakeConsole().answering(DaemonTest::device).with("VOL_NEW_SIZE", "32");
        hook(ExitCode.OK, grow, "grow", "v");
        assertThat(grow.verbs()).containsExactly(List.of("loop-resize", "v"));
        FakeConsole busy = new FakeConsole().answering(words -> new VerbResult(5, ""));
        assertThat(hook(ExitCode.BUSY, busy, "detach", "v").errors()).contains("/dev/loop9999").contains("in use");
        assertThat(vlmc("showmapped", "-n", "-o", "state").output()).isEqualTo("detaching\n");
        FakeConsole end = new FakeConsole().answering(DaemonTest::device);
        hook(ExitCode.OK, end, "detach", "v");
        assertThat(end.verbs()).containsExactly(List.of("loop-detach", "v"));
        assertThat(new MappingStore(locations.run()).all()).isEmpty();
    }

    @Test
    void aDriverThatTheKernelLacks_isTold() throws IOException {
        restart("nbd");
        hook("create", "v");
        FakeConsole lacking = new FakeConsole().answering(words -> new VerbResult(words.get(0).equals("nbd-attach") ? 127 : 0, ""));
        assertThat(hook(ExitCode.FAILED, lacking, "attach", "v").errors()).contains("does not have what makes devices of type nbd");
        assertThat(lacking.verbs()).containsExactly(List.of("nbd-attach", "v"), List.of("nbd-detach", "v"));
        FakeConsole root = new FakeConsole().answering(words -> new VerbResult(0, "/dev/nbd9999\n"));
        assertThat(hook(ExitCode.OK, root, "attach", "v").output()).startsWith("/dev/nbd9999\n");
        assertThat(vlmc("showmapped", "-n", "-o", "endpoint").output()).isEqualTo("nbd\n");
        assertThat(vlmc("showmapped").output()).contains("/dev/nbd9999");
        hook(ExitCode.OK, root, "detach", "v");
        assertThat(root.verbs()).containsExactly(List.of("nbd-attach", "v"), List.of("nbd-detach", "v"));
    }

    @Test
    void whereNoRootIsAtHandTheUriIsServedAlone() throws IOException {
        restart("auto");
        hook("create", "v");
        assertThat(hook(ExitCode.OK, new FakeConsole(), "attach", "v").output()).startsWith("\nkvm:nbd:unix:/");
        FakeConsole root = new FakeConsole().answering(DaemonTest::device);
        assertThat(hook(ExitCode.OK, root, "attach", "v").output()).startsWith("/dev/loop9999\n");
        hook(ExitCode.OK, new FakeConsole().answering(DaemonTest::device), "detach", "v");
        restart("loop");
        hook(ExitCode.FAILED, new FakeConsole(), "attach", "v");
        assertThat(new MappingStore(locations.run()).all()).isEmpty();
        assertThat(locations.nbdSocket("v")).doesNotExist();
    }

    @Test
    void aCallerWhoDiesHalfWayLeavesWhatTheNextOneEnds() throws IOException {
        restart("loop");
        hook("create", "v");
        FakeConsole dying = new FakeConsole();
        dying.answering(words -> {
            dying.leave();
            throw new Failure(ExitCode.FAILED, "the caller went away");
        });
        hook(ExitCode.FAILED, dying, "attach", "v");
        Mapping half = new MappingStore(locations.run()).get("v").orElseThrow();
        assertThat(half.state()).isEqualTo(Mapping.State.ATTACHING);
        assertThat(half.kind()).isEqualTo(Mapping.Kind.LOOP);
        FakeConsole next = new FakeConsole().answering(DaemonTest::device);
        hook(ExitCode.OK, next, "detach", "v");
        assertThat(next.verbs()).containsExactly(List.of("loop-detach", "v"));
        assertThat(new MappingStore(locations.run()).all()).isEmpty();
    }

    @Test
    void aFailedAttachLeavesNothing() throws IOException {
        restart("loop");
        hook("create", "v");
        FakeConsole broken = new FakeConsole().answering(words -> new VerbResult(words.get(0).equals("loop-attach") ? 1 : 0, ""));
        hook(ExitCode.FAILED, broken, "attach", "v");
        assertThat(broken.verbs()).containsExactly(List.of("loop-attach", "v"), List.of("loop-detach", "v"));
        assertThat(new MappingStore(locations.run()).all()).isEmpty();
        assertThat(locations.nbdSocket("v")).doesNotExist();
    }

    @Test
    void manyHooksAtOnceMakeOneMapping() {
        hook("create", "v");
        for (int round = 0; round < 5; round++) {
            List<CompletableFuture<String>> all = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                String action = i % 4 == 3 ? "detach" : "attach";
                all.add(CompletableFuture.supplyAsync(() -> hook(action, "v").output()));
            }
            all.forEach(CompletableFuture::join);
        }
        assertThat(new MappingStore(locations.run()).all().size()).isLessThanOrEqualTo(1);
        hook("detach", "v");
        assertNoSockets();
    }

    @Test
    void importUndoesItsWorkWhenTheCopyFails() {
        FakeConsole console = new FakeConsole().answering(words -> words.get(0).equals("inspect")
            ? new VerbResult(0, "{\"format\":\"raw\",\"virtual-size\":1000000}") : new VerbResult(1, ""));
        expect(ExitCode.FAILED, console, "vlmc", "import", "some.img", "image");
        assertThat(console.verbs().get(1)).startsWith("convert-in", "raw", "some.img");
        assertThat(vlmc("list", "-a", "-n").output()).isEmpty();
        assertNoSockets();
    }

    @Test
    void aFewImagesAreCopiedAtATime() throws Exception {
        vlmc("create", "v", "--size", "1M");
        CountDownLatch begun = new CountDownLatch(4);
        CountDownLatch end = new CountDownLatch(1);
        List<CompletableFuture<FakeConsole>> copies = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            FakeConsole slow = new FakeConsole().answering(words -> {
                begun.countDown();
                await(end);
                return new VerbResult(0, "");
            });
            copies.add(CompletableFuture.supplyAsync(() -> expect(ExitCode.OK, slow, "vlmc", "export", "v", "out"), task -> new Thread(task).start()));
        }
        await(begun);
        assertThat(refused(ExitCode.TRY_AGAIN, "export", "v", "out")).contains("4 images are being copied");
        assertThat(refused(ExitCode.TRY_AGAIN, "import", "some.img", "image")).contains("4 images are being copied");
        end.countDown();
        copies.forEach(CompletableFuture::join);
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** As after a SIGKILL in the middle of an import: the next daemon takes away what only a killed one of its own can have left. */
    @Test
    void whatAKilledImportLeftGoesAtTheNextStart() throws Exception {
        vlmc("create", "v", "--size", "1M");
        vlmc("map", "v");
        List<String> volumes = List.of("@import-" + node().shortIdentity() + "-0-1", "@import-0badcafe-0-1");
        volumes.forEach(name -> node().volumes().create(name, 1 << 20, "", Map.of()));
        daemon.close();
        Path nbd = locations.run().resolve("nbd");
        Path images = locations.run().resolve("img");
        for (String name : List.of(volumes.get(0) + ".sock", ".new-1234", "gone.sock")) {
            Files.createFile(nbd.resolve(name));
            Files.createFile(images.resolve(name));
        }
        Files.createSymbolicLink(nbd.resolve("gone.sock,file.reconnect-delay=300"), Path.of("gone.sock"));
        daemon = new Daemon(locations);
        assertThat(nbd.toFile().list()).containsOnly("v.sock", "v.sock,file.reconnect-delay=300");
        assertThat(images.toFile().list()).containsOnly("v.sock");
        while (vlmc("list", "-a", "-n", "-o", "name").output().contains(volumes.get(0))) {
            Thread.sleep(10);
        }
        assertThat(vlmc("list", "-a", "-n", "-o", "name").output()).isEqualTo(volumes.get(1) + "\nv\n");
        vlmc("unmap", "v");
    }

    private void assertNoSockets() {
        for (String folder : List.of("nbd", "img")) {
            assertThat(locations.run().resolve(folder).toFile().list()).as("sockets in " + folder).isEmpty();
        }
    }

    private Node node() {
        return daemon.node(locations);
    }

    @Test
    void importMakesASnapshot() {
        FakeConsole console = new FakeConsole().answering(words -> new VerbResult(0,
            words.get(0).equals("inspect") ? "{\"format\":\"qcow2\",\"virtual-size\":1000000}" : ""));
        expect(ExitCode.OK, console, "vlmc", "import", "some.img", "image");
        assertThat(vlmc("list", "-a", "-n", "-b", "-o", "name,type,size,origin").output()).isEqualTo("image  snapshot  1003520\n");
        FakeConsole unreadable = new FakeConsole().answering(words -> new VerbResult(0,
            "{\"format\":\"qcow2\",\"virtual-size\":1,\"backing-filename\":\"/x\"}"));
        expect(ExitCode.FAILED, unreadable, "vlmc", "import", "some.img", "other");
        assertThat(unreadable.errors()).contains("/x");
    }

    @Test
    void locksAreTheAdministrators() {
        vlmc("create", "v", "--size", "1M");
        vlmc("lock", "v");
        vlmc("lock", "v");
        assertThat(vlmc("info", "v", "-o", "lock").output()).contains("this node");
        vlmc("close", "v");
        assertThat(vlmc("info", "v", "-o", "lock").output()).contains("this node");
        vlmc("unlock", "v");
        vlmc("unlock", "-f", "v");
        assertThat(vlmc("info", "v", "-o", "lock").output()).isEqualTo("lock:\n");
    }

    @Test
    void statusTellsOfEveryRole() {
        FakeConsole console = expect(ExitCode.OK, new FakeConsole(), "archipelago", "status");
        assertThat(console.output()).contains("archipelagod  running", "b     file_blocker  running", "vol   vlmcd         running");
        var json = JsonParser.parseString(expect(ExitCode.OK, new FakeConsole(), "archipelago", "status", "--json").output()).getAsJsonObject();
        assertThat(json.get("running").getAsBoolean()).isTrue();
        assertThat(json.getAsJsonArray("roles")).hasSize(4);
        expect(ExitCode.OK, new FakeConsole(), "ext-storage", "verify");
        expect(ExitCode.NOT_FOUND, new FakeConsole(), "ext-storage", "verify", "none");
        expect(ExitCode.USAGE, new FakeConsole(), "archipelago", "stop", "map");
        expect(ExitCode.NOT_FOUND, new FakeConsole(), "archipelago", "stop", "mpa");
        expect(ExitCode.OK, new FakeConsole(), "archipelago", "start");
    }

    @Test
    void aSecondDaemonIsRefusedAndTheSocketServes() throws IOException {
        assertThatThrownBy(() -> Identity.acquire(locations.data(), 0, () -> "the first")).hasMessageContaining("the first");
        ControlClient.Result result = ControlClient.call(locations.controlSocket(),
            new Invocation("vlmc", List.of("list"), Map.of(), Path.of("/"), Terminal.NONE), 10_000);
        assertThat(result).isEqualTo(new ControlClient.Result(0, "NAME  TYPE  SIZE  ORIGIN  HOLDER  DEVICE\n"));
        assertThat(ControlClient.call(locations.controlSocket(), new Invocation("rm", List.of(), Map.of(), Path.of("/"), Terminal.NONE), 10_000)
            .code()).isEqualTo(2);
    }

    @Test
    void whatStoppedIsToldWithoutTheDaemon() {
        daemon.close();
        FakeConsole console = new FakeConsole();
        try (DirectBacking direct = new DirectBacking(locations)) {
            assertThat(Programs.find("archipelago").orElseThrow().run(List.of("status"), console, direct)).isEqualTo(ExitCode.NOT_RUNNING);
            assertThat(console.output()).contains("not running").contains("stopped");
            assertThat(Programs.find("vlmc").orElseThrow().run(List.of("create", "v", "--size", "1M"), console, direct)).isEqualTo(ExitCode.OK);
            assertThat(Programs.find("vlmc").orElseThrow().run(List.of("map", "v"), console, direct)).isEqualTo(ExitCode.NOT_RUNNING);
        }
        try (DirectBacking direct = new DirectBacking(locations)) {
            FakeConsole list = new FakeConsole();
            Programs.find("vlmc").orElseThrow().run(List.of("list", "-n", "-o", "name"), list, direct);
            assertThat(list.output()).isEqualTo("v\n");
        }
    }

    @Test
    void aCommandByItselfLeavesTheWorkToADaemonThatHasStarted() {
        FakeConsole console = new FakeConsole();
        long start = System.nanoTime();
        try (DirectBacking direct = new DirectBacking(locations)) {
            assertThat(Programs.find("vlmc").orElseThrow().run(List.of("list"), console, direct)).isEqualTo(ExitCode.TRY_AGAIN);
        }
        assertThat(console.errors()).contains("archipelagod has started meanwhile");
        assertThat(TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start)).isLessThan(10);
    }

    @Test
    void aStartThatFailsLeavesNothingAndSaysWhy() throws IOException {
        daemon.close();
        Files.move(root.resolve("blocks"), root.resolve("elsewhere"));
        assertThatThrownBy(() -> new Daemon(locations)).isInstanceOf(Failure.class).hasMessageContaining("blocks");
        assertThat(ProcessState.read(locations.run(), ProcessState.MAIN).orElseThrow().why()).contains("blocks");
        assertThat(locations.controlSocket()).doesNotExist();
        Files.move(root.resolve("elsewhere"), root.resolve("blocks"));
        daemon = new Daemon(locations);
        vlmc("list");
    }
}
