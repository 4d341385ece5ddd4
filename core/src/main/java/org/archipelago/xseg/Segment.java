package org.archipelago.xseg;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A segment that this process joined: shared memory of ports, requests and data. The numbers it
 * reports come from the header as it was checked when it was joined, not from shared memory.
 *
 * <p>Closing unmaps it. Whoever still uses {@link #handle()}, {@link #base()} or {@link #metadata()}
 * then ends the process, so those who do {@link #retain} it, and closing leaves the memory as it is
 * while one of them has not said that it is done.
 */
public final class Segment implements AutoCloseable {
    private static final VarHandle WORD = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private final long base;
    private final ByteBuffer header;
    private final ByteBuffer metadata;
    private final AtomicInteger users = new AtomicInteger();
    private final int ringShift;
    private volatile long handle;

    private Segment(long handle) {
        this.handle = handle;
        this.base = LibXseg.xseg_base(handle);
        byte[] copy = new Pointer(LibXseg.xseg_header(handle)).getByteArray(0, SegmentDescriptor.HEADER_LENGTH);
        this.header = ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN);
        this.ringShift = Integer.numberOfTrailingZeros(ringSize());
        this.metadata = new Pointer(base).getByteBuffer(0, dataAt()).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Makes a segment of that name and all its space; does not join it. */
    public static void create(String name, SegmentParameters parameters) {
        try (Memory cName = string(name); Memory cParameters = struct(parameters)) {
            SegmentException.check(LibXseg.xseg_create(address(cName), address(cParameters)));
        }
    }

    /** Removes the name; those who joined keep what they have. */
    public static void destroy(String name) {
        try (Memory cName = string(name)) {
            SegmentException.check(LibXseg.xseg_destroy(address(cName)));
        }
    }

    public static Segment join(String name) {
        try (Memory cName = string(name); Memory out = new Memory(Native.POINTER_SIZE)) {
            SegmentException.check(LibXseg.xseg_join(address(cName), address(out)));
            return new Segment(out.getLong(0));
        }
    }

    /** The segment of an xsegbd device, which no other process can join meanwhile; path: of its character device. */
    public static Segment joinDevice(String path) {
        try (Memory cPath = string(path); Memory out = new Memory(Native.POINTER_SIZE)) {
            SegmentException.check(LibXseg.xseg_join_device(address(cPath), address(out)));
            return new Segment(out.getLong(0));
        }
    }

    /** A segment that no other process can join. */
    public static Segment anonymous(SegmentParameters parameters) {
        try (Memory cParameters = struct(parameters); Memory out = new Memory(Native.POINTER_SIZE)) {
            SegmentException.check(LibXseg.xseg_anonymous(address(cParameters), address(out)));
            return new Segment(out.getLong(0));
        }
    }

    /** The {@code struct xseg *} for {@link LibXseg}. */
    public long handle() {
        if (handle == 0) {
            throw new IllegalStateException("the segment is closed");
        }
        return handle;
    }

    /** Where the segment begins in this process. */
    public long base() {
        handle();
        return base;
    }

    /** Everything before the data, little-endian; positions are those of the segment. */
    public ByteBuffer metadata() {
        handle();
        return metadata;
    }

    /** Bytes of the whole segment. */
    public long size() {
        return header.getLong(SegmentDescriptor.SIZE);
    }

    public int ports() {
        return header.getInt(SegmentDescriptor.NR_PORTS);
    }

    public int ringSize() {
        return header.getInt(SegmentDescriptor.RING_SIZE);
    }

    public int requests() {
        return header.getInt(SegmentDescriptor.NR_REQUESTS);
    }

    /** Position of the first data byte; the end of {@link #metadata()}. */
    public long dataAt() {
        return header.getLong(SegmentDescriptor.DATA_AT);
    }

    /** Position of a port. */
    public int portAt(int port) {
        checkIndex("port", port, ports());
        return Math.toIntExact(header.getLong(SegmentDescriptor.PORTS_AT)
            + (long) port * header.getInt(SegmentDescriptor.PORT_STRIDE));
    }

    /** Whether the request ring of a port has something to take, or a word that a former owner took without moving the head. */
    public boolean hasRequest(int port) {
        return hasEntry(portAt(port), SegmentDescriptor.PORT_REQUEST_HEAD, 0);
    }

    /** The same of its reply ring. */
    public boolean hasReply(int port) {
        return hasEntry(portAt(port), SegmentDescriptor.PORT_REPLY_HEAD, 8 * ringSize());
    }

    private boolean hasEntry(int portAt, int headField, int ringAt) {
        long head = (long) WORD.getVolatile(metadata, portAt + headField);
        int index = (int) (head & (ringSize() - 1));
        long word = (long) WORD.getVolatile(metadata, portAt + SegmentDescriptor.PORT_WORDS + ringAt + 8 * index);
        return (int) word != 0 || (int) (word >>> 32) != (int) (head >>> ringShift);
    }

    /** Whether nobody has a port, or has had it and died without being recovered. */
    public boolean isFree(int port) {
        return metadata().getInt(portAt(port) + SegmentDescriptor.PORT_STATE) == SegmentDescriptor.PORT_FREE;
    }

    /** What the owner of a port calls itself. */
    public String role(int port) {
        byte[] name = new byte[SegmentDescriptor.NAME_MAX];
        metadata().get(portAt(port) + SegmentDescriptor.PORT_ROLE, name);
        int length = 0;
        while (length < name.length && name[length] != 0) {
            length++;
        }
        return new String(name, 0, length, StandardCharsets.UTF_8);
    }

    /** When the owner of a port last said that it is at work: CLOCK_BOOTTIME, nanoseconds. */
    public long heartbeat(int port) {
        return metadata().getLong(portAt(port) + SegmentDescriptor.PORT_HEARTBEAT);
    }

    /**
     * Sends back what the owners of ports had taken that are dead, so that nobody waits for them. What cannot be done
     * now, since another process is stopped while it does the same, the next call does.
     */
    public void recoverDead() {
        LibXseg.xseg_recover_dead(handle());
    }

    /** Why nothing can be done with the segment any more, as a sentence; empty where that is not so. */
    public Optional<String> ruin() {
        try {
            SegmentException.check(LibXseg.xseg_alive(handle(), 0));
            return Optional.empty();
        } catch (SegmentException e) {
            return Optional.of(e.getMessage());
        }
    }

    /** Position of a request slot. */
    public int requestAt(int slot) {
        checkIndex("request", slot, requests());
        return Math.toIntExact(header.getLong(SegmentDescriptor.REQUESTS_AT) + (long) slot * RequestDescriptor.SIZE);
    }

    /** Someone uses the memory from now on, until {@link #release}. Any thread. */
    public void retain() {
        users.incrementAndGet();
    }

    /** One of those who retained it does not use it any more. Any thread. */
    public void release() {
        users.decrementAndGet();
    }

    /** Ports that are still bound are as if their owner had died; those of a segment in use stay bound. */
    @Override
    public void close() {
        if (handle != 0) {
            if (users.get() == 0) {
                LibXseg.xseg_leave(handle);
            }
            handle = 0;
        }
    }

    private static void checkIndex(String what, int index, int bound) {
        if (index < 0 || index >= bound) {
            throw new IndexOutOfBoundsException("the segment has " + bound + " of them: " + what + "=" + index);
        }
    }

    private static long address(Memory memory) {
        return Pointer.nativeValue(memory);
    }

    private static Memory string(String text) {
        if (text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("NUL in a name");
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        Memory memory = new Memory(bytes.length + 1L);
        memory.write(0, bytes, 0, bytes.length);
        memory.setByte(bytes.length, (byte) 0);
        return memory;
    }

    /** A {@code struct xseg_params}. */
    private static Memory struct(SegmentParameters parameters) {
        Memory memory = new Memory(24);
        memory.setInt(0, parameters.ports());
        memory.setInt(4, parameters.ringSize());
        memory.setInt(8, parameters.requests());
        memory.setInt(12, parameters.mode());
        memory.setLong(16, parameters.dataBytes());
        return memory;
    }
}
