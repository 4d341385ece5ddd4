package org.archipelago.ext.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FrameReaderTest {
    private static byte[] stream(int frames, Random random, List<byte[]> payloads) {
        ByteBuffer bytes = ByteBuffer.allocate(1 << 20);
        bytes.put(FrameDescriptor.magic());
        for (int i = 0; i < frames; i++) {
            byte[] payload = new byte[random.nextInt(2000)];
            random.nextBytes(payload);
            payloads.add(payload);
            bytes.put(FrameDescriptor.frame((byte) 'A', payload, 0, payload.length));
        }
        byte[] all = new byte[bytes.position()];
        bytes.flip().get(all);
        return all;
    }

    @Test
    void framesComeWholeHoweverTheStreamIsCut() throws ProtocolException {
        Random random = new Random(1);
        for (int round = 0; round < 50; round++) {
            List<byte[]> payloads = new ArrayList<>();
            byte[] stream = stream(20, random, payloads);
            FrameReader reader = new FrameReader(true);
            List<Frame> frames = new ArrayList<>();
            for (int at = 0; at < stream.length; ) {
                int count = Math.min(1 + random.nextInt(round < 5 ? 1 : 3000), stream.length - at);
                frames.addAll(reader.take(ByteBuffer.wrap(stream, at, count)));
                at += count;
            }
            assertThat(frames).hasSize(20);
            for (int i = 0; i < 20; i++) {
                assertThat(frames.get(i).payload()).isEqualTo(payloads.get(i));
            }
        }
    }

    @Test
    void garbageIsRefusedAtItsFirstHead() {
        Random random = new Random(2);
        int refused = 0;
        for (int round = 0; round < 2000; round++) {
            byte[] garbage = new byte[8 + random.nextInt(100)];
            random.nextBytes(garbage);
            try {
                new FrameReader(true).take(ByteBuffer.wrap(garbage));
            } catch (ProtocolException e) {
                refused++;
            }
        }
        assertThat(refused).isEqualTo(2000);
    }

    @Test
    void lengthsAreBounded() {
        for (int length : new int[] {FrameDescriptor.PAYLOAD_MAX + 1, Integer.MAX_VALUE, -1, Integer.MIN_VALUE}) {
            ByteBuffer head = ByteBuffer.allocate(8).order(java.nio.ByteOrder.LITTLE_ENDIAN).put((byte) 'A').put(new byte[3]).putInt(length);
            assertThatThrownBy(() -> new FrameReader(false).take(head.flip())).isInstanceOf(ProtocolException.class)
                .hasMessageContaining("65536 is the limit");
        }
    }

    @Test
    void aHeadAloneTakesUpNothing() throws ProtocolException {
        FrameReader reader = new FrameReader(false);
        ByteBuffer whole = FrameDescriptor.frame((byte) 'A', new byte[FrameDescriptor.PAYLOAD_MAX], 0, FrameDescriptor.PAYLOAD_MAX);
        assertThat(reader.take(whole.slice(0, 8))).isEmpty();
        assertThat(reader.bytes()).isZero();
        assertThat(reader.take(whole.slice(8, 1000))).isEmpty();
        assertThat(reader.bytes()).isBetween(1000, 2000);
        assertThat(reader.take(whole.slice(1008, whole.limit() - 1008))).hasSize(1);
        assertThat(reader.bytes()).isZero();
    }

    @Test
    void requestsAreBounded() throws ProtocolException {
        Invocation.Builder many = new Invocation.Builder();
        for (int i = 0; i < FrameDescriptor.WORDS_MAX; i++) {
            many.add(new Frame((byte) 'A', new byte[0]));
        }
        assertThatThrownBy(() -> many.add(new Frame((byte) 'A', new byte[0]))).isInstanceOf(ProtocolException.class);
        Invocation.Builder large = new Invocation.Builder();
        for (int i = 0; i < 15; i++) {
            large.add(new Frame((byte) 'A', new byte[65536]));
        }
        assertThatThrownBy(() -> large.add(new Frame((byte) 'A', new byte[65536]))).isInstanceOf(ProtocolException.class);
        assertThatThrownBy(() -> new Invocation.Builder().build()).isInstanceOf(ProtocolException.class);
        assertThatThrownBy(() -> new Invocation.Builder().add(new Frame((byte) 'E', "=x".getBytes()))).isInstanceOf(ProtocolException.class);
        assertThatThrownBy(() -> new Invocation.Builder().add(new Frame((byte) 'T', "1 1".getBytes()))).isInstanceOf(ProtocolException.class);
        assertThatThrownBy(() -> new Invocation.Builder().add(new Frame((byte) 'W', "\0".getBytes()))).isInstanceOf(ProtocolException.class);
    }
}
