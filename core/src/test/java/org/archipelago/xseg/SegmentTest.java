package org.archipelago.xseg;

import static org.archipelago.xseg.SegmentException.check;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.archipelago.posix.Errno;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SegmentTest {
    private static final SegmentParameters SMALL = new SegmentParameters(4, 8, 16, 0600, 64 << 10);

    private final String name = "segment-test-" + ProcessHandle.current().pid();
    private final Memory slots = new Memory(4 * 8);
    private final Memory role = new Memory(8);

    @BeforeEach
    void nameRole() {
        role.setString(0, "test");
    }

    @AfterEach
    void destroy() {
        try {
            Segment.destroy(name);
        } catch (SegmentException e) {
            assertThat(e.errno()).isEqualTo(Errno.ENOENT);
        }
    }

    @Test
    void shouldShowWhatItWasMadeWith() {
        Segment.create(name, SMALL);
        try (Segment segment = Segment.join(name)) {
            assertThat(segment.ports()).isEqualTo(4);
            assertThat(segment.ringSize()).isEqualTo(8);
            assertThat(segment.requests()).isEqualTo(16);
            assertThat(segment.size()).isEqualTo(segment.dataAt() + (64 << 10));
            assertThat(segment.metadata().getLong(SegmentDescriptor.MAGIC_AT)).isEqualTo(SegmentDescriptor.MAGIC);
            assertThat(segment.metadata().capacity()).isEqualTo((int) segment.dataAt());
            assertThat(LibXseg.xseg_verify(segment.handle(), 0)).isZero();
        }
    }

    @Test
    void shouldSayWhyACallFailed() {
        assertThatThrownBy(() -> Segment.join(name))
            .isInstanceOf(SegmentException.class)
            .hasMessageContaining(name)
            .hasFieldOrPropertyWithValue("errno", Errno.ENOENT);
        Segment.create(name, SMALL);
        assertThatThrownBy(() -> Segment.create(name, SMALL)).hasFieldOrPropertyWithValue("errno", Errno.EEXIST);
        assertThatThrownBy(() -> Segment.join("../" + name)).hasFieldOrPropertyWithValue("errno", Errno.EINVAL);
        assertThatThrownBy(() -> new SegmentParameters(4, 12, 16, 0600, 0))
            .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("ringSize=12");
    }

    @Test
    void shouldNameBothAbisWhenTheyDiffer() throws IOException {
        Segment.create(name, SMALL);
        try (FileChannel file = FileChannel.open(Path.of("/dev/shm", name), StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(0, 7), SegmentDescriptor.ABI);
        }
        assertThatThrownBy(() -> Segment.join(name))
            .hasFieldOrPropertyWithValue("errno", Errno.EPROTO)
            .hasMessageContaining("ABI 7").hasMessageContaining("ABI 1");
    }

    @Test
    void shouldCarryARequestThereAndBackThroughTwoMappings() {
        Segment.create(name, SMALL);
        try (Segment client = Segment.join(name); Segment server = Segment.join(name)) {
            bind(client, 1, 4);
            bind(server, 0, 0);
            int at = client.requestAt(firstSlot(client, 1));
            client.metadata().putInt(at + RequestDescriptor.OP, Op.READ);
            client.metadata().putLong(at + RequestDescriptor.LENGTH, 512);

            slots.setInt(0, firstSlot(client, 1));
            assertThat(check(LibXseg.xseg_submit(client.handle(), 0, address(slots), 1))).isEqualTo(1);
            assertThat(check(LibXseg.xseg_accept(server.handle(), 0, address(slots), 8))).isEqualTo(1);
            assertThat(slots.getInt(0)).isEqualTo(firstSlot(client, 1));
            assertThat(server.metadata().getLong(at + RequestDescriptor.LENGTH)).isEqualTo(512);
            assertThat(server.metadata().getInt(at + RequestDescriptor.SRC)).isEqualTo(1);

            server.metadata().putInt(at + RequestDescriptor.STATUS, Errno.ENOENT);
            assertThat(LibXseg.xseg_respond(server.handle(), address(slots), 1)).isEqualTo(1);
            assertThat(check(LibXseg.xseg_receive(client.handle(), 1, address(slots), 8))).isEqualTo(1);
            assertThat(client.metadata().getInt(at + RequestDescriptor.STATUS)).isEqualTo(Errno.ENOENT);
            assertThat(client.metadata().getInt(at + RequestDescriptor.STATE)).isEqualTo(RequestDescriptor.STATE_FREE);
            assertThat(LibXseg.xseg_verify(client.handle(), 0)).isZero();
        }
    }

    @Test
    void shouldAnswerForAPeerThatLeft() {
        Segment.create(name, SMALL);
        try (Segment client = Segment.join(name)) {
            bind(client, 1, 4);
            Segment server = Segment.join(name);
            bind(server, 0, 0);
            slots.setInt(0, firstSlot(client, 1));
            check(LibXseg.xseg_submit(client.handle(), 0, address(slots), 1));
            check(LibXseg.xseg_accept(server.handle(), 0, address(slots), 8));
            server.close();

            assertThat(LibXseg.xseg_alive(client.handle(), 0)).isZero();
            assertThat(check(LibXseg.xseg_recover(client.handle(), 0))).isEqualTo(1);
            assertThat(check(LibXseg.xseg_receive(client.handle(), 1, address(slots), 8))).isEqualTo(1);
            assertThat(client.metadata().getInt(client.requestAt(slots.getInt(0)) + RequestDescriptor.STATUS))
                .isEqualTo(Errno.EOWNERDEAD);
            assertThat(LibXseg.xseg_submit(client.handle(), 0, address(slots), 1)).isEqualTo(-Errno.EHOSTDOWN);
        }
    }

    @Test
    void shouldKeepAnAnonymousSegmentToItself() {
        try (Segment segment = Segment.anonymous(SMALL)) {
            bind(segment, 2, 8);
            assertThat(segment.metadata().getInt(segment.portAt(2) + SegmentDescriptor.PORT_STATE))
                .isEqualTo(SegmentDescriptor.PORT_BOUND);
        }
    }

    @Test
    void shouldRefuseUseAfterClose() {
        Segment segment = Segment.anonymous(SMALL);
        segment.close();
        segment.close();
        assertThatThrownBy(segment::metadata).isInstanceOf(IllegalStateException.class);
    }

    private void bind(Segment segment, int port, int requests) {
        check(LibXseg.xseg_bind(segment.handle(), port, requests, 4096, address(role), port));
    }

    private static int firstSlot(Segment segment, int port) {
        return segment.metadata().getInt(segment.portAt(port) + SegmentDescriptor.PORT_FIRST_REQUEST);
    }

    private static long address(Memory memory) {
        return Pointer.nativeValue(memory);
    }
}
