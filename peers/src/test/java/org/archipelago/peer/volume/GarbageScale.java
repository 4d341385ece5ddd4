package org.archipelago.peer.volume;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import org.archipelago.map.BlockMap;
import org.archipelago.map.Checkpoint;
import org.archipelago.map.IdRecord;
import org.archipelago.map.VolumeHeader;
import org.archipelago.map.VolumeLayer;

/**
 * By hand: collects garbage among very many objects, under a limited heap, and says how long that takes. Half of the volumes are
 * gone, so half of the objects are garbage.
 *
 * <pre>
 *   java -Xmx48m -cp ... org.archipelago.peer.volume.GarbageScale FOLDER OBJECTS VOLUMES STEP
 *   FOLDER    an empty one, best on a tmpfs; it stays
 *   STEP      1: the blocks of a volume lie side by side; 64: as far from one another as costs most memory
 * </pre>
 */
public final class GarbageScale {
    private GarbageScale() {}

    public static void main(String[] args) throws Exception {
        Path store = Path.of(args[0]);
        int objects = Integer.parseInt(args[1]);
        int volumes = Integer.parseInt(args[2]);
        int step = Integer.parseInt(args[3]);
        long begin = System.nanoTime();
        try (Node empty = new Node("n1", store, 1)) {
            empty.call(org.archipelago.xseg.Op.PING, "x"); // makes the store
        }
        make(store, objects / volumes, volumes, step);
        say("made", begin);
        try (Node node = new Node("n1", store, 1)) {
            collect(node, true);
            collect(node, false);
            collect(node, false);
        }
        long peak = 0;
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            peak += pool.getType() == MemoryType.HEAP ? pool.getPeakUsage().getUsed() : 0;
        }
        System.out.println("peak of the heap: " + (peak >> 20) + " of " + (Runtime.getRuntime().maxMemory() >> 20) + " MiB");
    }

    private static void collect(Node node, boolean dryRun) {
        long begin = System.nanoTime();
        JsonObject result = Lab.gc(node, dryRun);
        say((dryRun ? "dry run: " : "run: ") + result, begin);
    }

    private static void say(String what, long begin) {
        System.out.printf("%.1f s: %s%n", (System.nanoTime() - begin) / 1e9, what);
    }

    private static void make(Path store, int blocks, int volumes, int step) throws IOException {
        for (int v = 0; v < volumes; v++) {
            String id = "%08x%024x".formatted(v * 0x9E3779B9, v);
            VolumeLayer layer = new VolumeLayer(id, 1);
            for (int i = 0; i < blocks; i++) {
                put(store.resolve("blocks"), layer.object(i * step).toString(), new byte[] {1});
            }
            if (v % 2 == 0) {
                BlockMap map = new BlockMap(blocks * step);
                map.own(layer);
                for (int i = 0; i < blocks; i++) {
                    map.commit(i * step, 0, BlockMap.UNITS);
                }
                String checkpoint = Checkpoint.name(id, 2);
                byte[] bytes = Checkpoint.encode(map, id, 2);
                VolumeHeader header = new VolumeHeader(id, VolumeHeader.Kind.VOLUME, (long) blocks * step << VolumeHeader.BLOCK_SHIFT,
                    VolumeHeader.BLOCK_SHIFT, 2, 2, checkpoint, false, VolumeHeader.logName(id, 2), VolumeHeader.NONE, 0);
                put(store.resolve("maps"), checkpoint, bytes);
                put(store.resolve("maps"), Checkpoint.secondName(checkpoint), bytes);
                put(store.resolve("maps"), VolumeHeader.objectOf("v" + v), header.encode());
                put(store.resolve("maps"), IdRecord.objectOf(id), IdRecord.live("v" + v, header).encode());
            }
        }
    }

    /** Where a file blocker keeps it. */
    private static void put(Path folder, String name, byte[] bytes) throws IOException {
        byte[] ascii = name.getBytes(StandardCharsets.US_ASCII);
        CRC32C crc = new CRC32C();
        crc.update(ascii, 0, ascii.length - 2);
        Path bucket = folder.resolve("%03x".formatted(crc.getValue() & 0xFFF));
        if (!Files.isDirectory(bucket)) {
            Files.createDirectory(bucket);
        }
        Files.write(bucket.resolve(name), bytes);
    }
}
