package org.archipelago.peer.endpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The clients that people use; each test is skipped where its program is not installed. */
@Timeout(30)
class RealClientsTest {
    private static final int SIZE = 32 << 20;

    private NbdFixture nbd;
    private MemoryComposer.Disk disk;

    @BeforeEach
    void start() throws IOException {
        nbd = new NbdFixture(NbdFixture.settings(16 << 20));
        disk = nbd.volume("vol", SIZE);
    }

    @AfterEach
    void stop() throws IOException, InterruptedException {
        nbd.awaitIdle();
        nbd.close();
    }

    /** Data here and there, zeros between. */
    private static byte[] image(long seed) {
        byte[] bytes = new byte[SIZE];
        Random random = new Random(seed);
        for (int at = 0; at < SIZE; at += 1 << 20) {
            byte[] some = new byte[random.nextInt(600_000)];
            random.nextBytes(some);
            System.arraycopy(some, 0, bytes, at, some.length);
        }
        return bytes;
    }

    @Test
    void nbdinfo_describesTheVolume() throws IOException, InterruptedException {
        NbdFixture.needs("nbdinfo");
        String json = NbdFixture.run("nbdinfo", "--json", nbd.imageUri("vol"));
        assertThat(json).contains("\"export-size\": " + SIZE, "\"structured\": true", "\"base:allocation\"",
            "\"can_multi_conn\": true", "\"can_df\": true", "\"can_fua\": true", "\"can_zero\": true",
            "\"can_trim\": true", "\"can_fast_zero\": false", "\"is_read_only\": false", "\"block_size_minimum\": 1",
            "\"block_size_preferred\": 4096", "\"block_size_maximum\": 33554432");
        assertThat(NbdFixture.run("nbdinfo", "--json", nbd.uri("vol"))).contains("\"export-size\": " + SIZE, "\"structured\": false",
            "\"can_multi_conn\": true", "\"can_df\": false", "\"can_trim\": true").doesNotContain("base:allocation");
        assertThat(NbdFixture.run("nbdinfo", "--list", "nbd+unix:///?socket=" + nbd.socket("vol"))).contains("export=\"vol\"");
        disk.memory.setByte(8192, (byte) 1);
        disk.allocated[2] = true;
        assertThat(NbdFixture.run("nbdinfo", "--map", nbd.imageUri("vol")).lines().map(String::strip))
            .containsExactly("0        8192    3  hole,zero", "8192        4096    0  data",
                "12288    " + (SIZE - 12288) + "    3  hole,zero");
    }

    @Test
    void qemuImg_bringsAnImageInAndOut() throws IOException, InterruptedException {
        NbdFixture.needs("qemu-img");
        for (MemoryComposer.Mode mode : new MemoryComposer.Mode[] {MemoryComposer.Mode.AT_ONCE, MemoryComposer.Mode.MIXED}) {
            disk.mode = mode;
            byte[] image = image(mode.ordinal());
            Path in = nbd.folder.resolve("in.raw");
            Path out = nbd.folder.resolve("out.raw");
            Files.write(in, image);
            NbdFixture.run("qemu-img", "convert", "-n", "-W", "-f", "raw", "-O", "raw", in.toString(), nbd.imageUri("vol"));
            NbdFixture.assertBytes(disk.bytes(0, SIZE), image);
            NbdFixture.run("qemu-img", "convert", "-f", "raw", "-O", "raw", nbd.imageUri("vol"), out.toString());
            NbdFixture.assertBytes(Files.readAllBytes(out), image);
            Files.delete(out);
        }
        assertThat(disk.flushes).isPositive();
    }

    @Test
    void nbdcopy_withManyConnections() throws IOException, InterruptedException {
        NbdFixture.needs("nbdcopy");
        byte[] image = image(3);
        Path in = nbd.folder.resolve("in.raw");
        Path out = nbd.folder.resolve("out.raw");
        Files.write(in, image);
        disk.mode = MemoryComposer.Mode.MIXED;
        NbdFixture.run("nbdcopy", "--connections=8", "--flush", in.toString(), nbd.imageUri("vol"));
        NbdFixture.assertBytes(disk.bytes(0, SIZE), image);
        NbdFixture.run("nbdcopy", "--connections=8", "--requests=32", nbd.imageUri("vol"), out.toString());
        NbdFixture.assertBytes(Files.readAllBytes(out), image);
    }

    @Test
    void qemuIo_matchesAModel() throws IOException, InterruptedException {
        NbdFixture.needs("qemu-io");
        long seed = System.nanoTime();
        System.out.println("RealClientsTest.qemuIo seed=" + seed);
        Random random = new Random(seed);
        byte[] model = new byte[SIZE];
        List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "raw", "-d", "unmap"));
        for (int i = 0; i < 200; i++) {
            int length = 512 * (1 + random.nextInt(1 << 1 + random.nextInt(12)));
            int offset = 512 * random.nextInt((SIZE - length) / 512 + 1);
            byte pattern = (byte) (1 + random.nextInt(250));
            String range = offset + " " + length;
            int dice = random.nextInt(6);
            command.add("-c");
            switch (dice) {
                case 0, 1 -> command.add((random.nextBoolean() ? "write -q -P " : "aio_write -q -P ") + (pattern & 0xff) + " " + range);
                case 2 -> command.add("write -q -f -P " + (pattern & 0xff) + " " + range);
                case 3 -> command.add("write -q -z " + range);
                case 4 -> command.add("write -q -z -u " + range);
                default -> command.add("read -q " + range);
            }
            if (dice < 5) {
                Arrays.fill(model, offset, offset + length, dice < 3 ? pattern : 0);
            }
            command.add("-c");
            command.add("aio_flush");
        }
        command.add(nbd.uri("vol"));
        String output = NbdFixture.run(command.toArray(String[]::new));
        assertThat(output).doesNotContain("failed");
        NbdFixture.assertBytes(disk.bytes(0, SIZE), model);
    }

    @Test
    void fio_verifiesWhatItWrote() throws IOException, InterruptedException {
        NbdFixture.needs("fio");
        assumeTrue(NbdFixture.run("fio", "--enghelp").contains("nbd"), "fio's nbd engine");
        for (MemoryComposer.Mode mode : new MemoryComposer.Mode[] {MemoryComposer.Mode.AT_ONCE, MemoryComposer.Mode.MIXED}) {
            disk.mode = mode;
            for (String uri : new String[] {nbd.uri("vol"), nbd.imageUri("vol")}) {
                NbdFixture.run("fio", "--name=verify", "--ioengine=nbd", "--uri=" + uri, "--rw=randwrite",
                    "--bsrange=512-300k", "--bs_unaligned=1", "--iodepth=32", "--size=" + SIZE, "--verify=crc32c",
                    "--verify_fatal=1", "--do_verify=1", "--verify_state_save=0", "--io_size=" + SIZE);
            }
        }
    }

    @Test
    void libnbd_strictnessOff() throws IOException, InterruptedException {
        Path python = Path.of("/usr/bin/python3");
        assumeTrue(Files.isExecutable(python));
        assumeTrue(new ProcessBuilder(python.toString(), "-c", "import nbd").start().waitFor() == 0, "python3-libnbd");
        String script = String.join("\n",
            "import nbd, errno, os",
            "h = nbd.NBD()",
            "h.add_meta_context('base:allocation')",
            "h.connect_uri('" + nbd.imageUri("vol") + "')",
            "h.set_strict_mode(0)",
            "def fails(number, call):",
            "    try:",
            "        call()",
            "    except nbd.Error as e:",
            "        assert errno.errorcode[e.errnum] == number, e",
            "    else:",
            "        assert False, 'it succeeded'",
            "size = h.get_size()",
            "data = os.urandom(3000000)",
            "h.pwrite(data, 12345, nbd.CMD_FLAG_FUA)",
            "assert h.pread(3000000, 12345) == data",
            "assert h.pread(3000000, 12345, nbd.CMD_FLAG_DF) == data",
            "chunks = []",
            "h.pread_structured(3000000, 12345, lambda b, o, s, e: chunks.append((o, bytes(b), s)))",
            "assert b''.join(c[1] for c in sorted(chunks)) == data and len(chunks) > 10",
            "h.trim(4096, 16384)",
            "h.zero(4096, 20480, nbd.CMD_FLAG_NO_HOLE)",
            "assert h.pread(8192, 16384) == bytes(8192)",
            "extents = []",
            "h.block_status(1 << 20, 0, lambda c, o, e, err: extents.extend(e))",
            "assert extents == [12288, 3, 4096, 0, 4096, 3, (1 << 20) - 20480, 0], extents",
            "fails('EINVAL', lambda: h.pread(10, size - 9))",
            "fails('ENOSPC', lambda: h.pwrite(b'x' * 10, size - 9))",
            "fails('EINVAL', lambda: h.cache(4096, 0))",
            "fails('EINVAL', lambda: h.zero(4096, 0, nbd.CMD_FLAG_FAST_ZERO))",
            "h.flush()",
            "h.shutdown()");
        NbdFixture.run(python.toString(), "-c", script);
        assertThat(disk.flushes).isEqualTo(1);
    }
}
