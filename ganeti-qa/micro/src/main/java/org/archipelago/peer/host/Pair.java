package org.archipelago.peer.host;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.archipelago.xseg.LibXseg;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentDescriptor;
import org.archipelago.xseg.SegmentException;
import org.archipelago.xseg.SegmentParameters;

/**
 * Two ports of a segment, one that asks and one that is asked, with one request: what a test takes, and gives back when
 * the request is its owner's again. A harness has many tests under way: run it with a stride of at most {@value #PAIRS}.
 */
final class Pair {
    static final int PAIRS = 1024;

    private static final VarHandle WORD = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final int RING = 2;
    private static final Segment SEGMENT = Segment.anonymous(new SegmentParameters(2 * PAIRS, RING, PAIRS, 0600, 4096));
    private static final ConcurrentLinkedQueue<Pair> FREE = new ConcurrentLinkedQueue<>();

    static {
        for (int i = 0; i < PAIRS; i++) {
            FREE.add(new Pair(2 * i, 2 * i + 1));
        }
    }

    final Request asked;
    final Request accepted;
    private final int from;
    private final int to;
    private final Memory slot = new Memory(4);
    private final Memory out = new Memory(4L * RING);

    private Pair(int from, int to) {
        this.from = from;
        this.to = to;
        SegmentException.check(Slots.bind(SEGMENT, from, 1, 0, "asks", from));
        SegmentException.check(Slots.bind(SEGMENT, to, 0, 0, "is asked", to));
        try (Memory count = new Memory(4)) {
            SegmentException.check(LibXseg.xseg_port_slots(SEGMENT.handle(), from, Pointer.nativeValue(slot), Pointer.nativeValue(count)));
        }
        this.asked = request(false);
        this.accepted = request(true);
    }

    private Request request(boolean foreign) {
        ByteBuffer metadata = SEGMENT.metadata();
        int number = slot.getInt(0);
        return new Request(metadata, SEGMENT.base(), SEGMENT.requestAt(number), number, foreign, request -> { });
    }

    static Pair take() {
        return FREE.remove();
    }

    void giveBack() {
        FREE.add(this);
    }

    void submit() {
        asked.publish();
        asked.left(); // before it is gone: another thread receives
        SegmentException.check(LibXseg.xseg_submit(SEGMENT.handle(), to, Pointer.nativeValue(slot), 1));
    }

    boolean accept() {
        return LibXseg.xseg_accept(SEGMENT.handle(), to, Pointer.nativeValue(out), 1) == 1
            && accepted.load(to, SEGMENT.dataAt(), SEGMENT.size());
    }

    void respond() {
        accepted.publishAnswer();
        LibXseg.xseg_respond(SEGMENT.handle(), Pointer.nativeValue(slot), 1);
    }

    boolean receive() {
        return LibXseg.xseg_receive(SEGMENT.handle(), from, Pointer.nativeValue(out), 1) == 1 && asked.back();
    }

    void prepareToSleep() {
        LibXseg.xseg_prepare_wait(SEGMENT.handle(), to);
    }

    void awake() {
        LibXseg.xseg_cancel_wait(SEGMENT.handle(), to);
    }

    boolean wasRung() {
        return SEGMENT.metadata().getInt(SEGMENT.portAt(to) + SegmentDescriptor.PORT_SLEEPING) == 2;
    }

    /** As in {@link Rings}: one look at the ring's next word. */
    boolean hasEntry() {
        int portAt = SEGMENT.portAt(to);
        long head = (long) WORD.getVolatile(SEGMENT.metadata(), portAt + SegmentDescriptor.PORT_REQUEST_HEAD);
        int index = (int) (head & (RING - 1));
        long word = (long) WORD.getVolatile(SEGMENT.metadata(), portAt + SegmentDescriptor.PORT_WORDS + 8 * index);
        return (int) word != 0 || (int) (word >>> 32) != (int) (head >>> 1);
    }
}
