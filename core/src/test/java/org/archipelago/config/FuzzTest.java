package org.archipelago.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever the bytes are, reading ends soon, with a configuration or a ConfigurationException. */
class FuzzTest {
    private static final int MUTATIONS = 50_000;
    private static final long SEED = 20240229;
    private static final String DENSE = "A = 0x1F + -2 * (3 // 4)\nB = '''a\n\\'b\\x41\\u20ac''' \"c\\\nd\" # e\n"
            + "roles = [('A', 'dummy',), (\"b\", 'file_blocker')]\nb = {'x': {'y': [None, True, ()]}, 'z': 1_0}\n";
    private static final List<String> PIECES = List.of("[", "]", "(", ")", "{", "}", "'", "\"", "'''", "\\", "\n", "\r", "#", "=",
            ",", ":", "-", "*", "//", "0x", "1_", "9999999999999999999", "None", "True", "\t", "\0", "é", "\ufeff", "\\u", "\\777",
            "roles", "nr_ops", "'portno_start': ", "= {", "USER = ''\n", ".5", "e9", "f'", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");

    private static void read(byte[] bytes) {
        try {
            Configuration c = ConfigurationReader.parse(bytes, Sample.FILE, Sample.BASE);
            Sample.read(c.effective());
        } catch (ConfigurationException e) {
            assertThat(e.findings()).isNotEmpty();
            assertThat(e.findings().stream().anyMatch(Finding::isError)).isTrue();
            assertThat(e.findings().stream().allMatch(f -> f.toString().indexOf('\n') < 0 && !f.allowed().isEmpty())).isTrue();
        }
    }

    private static byte[] mutate(byte[] from, Random random) {
        byte[] bytes = from;
        for (int n = 1 + random.nextInt(4); n > 0; n--) {
            int at = random.nextInt(bytes.length + 1);
            int end = at + random.nextInt(Math.min(40, bytes.length - at) + 1);
            byte[] piece = switch (random.nextInt(5)) {
                case 0 -> new byte[0];
                case 1 -> new byte[] {(byte) random.nextInt(256)};
                case 2 -> Arrays.copyOfRange(bytes, end, Math.min(bytes.length, end + random.nextInt(200)));
                default -> PIECES.get(random.nextInt(PIECES.size())).getBytes(StandardCharsets.UTF_8);
            };
            int kept = random.nextBoolean() ? at : end;
            byte[] next = Arrays.copyOf(bytes, at + piece.length + bytes.length - kept);
            System.arraycopy(piece, 0, next, at, piece.length);
            System.arraycopy(bytes, kept, next, at + piece.length, bytes.length - kept);
            bytes = random.nextInt(50) == 0 ? Arrays.copyOf(next, random.nextInt(next.length + 1)) : next;
        }
        return bytes;
    }

    @Test
    void mutations() {
        Random random = new Random(SEED);
        List<byte[]> seeds = List.of(Configuration.shipped(), DENSE, Sample.RANGES + Sample.ROLES).stream()
                .map(s -> s.getBytes(StandardCharsets.UTF_8)).collect(Collectors.toList());
        assertTimeout(Duration.ofMinutes(5), () -> {
            for (int i = 0; i < MUTATIONS; i++) {
                byte[] bytes = mutate(seeds.get(i % seeds.size()), random);
                try {
                    read(bytes);
                } catch (RuntimeException | Error e) {
                    throw new AssertionError("mutation " + i + ": " + new String(bytes, StandardCharsets.UTF_8), e);
                }
            }
        });
    }

    /** Files of the largest size that are made to be slow, or to use up the stack. */
    @Test
    void largeFiles() {
        String roles = IntStream.range(0, 40_000).mapToObj(i -> "('d" + i + "', 'dummy')").collect(Collectors.joining(","));
        for (String unit : List.of("[", "-", "(", "{'a':", "9", "1.", "1_", "a", "'", "'x' ", "\"\"\"", "\\x41", "#", "\n", " ", "[1],",
                "a=$\n", "a={}\n", "a=1\n", "a=[\n", "b={'a':1}\n", "1+", "2*", "\\\n", "A=1+1\n", "'\\", "('d','dummy'),", "é")) {
            for (String start : List.of("", "A = ", "A = [", "A = '", "A = '''", "A = {'b': ", "roles = [")) {
                String text = start + unit.repeat((ConfigurationReader.LARGEST_FILE - 20) / unit.getBytes(StandardCharsets.UTF_8).length);
                assertTimeout(Duration.ofSeconds(20), () -> read(text.getBytes(StandardCharsets.UTF_8)), () -> start + unit);
            }
        }
        String names = IntStream.range(0, 60_000).mapToObj(i -> "SEGMENT_" + i + " = 1\n").collect(Collectors.joining());
        String settings = IntStream.range(0, 60_000).mapToObj(i -> "'nr_" + i + "': 1,").collect(Collectors.joining());
        for (String text : List.of("roles = [" + roles + "]", names, "roles = [('d', 'dummy')]\nd = {" + settings + "}")) {
            assertTimeout(Duration.ofSeconds(20), () -> read(text.getBytes(StandardCharsets.UTF_8)));
        }
    }

    @Test
    void endlessFileIsNotReadToItsEnd(@TempDir Path folder) {
        assertTimeout(Duration.ofSeconds(20), () -> {
            Path zeros = Path.of("/dev/zero");
            if (Files.exists(zeros)) {
                ConfigurationException e = org.assertj.core.api.Assertions.catchThrowableOfType(
                        () -> Configuration.read(zeros), ConfigurationException.class);
                assertThat(e).hasMessage("/dev/zero: larger than 1048576 bytes; allowed: a smaller file");
            }
        });
    }
}
