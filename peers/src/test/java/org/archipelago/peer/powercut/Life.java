package org.archipelago.peer.powercut;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
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
 *   end STEP
 * </pre>
 *
 * <p>No two operations on one unit run at a time. Many writes lie where blocks meet.
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

    /** The recorder's own function. */
    private static final class Recorder {
        static {
            Native.register(Recorder.class, NativeLibrary.getInstance("c"));
        }

        static native void recorder_mark(byte[] text);
    }

    /** A volume or a snapshot. */
    private static final class Subject {
        final String name;
        final boolean snapshot;
        volatile long size;
        final ReadWriteLock inUse = new ReentrantReadWriteLock();
        /** Held by the one control operation at a time. */
        final ReentrantLock control = new ReentrantLock();
        final BitSet busy = new BitSet();

        Subject(String name, boolean snapshot, long size) {
            this.name = name;
            this.snapshot = snapshot;
            this.size = size;
        }

        synchronized boolean take(int from, int to) {
            int next = busy.nextSetBit(from);
            boolean free = next < 0 || next >= to;
            if (free) {
                busy.set(from, to);
            }
            return free;
        }

        synchronized void giveBack(int from, int to) {
            busy.clear(from, to);
        }
    }

    private final Node node;
    private final AtomicInteger steps;
    private final int lastStep;
    private final TreeMap<String, Subject> subjects = new TreeMap<>();
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
        life.findSubjects();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            Random random = new Random(Long.parseLong(args[2]) * THREADS + i);
            threads.add(new Thread(() -> life.work(random)));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        Runtime.getRuntime().halt(0);
    }

    private void findSubjects() {
        JsonObject list = JsonParser.parseString(node.json(Op.LIST, "*", "{}").message()).getAsJsonObject();
        for (JsonElement element : list.getAsJsonArray("volumes")) {
            JsonObject volume = element.getAsJsonObject();
            String name = volume.get("name").getAsString();
            boolean snapshot = volume.get("kind").getAsString().equals("snapshot");
            names.add(name);
            subjects.put(name, new Subject(name, snapshot, volume.get("size").getAsLong()));
        }
    }

    private void work(Random random) {
        while (steps.get() < lastStep) {
            Subject volume = pick(random, false);
            Subject snapshot = pick(random, true);
            int what = random.nextInt(1000);
            if (volume == null) {
                create(random);
            } else if (what < 520) {
                write(volume, random);
            } else if (what < 660) {
                zero(volume, random);
            } else if (what < 800) {
                use(volume, () -> run("flush " + volume.name, () -> node.call(Op.FLUSH, volume.name)));
            } else if (what < 850) {
                use(volume, () -> read(volume, random));
            } else if (what < 885) {
                snapshot(volume, random);
            } else if (what < 915 && snapshot != null) {
                cloned(snapshot, random);
            } else if (what < 930) {
                control(volume, () -> grow(volume, random));
            } else if (what < 940) {
                control(volume, () -> delete(volume));
            } else if (what < 960 && snapshot != null) {
                control(snapshot, () -> delete(snapshot));
            } else if (what < 975) {
                control(volume, () -> use(volume, () -> run("flush " + volume.name, () -> node.call(Op.CLOSE, volume.name))));
            } else if (what < 985) {
                control(volume, () -> rename(volume, random));
            } else if (what < 990) {
                create(random);
            } else if (what < 993) {
                alone(volume, () -> writeAndFlush(volume, random));
            } else if (snapshot != null) {
                control(snapshot, () -> run("hash " + snapshot.name, () -> hash(snapshot)));
            }
        }
    }

    private Subject pick(Random random, boolean snapshot) {
        synchronized (subjects) {
            List<Subject> fitting = subjects.values().stream().filter(subject -> subject.snapshot == snapshot).toList();
            return fitting.isEmpty() ? null : fitting.get(random.nextInt(fitting.size()));
        }
    }

    // --- I/O

    /** So often and evenly that the next flush is expected. */
    private void writeAndFlush(Subject volume, Random random) {
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

    private void write(Subject volume, Random random) {
        int length = sectors(random) * Stamp.SECTOR;
        long offset = offset(volume.size, length, random);
        boolean durable = random.nextInt(10) == 0;
        onUnits(volume, offset, length, () -> run(range("write", volume, offset, length, durable),
            step -> node.write(volume.name, offset, Stamp.contents(step, offset, length), durable ? Op.FUA : 0)));
    }

    private void zero(Subject volume, Random random) {
        boolean large = random.nextInt(4) == 0;
        int length = large ? (int) BLOCK * (1 + random.nextInt(2)) : sectors(random) * Stamp.SECTOR;
        long offset = large ? random.nextInt((int) ((volume.size - length) / BLOCK) + 1) * BLOCK
            : offset(volume.size, length, random);
        boolean durable = random.nextInt(10) == 0;
        int flags = (durable ? Op.FUA : 0) | (random.nextBoolean() ? Op.DISCARD : 0);
        onUnits(volume, offset, length, () -> run(range("zero", volume, offset, length, durable),
            step -> node.zero(volume.name, offset, length, flags)));
    }

    private static String range(String what, Subject volume, long offset, int length, boolean durable) {
        return what + " " + volume.name + " " + offset + " " + length + (durable ? " durable" : " -");
    }

    private void read(Subject volume, Random random) {
        int length = sectors(random) * Stamp.SECTOR;
        check(node.read(volume.name, offset(volume.size, length, random), length), "read " + volume.name);
    }

    private void onUnits(Subject volume, long offset, long length, Runnable work) {
        int from = (int) (offset / Stamp.UNIT);
        int to = (int) ((offset + length + Stamp.UNIT - 1) / Stamp.UNIT);
        use(volume, () -> {
            if (volume.take(from, to)) {
                work.run();
                volume.giveBack(from, to);
            }
        });
    }

    /** Beside others, unless it goes away. */
    private static void use(Subject subject, Runnable work) {
        if (subject.inUse.readLock().tryLock()) {
            try {
                if (subject.size > 0) {
                    work.run();
                }
            } finally {
                subject.inUse.readLock().unlock();
            }
        }
    }

    private static void alone(Subject subject, Runnable work) {
        subject.inUse.writeLock().lock();
        try {
            if (subject.size > 0) {
                work.run();
            }
        } finally {
            subject.inUse.writeLock().unlock();
        }
    }

    // --- control operations

    /** One at a time on a subject. */
    private static void control(Subject subject, Runnable work) {
        if (subject.control.tryLock()) {
            try {
                if (subject.size > 0) {
                    work.run();
                }
            } finally {
                subject.control.unlock();
            }
        }
    }

    /** A name that nothing has; empty where there are enough. */
    private String newName(String prefix, int most, Random random) {
        synchronized (subjects) {
            long there = names.stream().filter(name -> name.startsWith(prefix)).count();
            String name = prefix + random.nextInt(2 * most);
            return there < most && names.add(name) ? name : "";
        }
    }

    private void made(Subject subject) {
        synchronized (subjects) {
            subjects.put(subject.name, subject);
        }
    }

    private void gone(Subject subject) {
        subject.size = 0;
        synchronized (subjects) {
            subjects.remove(subject.name, subject);
            names.remove(subject.name);
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
            made(new Subject(name, false, size));
        }
    }

    private void snapshot(Subject volume, Random random) {
        control(volume, () -> use(volume, () -> {
            String name = newName("s", SNAPSHOTS, random);
            if (!name.isEmpty()) {
                run("snapshot " + volume.name + " " + name,
                    () -> node.json(Op.SNAPSHOT, volume.name, "{\"name\": \"" + name + "\"}"));
                made(new Subject(name, true, volume.size));
            }
        }));
    }

    private void cloned(Subject snapshot, Random random) {
        control(snapshot, () -> {
            String name = newName("v", VOLUMES, random);
            if (!name.isEmpty()) {
                long size = Math.max(snapshot.size, random.nextInt(3) == 0 ? size(random) : 0);
                run("clone " + snapshot.name + " " + name + " " + size, () -> node.json(Op.CREATE, name,
                    "{\"origin\": \"" + snapshot.name + "\", \"size\": " + size + "}"));
                made(new Subject(name, false, size));
            }
        });
    }

    private void grow(Subject volume, Random random) {
        long size = Math.max(volume.size, size(random));
        use(volume, () -> {
            run("grow " + volume.name + " " + size, () -> node.resize(volume.name, size));
            volume.size = size;
        });
    }

    private void delete(Subject subject) {
        alone(subject, () -> {
            run("delete " + subject.name, () -> node.call(Op.DELETE, subject.name));
            gone(subject);
        });
    }

    /** In steps, until one says that it is done. */
    private Reply hash(Subject snapshot) {
        byte[] run = ("{\"run\": \"" + UUID.randomUUID() + "\"}").getBytes(StandardCharsets.UTF_8);
        Reply reply;
        do {
            reply = node.caller.call(Caller.Call.of(Node.MAPPER, Op.HASH, snapshot.name).data(run));
        } while (reply.status() == 0 && !JsonParser.parseString(reply.message()).getAsJsonObject().has("done"));
        return reply;
    }

    private void rename(Subject volume, Random random) {
        String name = newName("v", VOLUMES + 1, random);
        if (name.isEmpty()) {
            return;
        }
        alone(volume, () -> {
            long size = volume.size;
            run("rename " + volume.name + " " + name, () -> node.json(Op.RENAME, volume.name, "{\"to\": \"" + name + "\"}"));
            gone(volume);
            made(new Subject(name, false, size));
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
