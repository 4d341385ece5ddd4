package org.archipelago.peer.endpoint;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.archipelago.peer.Peer;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;

/** Stands for the composer: volumes that are native memory. Answers at once, from other threads, or when told. */
final class MemoryComposer implements Peer {
    /** When requests are answered. */
    enum Mode { AT_ONCE, MIXED, HELD }

    /** A volume; blocks of 4 KiB that were never written, or discarded, are holes. */
    static final class Disk {
        static final int BLOCK = 4096;
        final Target target;
        final Memory memory;
        final boolean[] allocated;
        volatile long size;
        volatile boolean readOnly;
        volatile Mode mode = Mode.AT_ONCE;
        /** Data operations that touch this byte fail with that errno. */
        volatile long badByte = -1;
        volatile int badErrno;
        volatile int infoErrno;
        volatile int lastFlags;
        volatile int flushes;
        final BlockingQueue<Request> held = new LinkedBlockingQueue<>();

        /** @param room bytes that the volume can grow to */
        Disk(String volume, long size, long room) {
            this.target = Target.of(volume);
            this.size = size;
            this.memory = new Memory(room);
            memory.clear();
            this.allocated = new boolean[(int) ((room + BLOCK - 1) / BLOCK)];
        }

        synchronized byte[] bytes(long offset, int length) {
            return memory.getByteArray(offset, length);
        }
    }

    private final List<Disk> disks;
    private final ScheduledExecutorService others;
    private final Random random = new Random(1);

    MemoryComposer(List<Disk> disks, ScheduledExecutorService others) {
        this.disks = disks;
        this.others = others;
    }

    static List<Disk> noDisks() {
        return new CopyOnWriteArrayList<>();
    }

    static ScheduledExecutorService threads() {
        return Executors.newScheduledThreadPool(2, task -> {
            Thread thread = new Thread(task, "memory-composer");
            thread.setDaemon(true);
            return thread;
        });
    }

    @Override
    public void accept(Request request) {
        for (int i = 0; i < disks.size(); i++) {
            Disk disk = disks.get(i);
            if (request.targets(disk.target)) {
                accept(disk, request);
                return;
            }
        }
        request.fail(Errno.ENOENT, "there is no volume " + request.target());
    }

    private void accept(Disk disk, Request request) {
        if (disk.mode == Mode.AT_ONCE) {
            serve(disk, request);
        } else if (disk.mode == Mode.HELD && request.op() != Op.INFO) {
            disk.held.add(request);
        } else {
            int dice = random.nextInt(4);
            if (dice == 0) {
                serve(disk, request);
            } else if (dice == 1) {
                others.execute(() -> serve(disk, request));
            } else {
                others.schedule(() -> serve(disk, request), random.nextInt(300), TimeUnit.MICROSECONDS);
            }
        }
    }

    /** Answers what was held back; how many that were. */
    static int release(Disk disk) {
        int count = 0;
        for (Request request = disk.held.poll(); request != null; request = disk.held.poll()) {
            serve(disk, request);
            count++;
        }
        return count;
    }

    private static void serve(Disk disk, Request request) {
        long offset = request.offset();
        long length = request.length();
        boolean data = request.op() == Op.READ || request.op() == Op.WRITE || request.op() == Op.ZERO;
        if (data && (offset < 0 || length < 0 || offset + length > disk.size)) {
            request.complete(request.op() == Op.READ ? Errno.EINVAL : Errno.ENOSPC);
        } else if (data && disk.badByte >= offset && disk.badByte < offset + length) {
            request.complete(disk.badErrno);
        } else {
            disk.lastFlags = request.flags();
            perform(disk, request, offset, length);
        }
    }

    private static void perform(Disk disk, Request request, long offset, long length) {
        long at = Pointer.nativeValue(disk.memory) + offset;
        switch (request.op()) {
            case Op.READ -> {
                Posix.memcpy(request.dataAddress(), at, length);
                request.complete(length);
            }
            case Op.WRITE -> {
                Posix.memcpy(at, request.dataAddress(), length);
                allocate(disk, offset, length, true);
                request.complete(length);
            }
            case Op.ZERO -> {
                Posix.memset(at, 0, length);
                allocate(disk, offset, length, !request.has(Op.DISCARD));
                request.complete(length);
            }
            case Op.FLUSH -> {
                disk.flushes++;
                request.complete(0);
            }
            case Op.STATUS -> request.complete(status(disk, request, offset, length));
            case Op.INFO -> info(disk, request);
            default -> request.fail(Errno.EOPNOTSUPP, "not known here");
        }
    }

    private static void allocate(Disk disk, long offset, long length, boolean data) {
        long first = data ? offset / Disk.BLOCK : (offset + Disk.BLOCK - 1) / Disk.BLOCK;
        long end = data ? (offset + length + Disk.BLOCK - 1) / Disk.BLOCK : (offset + length) / Disk.BLOCK;
        for (long block = first; block < end; block++) {
            disk.allocated[(int) block] = data;
        }
    }

    private static long status(Disk disk, Request request, long offset, long length) {
        int pairs = 0;
        long end = Math.min(disk.size, offset + length);
        int most = (int) request.dataLength() / 8;
        for (long at = offset; at < end && pairs < most; pairs++) {
            boolean data = disk.allocated[(int) (at / Disk.BLOCK)];
            long next = at;
            while (next < end && disk.allocated[(int) (next / Disk.BLOCK)] == data) {
                next = Math.min(end, (next / Disk.BLOCK + 1) * Disk.BLOCK);
            }
            request.data().putInt(8 * pairs, (int) (next - at)).putInt(8 * pairs + 4, data ? 0 : 3);
            at = next;
        }
        return 8L * pairs;
    }

    private static void info(Disk disk, Request request) {
        if (disk.infoErrno != 0) {
            request.fail(disk.infoErrno, "the test does not want it");
        } else {
            request.range(0, disk.size);
            request.reply(("{\"name\":\"" + disk.target + "\",\"readOnly\":" + disk.readOnly + "}")
                .getBytes(StandardCharsets.UTF_8));
        }
    }
}
