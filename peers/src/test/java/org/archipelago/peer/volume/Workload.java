package org.archipelago.peer.volume;

import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Random;
import java.util.UUID;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;

/**
 * Random work on volumes until it is killed: a few threads, each with volumes of its own. Says on
 * standard output what it begins and what was answered, one line each.
 *
 * <p>Every 512-byte sector that step n of thread t writes holds the words (t, n, sector) again and again.
 */
public final class Workload {
    static final int THREADS = 3;
    static final int SECTOR = 512;
    static final long SIZE = 12 << 20;
    static final long BLOCK = 4 << 20;

    private Workload() {}

    static String volume(int thread, int generation) {
        return "t" + thread + "-g" + generation;
    }

    static String snapshot(int thread, int step) {
        return "t" + thread + "-s" + step;
    }

    static byte[] contents(int thread, int step, long offset, int length) {
        ByteBuffer bytes = ByteBuffer.allocate(length);
        for (int i = 0; i < length; i += SECTOR) {
            long sector = (offset + i) / SECTOR;
            for (int word = 0; word < SECTOR; word += 16) {
                bytes.putInt(thread).putInt(step).putLong(sector);
            }
        }
        return bytes.array();
    }

    /** store daemon seed firstStep generation... */
    public static void main(String[] args) throws Exception {
        Node node = new Node(args[1], Path.of(args[0]), 2);
        for (int t = 0; t < THREADS; t++) {
            int thread = t;
            long seed = Long.parseLong(args[2]) + t;
            int firstStep = Integer.parseInt(args[3]);
            int generation = Integer.parseInt(args[4 + t]);
            new Thread(() -> work(node, thread, seed, firstStep, generation)).start();
        }
    }

    private static void work(Node node, int thread, long seed, int firstStep, int firstGeneration) {
        Random random = new Random(seed);
        int generation = firstGeneration;
        PrintStream out = System.out;
        if (generation < 0) {
            generation = 0;
            check(node.json(Op.CREATE, volume(thread, 0), "{\"size\": " + SIZE + "}"), "create");
        }
        for (int step = firstStep; ; step++) {
            String volume = volume(thread, generation);
            int what = random.nextInt(103);
            int length = SECTOR * (1 + random.nextInt(random.nextInt(8) == 0 ? 256 : 24));
            long offset = SECTOR * (long) random.nextInt((int) ((SIZE - length) / SECTOR));
            if (what < 70) {
                out.println("begin " + thread + " " + step + " write " + generation + " " + offset + " " + length);
                check(node.write(volume, offset, contents(thread, step, offset, length), what < 4 ? Op.FUA : 0), "write");
            } else if (what < 80) {
                if (what < 74) { // whole blocks
                    offset = BLOCK * random.nextInt((int) (SIZE / BLOCK));
                    length = (int) Math.min(BLOCK * (1 + random.nextInt(2)), SIZE - offset);
                }
                out.println("begin " + thread + " " + step + " zero " + generation + " " + offset + " " + length);
                check(node.zero(volume, offset, length, what % 2 == 0 ? Op.DISCARD : 0), "zero");
            } else if (what < 90) {
                out.println("begin " + thread + " " + step + " flush " + generation + " 0 0");
                check(node.call(Op.FLUSH, volume), "flush");
            } else if (what < 96) {
                out.println("begin " + thread + " " + step + " snapshot " + generation + " 0 0");
                check(node.json(Op.SNAPSHOT, volume, "{\"name\": \"" + snapshot(thread, step) + "\"}"), "snapshot");
                if (what == 90) {
                    out.println("begin " + thread + " " + step + " clone " + generation + " 0 0");
                    check(node.json(Op.CREATE, volume(thread, generation + 1), "{\"origin\": \"" + snapshot(thread, step) + "\"}"),
                        "clone");
                    generation++;
                }
            } else if (what >= 100) {
                switch (what) {
                    case 100 -> {
                        out.println("begin " + thread + " " + step + " collect " + generation + " 0 0");
                        collect(node);
                    }
                    case 101 -> {
                        out.println("begin " + thread + " " + step + " grow " + generation + " 0 0");
                        check(node.resize(volume, SIZE + BLOCK), "grow");
                    }
                    default -> {
                        out.println("begin " + thread + " " + step + " temporary " + generation + " 0 0");
                        temporary(node, volume, thread);
                    }
                }
            } else {
                out.println("begin " + thread + " " + step + " read " + generation + " 0 0");
                check(node.read(volume, offset, length), "read");
            }
            out.println("end " + thread + " " + step);
        }
    }

    /** Another thread's ends it. */
    private static void collect(Node node) {
        String argument = "{\"rate\": 50, \"run\": \"" + UUID.randomUUID() + "\"}";
        Reply reply;
        do {
            reply = node.caller.call(Call.of(Node.MAPPER, Op.COLLECT, "*").data(argument.getBytes(StandardCharsets.UTF_8)));
        } while (reply.status() == 0 && reply.message().contains("\"done\":false"));
        if (reply.status() != Errno.EBUSY) {
            check(reply, "gc");
        }
    }

    /** A snapshot and a clone of it that are removed again; one killed in the middle may have left them. */
    private static void temporary(Node node, String volume, int thread) {
        String snapshot = "x" + thread + "-s";
        String clone = "x" + thread + "-c";
        remove(node, clone);
        remove(node, snapshot);
        check(node.json(Op.SNAPSHOT, volume, "{\"name\": \"" + snapshot + "\"}"), "snapshot");
        check(node.json(Op.CREATE, clone, "{\"origin\": \"" + snapshot + "\"}"), "clone");
        check(node.write(clone, BLOCK - SECTOR, new byte[2 * SECTOR], 0), "write");
        remove(node, snapshot);
        remove(node, clone);
    }

    private static void remove(Node node, String name) {
        Reply reply = node.call(Op.DELETE, name);
        if (reply.status() != Errno.ENOENT) {
            check(reply, "delete");
        }
    }

    private static void check(Reply reply, String what) {
        if (reply.status() != 0) {
            System.out.println("failed: " + what + ": " + Errno.text(reply.status()) + " " + reply.message());
            Runtime.getRuntime().halt(3);
        }
    }
}
