package org.archipelago.map;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.zip.CRC32C;
import org.archipelago.map.original.OriginalHeader;
import org.archipelago.map.original.OriginalMap;
import org.archipelago.map.original.OriginalV0;
import org.archipelago.map.original.OriginalV1;
import org.archipelago.map.original.OriginalV2;
import org.junit.jupiter.api.Test;

/**
 * What a store holds of maps, mutated, with checksums that are right again: it is refused with its volume named, or it is a map
 * as any other, in which every unit lies in one place that its layer has. Never another exception, never without an end.
 * {@code -Darchipelago.mutations=N}; ./check looks which lines of the formats were reached.
 */
class MapFuzzTest {
    private static final int MUTATIONS = Integer.getInteger("archipelago.mutations", 100_000);
    private static final int BLOCKS = 40;
    private static final String ID = "00112233445566778899aabbccddeeff";
    private static final String BOOT = "ffeeddccbbaa99887766554433221100";
    private static final int[] ODD = {0, 1, -1, 2, 5, 16, 255, 1023, 1024, 1 << 16, 1 << 30, Integer.MAX_VALUE, Integer.MIN_VALUE};

    private static byte[] imageTable() {
        byte[] table = new byte[Sha256.BYTES * 5];
        new Random(1).nextBytes(table);
        Arrays.fill(table, Sha256.BYTES, 2 * Sha256.BYTES, (byte) 0);
        return table;
    }

    private static ForeignLayer foreign() {
        byte[][] names = new byte[20][];
        for (int i = 0; i < names.length; i++) {
            byte[] name = "volume_0000000000000002_%016x".formatted(i).repeat(1 + i % 3).getBytes(StandardCharsets.US_ASCII);
            names[i] = i % 4 == 0 ? new byte[0] : Arrays.copyOf(name, Math.min(name.length, Layer.NAME_MAX));
        }
        return new ForeignLayer(ID, names);
    }

    private static final Checkpoint.Tables TABLES = new Checkpoint.Tables() {
        @Override
        public ImageLayer image(String root) {
            return ImageLayer.read(root, imageTable());
        }

        @Override
        public ForeignLayer foreign(String id) {
            return ForeignLayer.decode(id, MapFuzzTest.foreign().encode());
        }
    };

    /** Mutates; use: throws what it refuses with. Returns how often it was not refused. */
    private static int fuzz(String what, byte[] good, UnaryOperator<byte[]> fixed, Consumer<byte[]> use) {
        long seed = Long.getLong("archipelago.seed", System.nanoTime());
        Random random = new Random(seed);
        use.accept(fixed.apply(good.clone()));
        int accepted = 0;
        for (int i = 0; i < MUTATIONS; i++) {
            byte[] bad = good;
            for (int times = 1 + random.nextInt(3); times > 0; times--) {
                bad = mutate(random, bad);
            }
            try {
                use.accept(random.nextInt(16) == 0 ? bad : fixed.apply(bad));
                accepted++;
            } catch (DamagedMapException e) {
                assertThat(e).hasMessageMatching("(?s)volume (v|[0-9a-f]{64}) cannot be opened: .+");
            } catch (IllegalArgumentException e) { // of tables, which belong to no volume
                assertThat(e.getMessage()).as("seed %d, mutation %d", seed, i).isNotEmpty();
            } catch (RuntimeException | Error e) {
                throw new AssertionError("%s, -Darchipelago.seed=%d, mutation %d".formatted(what, seed, i), e);
            }
        }
        System.out.printf("MapFuzzTest: %s: %d of %d mutations were as good as the original, -Darchipelago.seed=%d%n", what, accepted,
            MUTATIONS, seed);
        assertThat(accepted).isLessThan(MUTATIONS);
        return accepted;
    }

    private static byte[] mutate(Random random, byte[] bytes) {
        if (bytes.length < 8) {
            return bytes;
        }
        byte[] bad = bytes.clone();
        int at = random.nextInt(random.nextInt(3) == 0 ? Math.min(bad.length, 160) : bad.length);
        int length = random.nextInt(Math.min(64, bad.length - at) + 1);
        switch (random.nextInt(8)) {
            case 0 -> bad[at] ^= (byte) (1 << random.nextInt(8));
            case 1 -> bad[at] = (byte) random.nextInt();
            case 2, 3 -> {
                int aligned = Math.min(at & -4, bad.length - 4 & -4);
                ByteBuffer.wrap(bad).order(ByteOrder.LITTLE_ENDIAN).putInt(aligned, ODD[random.nextInt(ODD.length)]);
            }
            case 4 -> System.arraycopy(bytes, random.nextInt(bytes.length - length + 1), bad, at, length);
            case 5 -> bad = Arrays.copyOf(bad, random.nextInt(bad.length + 1));
            case 6 -> bad = Arrays.copyOf(bad, bad.length + length);
            default -> { // leaves a part out
                byte[] shorter = Arrays.copyOf(bad, bad.length - length);
                System.arraycopy(bad, at + length, shorter, at, bad.length - at - length);
                bad = shorter;
            }
        }
        return bad;
    }

    private static byte[] withCrcAtTheEnd(byte[] bytes) {
        if (bytes.length >= 4) {
            CRC32C crc = new CRC32C();
            crc.update(bytes, 0, bytes.length - 4);
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(bytes.length - 4, (int) crc.getValue());
        }
        return bytes;
    }

    private static byte[] withCrcLine(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        int last = text.lastIndexOf("crc32c ");
        if (last < 0) {
            return bytes;
        }
        CRC32C crc = new CRC32C();
        crc.update(text.substring(0, last).getBytes(StandardCharsets.UTF_8));
        return (text.substring(0, last) + "crc32c %08x\n".formatted((int) crc.getValue())).getBytes(StandardCharsets.UTF_8);
    }

    /** Of the log's header and of each record. */
    private static byte[] withCrcs(byte[] log) {
        ByteBuffer bytes = ByteBuffer.wrap(log).order(ByteOrder.LITTLE_ENDIAN);
        if (log.length < MapLog.HEADER) {
            return log;
        }
        CRC32C header = new CRC32C();
        header.update(new byte[4]);
        header.update(log, 0, MapLog.HEADER - 4);
        int crc = (int) header.getValue();
        bytes.putInt(MapLog.HEADER - 4, crc);
        for (int at = MapLog.HEADER; at + MapLog.RECORD <= log.length; at += MapLog.RECORD) {
            CRC32C record = new CRC32C();
            record.update(new byte[] {(byte) crc, (byte) (crc >>> 8), (byte) (crc >>> 16), (byte) (crc >>> 24)});
            record.update(log, at + 4, MapLog.RECORD - 4);
            bytes.putInt(at, (int) record.getValue());
        }
        return log;
    }

    /** Every unit of every block lies in one place, in an object that its layer has. */
    private static void use(BlockMap map) {
        for (int block = 0; block < map.blocks(); block++) {
            int of = block;
            int[] next = {0};
            assertThat(map.depth(block)).isLessThanOrEqualTo(BlockMap.MAX_DEPTH + 2);
            map.locate(block, 0, BlockMap.UNITS, (layer, unit, count) -> {
                if (unit != next[0] || count <= 0) {
                    throw new AssertionError("block " + of + ": unit " + unit + " after " + next[0]);
                }
                next[0] += count;
                if (layer >= 0) {
                    String name = BlockMapTest.written(map.layerAt(layer), of);
                    if (name.isEmpty() || !name.equals(map.layerAt(layer).object(of).toString())) {
                        throw new AssertionError("block " + of + " lies in '" + name + "'");
                    }
                }
                return true;
            });
            if (next[0] != BlockMap.UNITS) {
                throw new AssertionError("block " + block + " ends at unit " + next[0]);
            }
        }
    }

    private static BlockMap map(Random random) {
        BlockMap map = new BlockMap(BLOCKS);
        map.base(TABLES.image(ImageLayer.of(imageTable()).root()));
        for (int epoch = 1; epoch <= 4; epoch++) {
            map.own(new VolumeLayer(ID, epoch));
            for (int i = 0; i < 12; i++) {
                int unit = random.nextInt(BlockMap.UNITS);
                map.commit(random.nextInt(BLOCKS), unit, 1 + random.nextInt(Math.min(64, BlockMap.UNITS - unit)));
            }
        }
        return map;
    }

    @Test
    void headers() {
        byte[] good = VolumeHeader.create(ID, 10L << 30, Checkpoint.name(ID, 3), "debian13", 1763800000).encode();
        int accepted = fuzz("headers", good, MapFuzzTest::withCrcLine, bytes -> {
            VolumeHeader header = VolumeHeader.decode("v", bytes);
            assertThat(VolumeHeader.decode("v", header.encode())).isEqualTo(header);
            assertGoesOn(header);
        });
        assertThat(accepted).isGreaterThan(0);
    }

    /** What can become of it can be read as well. */
    private static void assertGoesOn(VolumeHeader header) {
        assertThat(header.blocks()).isBetween(1, 1 << 24);
        assertThat(header.ownLayer().has(header.blocks() - 1)).isTrue();
        String checkpoint = Checkpoint.name(header.id(), 9);
        for (VolumeHeader next : new VolumeHeader[] {header.withSize(1), header.shared(), header.inCheckpoint(checkpoint),
            header.goesOn(checkpoint, true, 9, 9), header.snapshot(BOOT, checkpoint, "v", 1)}) {
            assertThat(VolumeHeader.decode("v", next.encode())).isEqualTo(next);
            assertThat(next.readOnly()).isEqualTo(next.kind() == VolumeHeader.Kind.SNAPSHOT);
        }
    }

    @Test
    void records() {
        VolumeHeader header = VolumeHeader.create(ID, 10L << 30, VolumeHeader.NONE, "debian13", 1763800000);
        IdRecord.Maker maker = new IdRecord.Maker("5f0c", "91ab");
        for (IdRecord good : new IdRecord[] {IdRecord.creating("v", maker, header), IdRecord.live("v", header),
            IdRecord.renaming("v", "w", header), IdRecord.removing("v", header)}) {
            int accepted = fuzz("records, " + good.state(), good.encode(), MapFuzzTest::withCrcLine, bytes -> {
                IdRecord record = IdRecord.decode(ID, bytes);
                assertThat(IdRecord.decode(ID, record.encode())).isEqualTo(record);
                assertThat(record.names(record.name())).isTrue();
                assertThat(record.to().stream().allMatch(record::names)).isTrue();
                assertThat(record.header().id()).isEqualTo(ID);
            });
            assertThat(accepted).isGreaterThan(0);
        }
    }

    @Test
    void checkpoints() {
        byte[] good = Checkpoint.encode(map(new Random(2)), ID, 7);
        int accepted = fuzz("checkpoints", good, MapFuzzTest::withCrcAtTheEnd, bytes -> {
            BlockMap map = Checkpoint.decode("v", Checkpoint.name(ID, 7), bytes, BLOCKS, TABLES);
            use(map);
        });
        assertThat(accepted).isGreaterThan(0);
    }

    @Test
    void logs() {
        byte[] header = MapLog.encodeHeader(7, new VolumeLayer(ID, 3), BOOT, "daemon-1");
        ByteBuffer log = ByteBuffer.allocate((int) MapLog.position(40)).order(ByteOrder.LITTLE_ENDIAN);
        log.put(0, header);
        for (int i = 0; i < 40; i++) {
            int type = i % 10 == 9 ? MapLog.COMMIT : i % 7 == 6 ? MapLog.ZERO : MapLog.OWN;
            boolean whole = type == MapLog.ZERO;
            MapLog.encode(log, (int) MapLog.position(i), 0, type, i, type == MapLog.COMMIT ? i - 1 : i % BLOCKS, whole ? 0 : i % 1000,
                whole ? BlockMap.UNITS : 1, type == MapLog.COMMIT ? i - 1 : 0);
        }
        BlockMap base = map(new Random(3));
        byte[] checkpoint = Checkpoint.encode(base, ID, 7);
        int accepted = fuzz("logs", log.array(), MapFuzzTest::withCrcs, bytes -> {
            MapLog.Contents contents = MapLog.decode("v", bytes);
            assertThat(contents.committed()).isLessThanOrEqualTo(contents.records());
            BlockMap map = Checkpoint.decode("v", Checkpoint.name(ID, 7), checkpoint, BLOCKS, TABLES);
            map.own(new VolumeLayer(ID, 5));
            contents.apply("v", map, contents.records());
            use(map);
        });
        assertThat(accepted).isGreaterThan(0);
    }

    @Test
    void tablesOfNames() {
        fuzz("tables of names", foreign().encode(), MapFuzzTest::withCrcAtTheEnd, bytes -> {
            ForeignLayer layer = ForeignLayer.decode(ID, bytes);
            for (int block = -1; block <= layer.blocks(); block++) {
                if (layer.has(block)) {
                    assertThat(BlockMapTest.written(layer, block)).hasSizeBetween(1, Layer.NAME_MAX);
                }
            }
        });
    }

    @Test
    void tablesOfImages() {
        String root = ImageLayer.of(imageTable()).root();
        int accepted = fuzz("tables of images", imageTable(), bytes -> bytes, bytes -> {
            ImageLayer layer = ImageLayer.read(root, bytes.clone());
            // but for zero hashes at its end, with which it is padded
            assertThat(Arrays.copyOf(layer.table(), imageTable().length)).isEqualTo(imageTable());
            assertThat(layer).isEqualTo(ImageLayer.of(imageTable())).hasToString("image " + root);
            for (int block = -1; block <= layer.blocks(); block++) {
                assertThat(BlockMapTest.written(layer, block)).isEqualTo(layer.has(block) ? layer.object(block).toString() : "");
            }
        });
        assertThat(accepted).isLessThan(MUTATIONS / 2);
    }

    // --- the original's: without checksums, but for images, which are named by their root

    /** Every block is of zeros, or in an object that a blocker can have. */
    private static void use(OriginalMap map) {
        ForeignLayer layer = map.layer();
        assertThat(map.blocks()).isEqualTo(map.header().blocks());
        assertThat(layer.id()).isNotEqualTo(OriginalMap.idOf("v"));
        for (int block = 0; block < map.blocks(); block++) {
            if (!map.name(block).matches("|[A-Za-z0-9_+:@-][A-Za-z0-9._+:@-]{0,%d}".formatted(Layer.NAME_MAX - 1))
                || layer.has(block) == map.name(block).isEmpty()) {
                throw new AssertionError("block " + block + " is in '" + map.name(block) + "'");
            }
        }
    }

    @Test
    void originalsImages() {
        byte[] good = Arrays.copyOf(imageTable(), 512);
        System.arraycopy(HexFormat.of().parseHex(Sha256.ZERO), 0, good, Sha256.BYTES, Sha256.BYTES);
        String root = ImageLayer.of(Arrays.copyOf(good, imageTable().length)).root();
        int[] odd = {0};
        int accepted = fuzz("the original's images", good, bytes -> bytes, bytes -> {
            int hashes = 0;
            while (Sha256.BYTES * (hashes + 1) <= bytes.length && !isZero(bytes, Sha256.BYTES * hashes)) {
                hashes++;
            }
            String own = ImageLayer.of(Arrays.copyOf(bytes, Sha256.BYTES * hashes)).root();
            use(OriginalV0.decode(odd[0]++ % 4 == 1 ? root : own, bytes));
        });
        assertThat(accepted).isGreaterThan(0);
    }

    private static boolean isZero(byte[] bytes, int hash) {
        return Arrays.equals(bytes, hash, hash + Sha256.BYTES, new byte[Sha256.BYTES], 0, Sha256.BYTES);
    }

    @Test
    void originalsVolumesOfFormat1() {
        ByteBuffer good = ByteBuffer.allocate(512).order(ByteOrder.LITTLE_ENDIAN);
        good.putInt(1).putLong((10L << VolumeHeader.BLOCK_SHIFT) - 1);
        Random random = new Random(4);
        for (int block = 0; block < 10; block++) {
            byte[] hash = new byte[Sha256.BYTES];
            random.nextBytes(hash);
            good.put((byte) (block % 3 == 0 ? 1 : 0)).put(block % 3 == 1 ? new byte[Sha256.BYTES] : hash);
        }
        int accepted = fuzz("the original's volumes of format 1", good.array(), bytes -> bytes,
            bytes -> use(OriginalV1.decode("v", bytes)));
        assertThat(accepted).isGreaterThan(0);
    }

    @Test
    void originalsVolumesOfFormat2() {
        byte[] header = ByteBuffer.allocate(512).putInt(0x414d462e).putInt(2).putLong(20L << VolumeHeader.BLOCK_SHIFT)
            .putInt(1 << VolumeHeader.BLOCK_SHIFT).putInt(1).putLong(3).array();
        ByteBuffer entries = ByteBuffer.allocate(20 * 128).order(ByteOrder.LITTLE_ENDIAN);
        for (int block = 0; block < 20; block++) {
            String object = block % 5 == 0 ? "0".repeat(64) : "v_%016x_%016x".formatted(3, block);
            byte[] name = object.getBytes(StandardCharsets.US_ASCII);
            entries.position(128 * block).put((byte) (block % 7 == 0 ? 4 : 3)).putInt(name.length).put(name);
        }
        BiFunction<OriginalHeader, byte[], OriginalMap> read = (its, bytes) -> OriginalV2.decode("v", its,
            object -> Optional.of(bytes).filter(b -> object.equals("v_" + "0".repeat(16))));
        fuzz("the original's entries of format 2", entries.array(), bytes -> bytes,
            bytes -> use(read.apply(OriginalV2.header("v", "v", header), bytes)));
        int accepted = fuzz("the original's headers of format 2", header, bytes -> bytes, bytes -> {
            OriginalHeader its = OriginalV2.header("v", "v", bytes);
            if (!its.deleted() && its.size() < 1L << 40) {
                use(read.apply(its, entries.array()));
            }
        });
        assertThat(accepted).isGreaterThan(0);
    }
}
