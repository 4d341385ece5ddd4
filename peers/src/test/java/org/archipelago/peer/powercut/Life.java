package org.archipelago.peer.powercut;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Node;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;

/**
 * One life of a daemon, in a process that is recorded: random work of several threads on a few volumes. Each operation has a
 * number, from the first step on, and is said in the trace when it begins and when it was answered:
 *
 * <pre>
 *   begin STEP create VOLUME SIZE           begin STEP write VOLUME OFFSET LENGTH durable|-
 *   begin STEP clone SNAPSHOT VOLUME SIZE   begin STEP zero VOLUME OFFSET LENGTH durable|-
 *   begin STEP snapshot VOLUME SNAPSHOT     begin STEP flush VOLUME        (so too a close)
 *   begin STEP grow VOLUME SIZE             begin STEP delete NAME
 *   begin STEP rename VOLUME VOLUME         begin STEP hash SNAPSHOT
 *   begin STEP image VOLUME SNAPSHOT        begin STEP collect *
 *   end STEP
 * </pre>
 *
 * <p>No two operations on one unit run at a time. Many writes lie where blocks meet. A volume that is made for an image has a name
 * that tells so, as those of an import do: a life begins with the removal of those that the one before left. What collections
 * removed is said on standard output.
 */
public final class Life {
    static final String DAEMON = "n1";
    static final long BLOCK = 4 << 20;
    private static final int THREADS = 5;
    private static final int VOLUMES = 4;
    private static final int SNAPSHOTS = 4;
    private static final int LARGEST = 5;
    private static final int NEAR = 96 << 10;
    private static final int IN_RHYTHM = 14;
    private static final int WRITES_OF_AN_IMAGE = 5;
    /** What the name of a volume begins with that an image is made of. */
    private static final String TEMPORARY = "t";
    static final String REMOVED = "removed ";

    /** The recorder's own functions. */
    private static final class Recorder {
        static {
            Native.register(Recorder.class, NativeLibrary.getInstance("c"));
        }

        static native void recorder_mark(byte[] text);

        static native void recorder_end();
    }

    private final Node node;
    private final AtomicInteger steps;
    private final int lastStep;
    private final TreeMap<String, Workpiece> workpieces = new TreeMap<>();
    /** Names that are in use or about to be. */
    private final Set<String> names = new HashSet<>();

    private Life(Node node, int firstStep, int count) {
        this.node = node;
        this.steps = new AtomicInteger(firstStep);
        this.lastStep = firstStep + count;
    }

    /** Store, boot id, seed, first step, number of steps. */
    public static void main(String[] args) throws Exception {
        Node node = new Node(DAEMON, args[1], Path.of(args[0]), 2);
        Life life = new Life(node, Integer.parseInt(args[3]), Integer.parseInt(args[4]));
        life.findWorkpieces();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            Random random = new Random(Long.parseLong(args[2]) * THREADS + i);
            threads.add(new Thread(() -> life.work(random)));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        Recorder.recorder_end();
    }

    private void findWorkpieces() {
        JsonObject list = JsonParser.parseString(node.json(Op.LIST, "*", "{}").message()).getAsJsonObject();
        for (JsonElement element : list.getAsJsonArray("volumes")) {
            JsonObject volume = element.getAsJsonObject();
            String name = volume.get("name").getAsString();
            boolean snapshot = volume.get("kind").getAsString().equals("snapshot");
            Workpiece workpiece = new Workpiece(name, snapshot, volume.get("size").getAsLong());
            if (name.startsWith(TEMPORARY)) {
                delete(workpiece);
            } else {
                names.add(name);
                workpieces.put(name, workpiece);
            }
        }
    }

    private void work(Random random) {
        while (steps.get() < lastStep) {
            int what = random.nextInt(1040);
            if (what < 15 || pick(random, false).isEmpty()) {
                create(random);
            } else if (what >= 1015) {
                run("collect *", () -> collect(random));
            } else if (what >= 1000) {
                image(random);
            } else if (what < 100) {
                pick(random, true).ifPresent(snapshot -> work(snapshot, what, random));
            } else {
                pick(random, false).ifPresent(volume -> work(volume, what, random));
            }
        }
    }

    private Optional<Workpiece> pick(Random random, boolean snapshot) {
        synchronized (workpieces) {
            List<Workpiece> fitting = workpieces.values().stream().filter(workpiece -> workpiece.snapshot == snapshot).toList();
            return fitting.isEmpty() ? Optional.empty() : Optional.of(fitting.get(random.nextInt(fitting.size())));
        }
    }

    private void work(Workpiece of, int what, Random random) {
        if (what < 45) {
            cloned(of, random);
        } else if (what < 75) {
            of.control(() -> delete(of));
        } else if (what < 100) {
            of.control(() -> run("hash " + of.name, () -> hash(of.name, new JsonObject())));
        } else if (what < 135) {
            snapshot(of, random);
        } else if (what < 150) {
            of.control(() -> grow(of, random));
        } else if (what < 160) {
            of.control(() -> delete(of));
        } else if (what < 170) {
            of.control(() -> rename(of, random));
        } else if (what < 185) {
            of.control(() -> of.use(() -> run("flush " + of.name, () -> node.call(Op.CLOSE, of.name))));
        } else if (what < 188) {
            of.alone(() -> writeAndFlush(of, random));
        } else if (what < 330) {
            of.use(() -> run("flush " + of.name, () -> node.call(Op.FLUSH, of.name)));
        } else if (what < 380) {
            of.use(() -> read(of, random));
        } else if (what < 530) {
            zero(of, random);
        } else {
            write(of, random);
        }
    }

    // --- I/O

    /** So often and evenly that the next flush is expected. */
    private void writeAndFlush(Workpiece volume, Random random) {
        for (int i = 0; i < IN_RHYTHM; i++) {
            write(volume, random);
            run("flush " + volume.name, () -> node.call(Op.FLUSH, volume.name));
        }
    }

    private static int sectors(Random random) {
        int kind = random.nextInt(16);
        return kind < 6 ? Stamp.SECTORS : 1 + random.nextInt(kind == 15 ? 512 : kind < 12 ? 24 : 64);
    }

    /** Near one of the places where blocks meet, or the volume's ends. */
    private static long offset(long size, int length, Random random) {
        long near = random.nextInt(LARGEST) * BLOCK;
        long offset = Math.min(near, size) - NEAR / 2 + random.nextInt(NEAR);
        offset = Math.max(0, Math.min(offset, size - length)) / Stamp.SECTOR * Stamp.SECTOR;
        return random.nextBoolean() ? offset / Stamp.UNIT * Stamp.UNIT : offset;
    }

    private void write(Workpiece volume, Random random) {
        int length = sectors(random) * Stamp.SECTOR;
        long offset = offset(volume.size(), length, random);
        boolean durable = random.nextInt(10) == 0;
        onUnits(volume, offset, length, () -> run(range("write", volume, offset, length, durable),
            step -> node.write(volume.name, offset, Stamp.contents(step, offset, length), durable ? Op.FUA : 0)));
    }

    private void zero(Workpiece volume, Random random) {
        boolean large = random.nextInt(4) == 0;
        int length = large ? (int) BLOCK * (1 + random.nextInt(2)) : sectors(random) * Stamp.SECTOR;
        long offset = large ? random.nextInt(Math.max(1, (int) ((volume.size() - length) / BLOCK) + 1)) * BLOCK
            : offset(volume.size(), length, random);
        boolean durable = random.nextInt(10) == 0;
        int flags = (durable ? Op.FUA : 0) | (random.nextBoolean() ? Op.DISCARD : 0);
        onUnits(volume, offset, length, () -> run(range("zero", volume, offset, length, durable),
            step -> node.zero(volume.name, offset, length, flags)));
    }

    private static String range(String what, Workpiece volume, long offset, int length, boolean durable) {
        return what + " " + volume.name + " " + offset + " " + length + (durable ? " durable" : " -");
    }

    private void read(Workpiece volume, Random random) {
        int length = sectors(random) * Stamp.SECTOR;
        check(node.read(volume.name, offset(volume.size(), length, random), length), "read " + volume.name);
    }

    private void onUnits(Workpiece volume, long offset, long length, Runnable work) {
        int from = (int) (offset / Stamp.UNIT);
        int to = (int) ((offset + length + Stamp.UNIT - 1) / Stamp.UNIT);
        volume.use(() -> {
            if (volume.take(from, to)) {
                work.run();
                volume.giveBack(from, to);
            }
        });
    }

    // --- control operations

    /** A name that nothing has; empty where there are enough. */
    private String newName(String prefix, int most, Random random) {
        synchronized (workpieces) {
            long there = names.stream().filter(name -> name.startsWith(prefix)).count();
            String name = prefix + random.nextInt(2 * most);
            return there < most && names.add(name) ? name : "";
        }
    }

    private void forget(String name) {
        synchronized (workpieces) {
            names.remove(name);
        }
    }

    private void made(Workpiece workpiece) {
        synchronized (workpieces) {
            workpieces.put(workpiece.name, workpiece);
        }
    }

    private void gone(Workpiece workpiece) {
        workpiece.size(0);
        synchronized (workpieces) {
            workpieces.remove(workpiece.name, workpiece);
            names.remove(workpiece.name);
        }
    }

    private static long size(Random random) {
        return BLOCK * (2 + random.nextInt(LARGEST - 2)) + (random.nextBoolean() ? Stamp.UNIT * (long) random.nextInt(40) : 0);
    }

    private void create(Random random) {
        String name = newName("v", VOLUMES, random);
        if (!name.isEmpty()) {
            long size = size(random);
            run("create " + name + " " + size, () -> node.json(Op.CREATE, name, "{\"size\": " + size + "}"));
            made(new Workpiece(name, false, size));
        }
    }

    private void snapshot(Workpiece volume, Random random) {
        volume.control(() -> volume.use(() -> {
            String name = newName("s", SNAPSHOTS, random);
            if (!name.isEmpty()) {
                run("snapshot " + volume.name + " " + name,
                    () -> node.json(Op.SNAPSHOT, volume.name, "{\"name\": \"" + name + "\"}"));
                made(new Workpiece(name, true, volume.size()));
            }
        }));
    }

    private void cloned(Workpiece snapshot, Random random) {
        snapshot.control(() -> {
            String name = newName("v", VOLUMES, random);
            if (!name.isEmpty()) {
                long size = Math.max(snapshot.size(), random.nextInt(3) == 0 ? size(random) : 0);
                run("clone " + snapshot.name + " " + name + " " + size, () -> node.json(Op.CREATE, name,
                    "{\"origin\": \"" + snapshot.name + "\", \"size\": " + size + "}"));
                made(new Workpiece(name, false, size));
            }
        });
    }

    private void grow(Workpiece volume, Random random) {
        long size = Math.max(volume.size(), size(random));
        volume.use(() -> {
            run("grow " + volume.name + " " + size, () -> node.resize(volume.name, size));
            volume.size(size);
        });
    }

    private void delete(Workpiece workpiece) {
        workpiece.alone(() -> {
            run("delete " + workpiece.name, () -> node.call(Op.DELETE, workpiece.name));
            gone(workpiece);
        });
    }

    /** In steps, until one says that it is done. */
    private Reply hash(String name, JsonObject argument) {
        argument.addProperty("run", UUID.randomUUID().toString());
        Reply reply;
        do {
            reply = step(Op.HASH, name, argument);
        } while (reply.status() == 0 && !JsonParser.parseString(reply.message()).getAsJsonObject().has("done"));
        return reply;
    }

    private Reply step(int op, String name, JsonObject argument) {
        return node.caller.call(Caller.Call.of(Node.MAPPER, op, name).data(argument.toString().getBytes(StandardCharsets.UTF_8)));
    }

    /** As an import does it. */
    private void image(Random random) {
        String name = newName("s", SNAPSHOTS, random);
        String temporary = name.isEmpty() ? "" : newName(TEMPORARY, THREADS, random);
        if (temporary.isEmpty()) {
            forget(name);
            return;
        }
        Workpiece volume = new Workpiece(temporary, false, size(random));
        run("create " + temporary + " " + volume.size(), () -> node.json(Op.CREATE, temporary, "{\"size\": " + volume.size() + "}"));
        for (int i = 0; i < WRITES_OF_AN_IMAGE; i++) {
            write(volume, random);
        }
        run("flush " + temporary, () -> node.call(Op.CLOSE, temporary));
        JsonObject into = new JsonObject();
        into.addProperty("into", name);
        run("image " + temporary + " " + name, () -> hash(temporary, into));
        made(new Workpiece(name, true, volume.size()));
        delete(volume);
    }

    /** In bounded steps; it may be given up, and another thread's ends it: the next one goes on there. */
    private Reply collect(Random random) {
        JsonObject argument = new JsonObject();
        argument.addProperty("run", UUID.randomUUID().toString());
        argument.addProperty("rate", random.nextInt(3) == 0 ? 0 : 1 + random.nextInt(40));
        int most = random.nextInt(3) == 0 ? 1 + random.nextInt(8) : Integer.MAX_VALUE;
        long removed = 0;
        boolean done = false;
        for (int i = 0; i < most && !done; i++) {
            Reply reply = step(Op.COLLECT, "*", argument);
            if (reply.status() != 0 && reply.status() != Errno.EBUSY) {
                return reply;
            }
            done = reply.status() == Errno.EBUSY;
            if (!done) {
                JsonObject answer = JsonParser.parseString(reply.message()).getAsJsonObject();
                removed = answer.get("removed").getAsLong() + answer.get("mapsRemoved").getAsLong();
                done = answer.get("done").getAsBoolean();
            }
        }
        System.out.println(REMOVED + removed);
        argument.addProperty("end", true);
        return step(Op.COLLECT, "*", argument);
    }

    private void rename(Workpiece volume, Random random) {
        String name = newName("v", VOLUMES + 1, random);
        if (name.isEmpty()) {
            return;
        }
        volume.alone(() -> {
            long size = volume.size();
            run("rename " + volume.name + " " + name, () -> node.json(Op.RENAME, volume.name, "{\"to\": \"" + name + "\"}"));
            gone(volume);
            made(new Workpiece(name, false, size));
        });
    }

    // --- operations in the trace

    private interface Work {
        Reply with(int step);
    }

    private interface Call {
        Reply make();
    }

    private void run(String what, Call call) {
        run(what, step -> call.make());
    }

    private void run(String what, Work work) {
        int step = steps.getAndIncrement();
        mark("begin " + step + " " + what);
        check(work.with(step), what);
        mark("end " + step);
    }

    private static void mark(String text) {
        Recorder.recorder_mark(Native.toByteArray(text));
    }

    private static void check(Reply reply, String what) {
        if (reply.status() != 0) {
            System.out.println(what + ": " + Errno.text(reply.status()) + " " + reply.message());
            Runtime.getRuntime().halt(3);
        }
    }
}
