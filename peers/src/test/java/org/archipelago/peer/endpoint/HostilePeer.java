package org.archipelago.peer.endpoint;

import static org.archipelago.xseg.SegmentDescriptor.*;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.archipelago.peer.volume.Node;
import org.archipelago.xseg.LibXseg;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.RequestDescriptor;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentException;

/** One who may write a segment and does with it what he likes. Not for several threads. */
final class HostilePeer implements AutoCloseable {
    private static final int PORT = 900;
    private static final int REQUESTS = 64;
    private static final int DATA = 1 << 20;
    private static final int NO_ANSWER = -1;
    private static final int[] PORTS = {Node.COMPOSER, Node.COMPOSER, Node.MAPPER, Node.BLOCKERB, Node.BLOCKERM, Node.DUMMY};
    private static final List<byte[]> TARGETS = List.of(text("busy"), text("*"), text("nosuch"), text("vol-none"), text("lock-0"),
        text(""), text("../../etc/passwd"), text("x".repeat(160)), filled(160, 0xff), filled(80, 0xc3), filled(160, 0));
    private static final List<byte[]> PAYLOADS = List.of(text("{\"size\": 1048576}"), text("{\"size\": 9223372036854775807}"),
        text("{\"name\": \"snap\"}"), text("{\"origin\": \"snap\"}"), text("{\"to\": \"other\"}"), text("{\"after\": \"a\"}"),
        text("{\"size\": \"\\u0000\"}"), text("[".repeat(100_000)), text("{\"a\":".repeat(50_000)), filled(DATA, 'a'));

    /** Where a field lies in a port or a request. */
    private record Field(int at, int size) {}

    private static final Field[] PORT_FIELDS = {
        new Field(PORT_STATE, 4), new Field(PORT_PID, 4), new Field(PORT_PID_START, 8), new Field(PORT_FIRST_REQUEST, 4),
        new Field(PORT_NR_REQUESTS, 4), new Field(PORT_FIRST_PAGE, 4), new Field(PORT_NR_PAGES, 4), new Field(PORT_BELL, 4),
        new Field(PORT_GENERATION, 4), new Field(PORT_HEARTBEAT, 8), new Field(PORT_DROPPED, 8), new Field(PORT_DROPPED + 8, 8),
        new Field(PORT_ROLE, 8), new Field(PORT_SLEEPING, 4), new Field(PORT_RESCAN, 4), new Field(PORT_RESCAN + 4, 4),
        new Field(PORT_REQUEST_TAIL, 8), new Field(PORT_REQUEST_HEAD, 8), new Field(PORT_REPLY_TAIL, 8),
        new Field(PORT_REPLY_HEAD, 8), new Field(PORT_TIMED, 8), new Field(PORT_TIMED_NS, 8)};
    private static final Field[] REQUEST_FIELDS = {
        new Field(RequestDescriptor.STATE, 4), new Field(RequestDescriptor.DST, 4), new Field(RequestDescriptor.STATE, 8),
        new Field(RequestDescriptor.SRC, 4), new Field(RequestDescriptor.OP, 4), new Field(RequestDescriptor.FLAGS, 4),
        new Field(RequestDescriptor.STATUS, 4), new Field(RequestDescriptor.OFFSET, 8), new Field(RequestDescriptor.LENGTH, 8),
        new Field(RequestDescriptor.SERVICED, 8), new Field(RequestDescriptor.DATA_AT, 8),
        new Field(RequestDescriptor.DATA_LENGTH, 8), new Field(RequestDescriptor.COOKIE, 8),
        new Field(RequestDescriptor.SUBMITTED_NS, 8), new Field(RequestDescriptor.TARGET_LENGTH, 4),
        new Field(RequestDescriptor.TARGET, 8), new Field(RequestDescriptor.TARGET + 152, 8)};

    private final Segment segment;
    private final ByteBuffer metadata;
    private final Random random;
    private final Memory slots = new Memory(4 * REQUESTS);
    private final int first;
    private final long dataAt;
    private final int[] ports;
    /** Bound by the victim for its own requests: what is sent there stays there. */
    private final int[] silent;
    long requests;
    long answers;
    long mutations;

    HostilePeer(String name, Random random) {
        this.segment = Segment.join(name);
        this.metadata = segment.metadata();
        this.random = random;
        this.ports = IntStream.range(0, segment.ports())
            .filter(port -> metadata.getInt(segment.portAt(port) + PORT_STATE) == PORT_BOUND).toArray();
        this.silent = Arrays.stream(ports).filter(port -> Arrays.stream(PORTS).noneMatch(p -> p == port)).toArray();
        bind();
        this.first = metadata.getInt(segment.portAt(PORT) + PORT_FIRST_REQUEST);
        this.dataAt = segment.dataAt() + (long) PAGE * metadata.getInt(segment.portAt(PORT) + PORT_FIRST_PAGE);
    }

    private void bind() {
        try (Memory role = new Memory(16)) {
            role.setString(0, "hostile");
            SegmentException.check(LibXseg.xseg_bind(segment.handle(), PORT, REQUESTS, DATA, Pointer.nativeValue(role), PORT));
        }
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] filled(int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private long odd() {
        long[] values = {0, 1, 2, 7, 8, 255, 4095, 4096, 4097, 1 << 20, 4 << 20, 1L << 31, (1L << 31) - 1, 1L << 32, 0xffff_ffffL, -1, -4096,
            Long.MIN_VALUE, Long.MAX_VALUE, segment.size(), segment.size() - 1, segment.dataAt(), dataAt, segment.ports(),
            segment.requests(), segment.ringSize(), PORT, Node.COMPOSER};
        long value = values[random.nextInt(values.length)];
        return switch (random.nextInt(6)) {
            case 0 -> random.nextLong();
            case 1 -> value + random.nextInt(5) - 2;
            case 2 -> -value;
            default -> value;
        };
    }

    // --- requests that ask for what cannot be

    /** Sends one; what is spoilt of it afterwards may be read before or after. */
    void sendRequest() {
        receive();
        int slot = first + random.nextInt(REQUESTS);
        int at = segment.requestAt(slot);
        if (metadata.getInt(at + RequestDescriptor.STATE) != RequestDescriptor.STATE_FREE) {
            return;
        }
        write(at, random.nextInt(20) == 0 ? (int) odd() : random.nextInt(29));
        int port = random.nextInt(50) == 0 ? (int) odd() : PORTS[random.nextInt(PORTS.length)];
        if (port != PORT && Arrays.binarySearch(silent, port) < 0) {
            submit(slot, port);
        }
        for (int i = random.nextInt(4); i > 0; i--) {
            spoil(at, REQUEST_FIELDS[4 + random.nextInt(REQUEST_FIELDS.length - 4)]); // not its state, dst, and src
        }
    }

    private void write(int at, int op) {
        metadata.putInt(at + RequestDescriptor.OP, op);
        metadata.putInt(at + RequestDescriptor.FLAGS, random.nextBoolean() ? random.nextInt(256) : (int) odd());
        boolean sane = random.nextBoolean();
        int length = 4096 * random.nextInt(32);
        metadata.putLong(at + RequestDescriptor.OFFSET, sane ? 4096L * random.nextInt(4096) : odd());
        metadata.putLong(at + RequestDescriptor.LENGTH, sane || random.nextInt(4) == 0 ? length : odd());
        metadata.putLong(at + RequestDescriptor.DATA_AT, random.nextInt(4) > 0 ? dataAt : odd());
        metadata.putLong(at + RequestDescriptor.DATA_LENGTH, random.nextInt(4) > 0 ? DATA : odd());
        byte[] target = TARGETS.get(random.nextInt(3) == 0 ? random.nextInt(TARGETS.size()) : 0);
        if (random.nextInt(8) == 0) {
            target = text("n" + random.nextLong());
        }
        int room = (target.length + 7) / 8 * 8;
        metadata.put(at + RequestDescriptor.TARGET, filled(room, 0)).put(at + RequestDescriptor.TARGET, target);
        metadata.putInt(at + RequestDescriptor.TARGET_LENGTH, random.nextInt(16) == 0 ? (int) odd() : target.length);
        if (random.nextInt(4) == 0) {
            byte[] payload = PAYLOADS.get(random.nextInt(PAYLOADS.size()));
            new Pointer(segment.base() + dataAt).write(0, payload, 0, payload.length);
            metadata.putLong(at + RequestDescriptor.LENGTH, payload.length);
        }
    }

    private void submit(int slot, int port) {
        slots.setInt(0, slot);
        if (LibXseg.xseg_submit(segment.handle(), port, Pointer.nativeValue(slots), 1) == 1) {
            requests++;
        }
    }

    private void receive() {
        answers += Math.max(0, LibXseg.xseg_receive(segment.handle(), PORT, Pointer.nativeValue(slots), REQUESTS));
    }

    /** Waits until all that was sent has been answered. */
    boolean isAnswered(long millis) throws InterruptedException {
        long end = System.nanoTime() + millis * 1_000_000;
        while (answers < requests && System.nanoTime() < end) {
            receive();
            Thread.sleep(1);
        }
        return answers == requests;
    }

    /** What has not been answered. */
    String unanswered() {
        StringBuilder text = new StringBuilder();
        for (int slot = first; slot < first + REQUESTS; slot++) {
            int at = segment.requestAt(slot);
            if (metadata.getInt(at + RequestDescriptor.STATE) != RequestDescriptor.STATE_FREE) {
                text.append("state=%d dst=%d op=%s flags=%x offset=%d length=%d%n".formatted(metadata.getInt(at + RequestDescriptor.STATE),
                    metadata.getInt(at + RequestDescriptor.DST), Op.name(metadata.getInt(at + RequestDescriptor.OP)),
                    metadata.getInt(at + RequestDescriptor.FLAGS), metadata.getLong(at + RequestDescriptor.OFFSET),
                    metadata.getLong(at + RequestDescriptor.LENGTH)));
            }
        }
        return text.toString();
    }

    /** An honest request: its status, or -1 where no answer comes. */
    int ask(int port, int op, String target, String payload, long millis) throws InterruptedException {
        int slot = first;
        int at = segment.requestAt(slot);
        byte[] name = text(target);
        byte[] data = text(payload);
        metadata.putInt(at + RequestDescriptor.OP, op).putInt(at + RequestDescriptor.FLAGS, 0);
        metadata.putLong(at + RequestDescriptor.OFFSET, 0).putLong(at + RequestDescriptor.LENGTH, data.length);
        metadata.putLong(at + RequestDescriptor.DATA_AT, dataAt).putLong(at + RequestDescriptor.DATA_LENGTH, DATA);
        metadata.put(at + RequestDescriptor.TARGET, filled(160, 0)).put(at + RequestDescriptor.TARGET, name);
        metadata.putInt(at + RequestDescriptor.TARGET_LENGTH, name.length);
        new Pointer(segment.base() + dataAt).write(0, data, 0, data.length);
        submit(slot, port);
        return isAnswered(millis) ? metadata.getInt(at + RequestDescriptor.STATUS) : NO_ANSWER;
    }

    // --- fields of others

    private void spoil(int at, Field field) {
        long value = odd();
        if (random.nextInt(3) == 0) {
            value = (field.size == 8 ? metadata.getLong(at + field.at) : metadata.getInt(at + field.at)) ^ 1L << random.nextInt(8 * field.size);
        }
        if (field.size == 8) {
            metadata.putLong(at + field.at, value);
        } else {
            metadata.putInt(at + field.at, (int) value);
        }
        mutations++;
    }

    /** Spoils a field of a port of the victim's, a word of its rings, or a field of a request. */
    void spoilField() {
        int port = segment.portAt(ports[random.nextInt(ports.length)]);
        switch (random.nextInt(4)) {
            case 0 -> spoil(port, PORT_FIELDS[random.nextInt(PORT_FIELDS.length)]);
            case 1 -> {
                int word = PORT_WORDS + 8 * random.nextInt(2 * segment.ringSize());
                long lap = metadata.getLong(port + word) >>> 32;
                metadata.putLong(port + word, lap << 32 | random.nextInt(segment.requests() + 2));
                mutations++;
            }
            case 2 -> spoil(port, new Field(PORT_WORDS + 8 * random.nextInt(2 * segment.ringSize()), 8));
            default -> {
                int owner = segment.portAt(ports[random.nextInt(ports.length)]);
                int base = metadata.getInt(owner + PORT_FIRST_REQUEST);
                int count = Math.max(1, Math.min(256, metadata.getInt(owner + PORT_NR_REQUESTS)));
                int slot = Math.floorMod(base + random.nextInt(count), segment.requests());
                spoil(segment.requestAt(slot), REQUEST_FIELDS[random.nextInt(REQUEST_FIELDS.length)]);
            }
        }
    }

    /** Spoils what lies in the segment as data of a port of the victim's. */
    void spoilData() {
        int port = segment.portAt(ports[random.nextInt(ports.length)]);
        int pages = metadata.getInt(port + PORT_NR_PAGES);
        if (pages > 0) {
            long page = metadata.getInt(port + PORT_FIRST_PAGE) + random.nextInt(pages);
            new Pointer(segment.base()).setLong(segment.dataAt() + PAGE * page + 8 * random.nextInt(PAGE / 8), odd());
            mutations++;
        }
    }

    @Override
    public void close() {
        segment.close();
    }
}
