package org.archipelago.peer.endpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.archipelago.peer.endpoint.NbdClient.OptionReply;
import org.archipelago.posix.Errno;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class NegotiationTest {
    private static final int SIZE = 1 << 20;
    private static final byte[] NOTHING = new byte[0];
    private static final int WRITABLE = NbdProtocol.HAS_FLAGS | NbdProtocol.SEND_FLUSH | NbdProtocol.SEND_FUA
        | NbdProtocol.SEND_TRIM | NbdProtocol.SEND_WRITE_ZEROES | NbdProtocol.CAN_MULTI_CONN;

    private NbdFixture nbd;
    private MemoryComposer.Disk disk;

    @BeforeEach
    void start() throws IOException {
        nbd = new NbdFixture(new NbdSettings(2 << 20, 64, 16, 512, 256, 1 << 20, 400, 1000));
        disk = nbd.volume("vol", SIZE);
    }

    @AfterEach
    void stop() throws IOException, InterruptedException {
        nbd.awaitIdle();
        nbd.close();
    }

    /** Of the socket with structured replies, which can do more. */
    private NbdClient connect() throws IOException {
        return NbdClient.connect(nbd.imageSocket("vol"));
    }

    private NbdClient greeted() throws IOException {
        NbdClient client = connect();
        client.greet();
        return client;
    }

    private static List<Integer> types(List<OptionReply> replies) {
        return replies.stream().map(OptionReply::type).collect(Collectors.toList());
    }

    private static int answer(NbdClient client, int option, byte[] data) throws IOException {
        client.option(option, data);
        List<OptionReply> replies = client.optionReplies();
        assertThat(replies).allMatch(reply -> reply.option() == option);
        return replies.get(replies.size() - 1).type();
    }

    @Test
    void greeting_isThatOfFixedNewstyle() throws IOException {
        try (NbdClient client = connect()) {
            ByteBuffer greeting = client.receive(18);
            assertThat(new String(greeting.array(), 0, 16, StandardCharsets.US_ASCII)).isEqualTo("NBDMAGICIHAVEOPT");
            assertThat(greeting.getShort(16)).isEqualTo((short) 3);
        }
    }

    @Test
    void exportName_withZeroesAndWithout() throws IOException {
        for (boolean zeroes : new boolean[] {true, false}) {
            try (NbdClient client = connect()) {
                client.receive(18);
                client.send(NbdClient.flags(zeroes ? 1 : 3));
                client.option(NbdProtocol.OPT_EXPORT_NAME, "vol".getBytes(StandardCharsets.UTF_8));
                ByteBuffer reply = client.receive(zeroes ? 134 : 10);
                assertThat(reply.getLong()).isEqualTo(SIZE);
                assertThat(reply.getShort()).isEqualTo((short) WRITABLE);
                assertThat(client.write(5, new byte[] {1, 2, 3})).isZero();
                assertThat(client.readSimple(4, 5)).containsExactly(0, 1, 2, 3, 0);
            }
        }
    }

    @Test
    void exportName_ofAnotherVolumeEndsTheConnection() throws IOException {
        try (NbdClient client = greeted()) {
            client.option(NbdProtocol.OPT_EXPORT_NAME, "other".getBytes(StandardCharsets.UTF_8));
            assertThat(client.isClosedByServer()).isTrue();
        }
    }

    @Test
    void go_describesAndServes() throws IOException {
        for (String name : new String[] {"", "vol"}) {
            try (NbdClient client = greeted()) {
                client.option(NbdProtocol.OPT_GO, NbdClient.goData(name, NbdProtocol.INFO_BLOCK_SIZE));
                List<OptionReply> replies = client.optionReplies();
                assertThat(types(replies)).containsExactly(NbdProtocol.REP_INFO, NbdProtocol.REP_INFO, NbdProtocol.REP_ACK);
                ByteBuffer export = replies.get(0).buffer();
                assertThat(export.getShort()).isEqualTo((short) NbdProtocol.INFO_EXPORT);
                assertThat(export.getLong()).isEqualTo(SIZE);
                assertThat(export.getShort()).isEqualTo((short) WRITABLE);
                ByteBuffer block = replies.get(1).buffer();
                assertThat(block.getShort()).isEqualTo((short) NbdProtocol.INFO_BLOCK_SIZE);
                assertThat(new int[] {block.getInt(), block.getInt(), block.getInt()}).containsExactly(1, 4096, 32 << 20);
                assertThat(client.readSimple(0, 3)).containsExactly(0, 0, 0);
            }
        }
    }

    @Test
    void go_ofAnotherVolumeIsRefusedAndTheNextIsNot() throws IOException {
        try (NbdClient client = greeted()) {
            assertThat(answer(client, NbdProtocol.OPT_GO, NbdClient.goData("other"))).isEqualTo(NbdProtocol.REP_ERR_UNKNOWN);
            assertThat(answer(client, NbdProtocol.OPT_GO, NbdClient.goData("vol"))).isEqualTo(NbdProtocol.REP_ACK);
            assertThat(client.readSimple(0, 1)).containsExactly(0);
        }
    }

    @Test
    void info_tellsTheNameWhereAskedAndLeavesTheChoice() throws IOException {
        try (NbdClient client = greeted()) {
            client.option(NbdProtocol.OPT_INFO, NbdClient.goData("", NbdProtocol.INFO_NAME, 77));
            List<OptionReply> replies = client.optionReplies();
            assertThat(types(replies)).containsExactly(3, 3, 3, 1);
            assertThat(new String(replies.get(1).data(), 2, 3, StandardCharsets.UTF_8)).isEqualTo("vol");
            assertThat(answer(client, NbdProtocol.OPT_GO, NbdClient.goData(""))).isEqualTo(NbdProtocol.REP_ACK);
        }
    }

    @Test
    void readOnlyVolume_isToldAndKept() throws IOException {
        disk.readOnly = true;
        try (NbdClient client = greeted()) {
            client.option(NbdProtocol.OPT_STRUCTURED_REPLY, NOTHING);
            client.optionReplies();
            client.option(NbdProtocol.OPT_GO, NbdClient.goData("vol"));
            int flags = client.optionReplies().get(0).buffer().getShort(10);
            assertThat(flags).isEqualTo(NbdProtocol.HAS_FLAGS | NbdProtocol.READ_ONLY | NbdProtocol.SEND_FLUSH
                | NbdProtocol.SEND_FUA | NbdProtocol.SEND_DF | NbdProtocol.CAN_MULTI_CONN);
            assertThat(client.write(0, new byte[10000])).isEqualTo(NbdProtocol.EPERM);
            assertThat(client.ask(0, NbdProtocol.CMD_TRIM, 0, 4096, NOTHING)).isEqualTo(NbdProtocol.EPERM);
            assertThat(client.ask(0, NbdProtocol.CMD_WRITE_ZEROES, 0, 4096, NOTHING)).isEqualTo(NbdProtocol.EPERM);
            assertThat(client.readStructured(0, 0, 9)).hasSize(9);
        }
    }

    @Test
    void list_namesTheVolume() throws IOException {
        try (NbdClient client = greeted()) {
            client.option(NbdProtocol.OPT_LIST, NOTHING);
            List<OptionReply> replies = client.optionReplies();
            assertThat(types(replies)).containsExactly(NbdProtocol.REP_SERVER, NbdProtocol.REP_ACK);
            assertThat(replies.get(0).data()).containsExactly(0, 0, 0, 3, 'v', 'o', 'l');
            assertThat(answer(client, NbdProtocol.OPT_LIST, new byte[1])).isEqualTo(NbdProtocol.REP_ERR_INVALID);
        }
    }

    @Test
    void abort_isAnsweredAndEnds() throws IOException {
        try (NbdClient client = greeted()) {
            assertThat(answer(client, NbdProtocol.OPT_ABORT, NOTHING)).isEqualTo(NbdProtocol.REP_ACK);
            assertThat(client.isClosedByServer()).isTrue();
        }
    }

    @Test
    void unknownOptions_areRefusedAndPassedOver() throws IOException {
        try (NbdClient client = greeted()) {
            assertThat(answer(client, NbdProtocol.OPT_STARTTLS, NOTHING)).isEqualTo(NbdProtocol.REP_ERR_UNSUP);
            assertThat(answer(client, 4, new byte[100])).isEqualTo(NbdProtocol.REP_ERR_UNSUP);
            assertThat(answer(client, -1, new byte[3000])).isEqualTo(NbdProtocol.REP_ERR_UNSUP);
            assertThat(answer(client, NbdProtocol.OPT_GO, new byte[20 << 10])).isEqualTo(NbdProtocol.REP_ERR_TOO_BIG);
            assertThat(answer(client, NbdProtocol.OPT_GO, NbdClient.goData(""))).isEqualTo(NbdProtocol.REP_ACK);
        }
    }

    @Test
    void tooMuch_endsTheConnection() throws IOException {
        try (NbdClient client = greeted()) {
            client.send(ByteBuffer.allocate(16).putLong(NbdProtocol.OPTION_MAGIC).putInt(99).putInt(-1).array());
            assertThat(client.isClosedByServer()).isTrue();
        }
        try (NbdClient client = connect()) {
            client.receive(18);
            client.send(NbdClient.flags(4));
            assertThat(client.isClosedByServer()).isTrue();
        }
        try (NbdClient client = greeted()) {
            client.send("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.UTF_8));
            assertThat(client.isClosedByServer()).isTrue();
        }
    }

    @Test
    void metaContext_needsStructuredReplies() throws IOException {
        try (NbdClient client = greeted()) {
            byte[] base = NbdClient.metaData("vol", NbdProtocol.BASE_ALLOCATION);
            assertThat(answer(client, NbdProtocol.OPT_SET_META_CONTEXT, base)).isEqualTo(NbdProtocol.REP_ERR_INVALID);
            assertThat(answer(client, NbdProtocol.OPT_STRUCTURED_REPLY, new byte[2])).isEqualTo(NbdProtocol.REP_ERR_INVALID);
            assertThat(answer(client, NbdProtocol.OPT_STRUCTURED_REPLY, NOTHING)).isEqualTo(NbdProtocol.REP_ACK);
            client.option(NbdProtocol.OPT_LIST_META_CONTEXT, NbdClient.metaData(""));
            List<OptionReply> listed = client.optionReplies();
            assertThat(types(listed)).containsExactly(NbdProtocol.REP_META_CONTEXT, NbdProtocol.REP_ACK);
            assertThat(listed.get(0).text().substring(4)).isEqualTo("base:allocation");
            client.option(NbdProtocol.OPT_LIST_META_CONTEXT, NbdClient.metaData("", "base:", "x-other:"));
            assertThat(client.optionReplies()).hasSize(2);
            client.option(NbdProtocol.OPT_SET_META_CONTEXT, NbdClient.metaData("vol", "qemu:dirty-bitmap:x", "base:allocation"));
            assertThat(client.optionReplies().get(0).buffer().getInt()).isEqualTo(NbdProtocol.BASE_ALLOCATION_ID);
            byte[] other = NbdClient.metaData("other", "base:allocation");
            assertThat(answer(client, NbdProtocol.OPT_LIST_META_CONTEXT, other)).isEqualTo(NbdProtocol.REP_ERR_UNKNOWN);
            // the last one counts, and it selects nothing
            client.option(NbdProtocol.OPT_SET_META_CONTEXT, NbdClient.metaData("vol", "base:other"));
            assertThat(client.optionReplies()).hasSize(1);
            assertThat(answer(client, NbdProtocol.OPT_GO, NbdClient.goData("vol"))).isEqualTo(NbdProtocol.REP_ACK);
            client.request(0, NbdProtocol.CMD_BLOCK_STATUS, 1, 0, 4096);
            NbdClient.Chunk refused = client.chunk();
            assertThat(refused.type()).isEqualTo(NbdProtocol.CHUNK_ERROR);
            assertThat(refused.buffer().getInt()).isEqualTo(NbdProtocol.EINVAL);
        }
    }

    @Test
    void structuredReplies_areNotForGuests() throws IOException {
        try (NbdClient client = NbdClient.connect(nbd.socket("vol"))) {
            client.greet();
            assertThat(answer(client, NbdProtocol.OPT_STRUCTURED_REPLY, new byte[2])).isEqualTo(NbdProtocol.REP_ERR_INVALID);
            client.option(NbdProtocol.OPT_STRUCTURED_REPLY, NOTHING);
            OptionReply refused = client.optionReply();
            assertThat(refused.type()).isEqualTo(NbdProtocol.REP_ERR_POLICY);
            assertThat(refused.text()).contains("simple replies");
            byte[] base = NbdClient.metaData("vol", NbdProtocol.BASE_ALLOCATION);
            assertThat(answer(client, NbdProtocol.OPT_LIST_META_CONTEXT, base)).isEqualTo(NbdProtocol.REP_ERR_INVALID);
            assertThat(answer(client, NbdProtocol.OPT_SET_META_CONTEXT, base)).isEqualTo(NbdProtocol.REP_ERR_INVALID);
            client.option(NbdProtocol.OPT_GO, NbdClient.goData("vol"));
            assertThat(client.optionReplies().get(0).buffer().getShort(10)).isEqualTo((short) WRITABLE);
            assertThat(client.ask(0, NbdProtocol.CMD_BLOCK_STATUS, 0, 4096, NOTHING)).isEqualTo(NbdProtocol.EINVAL);
            assertThat(client.readSimple(0, 3)).containsExactly(0, 0, 0);
        }
    }

    @Test
    void shortenedOptions_areInvalid() throws IOException {
        byte[] go = NbdClient.goData("vol", 1, 2, 3);
        byte[] meta = NbdClient.metaData("vol", "base:allocation", "base:");
        try (NbdClient client = greeted()) {
            answer(client, NbdProtocol.OPT_STRUCTURED_REPLY, NOTHING);
            for (int length = 0; length < go.length; length++) {
                assertThat(answer(client, NbdProtocol.OPT_INFO, Arrays.copyOf(go, length))).isEqualTo(NbdProtocol.REP_ERR_INVALID);
            }
            for (int length = 0; length < meta.length; length++) {
                assertThat(answer(client, NbdProtocol.OPT_SET_META_CONTEXT, Arrays.copyOf(meta, length)))
                    .isEqualTo(NbdProtocol.REP_ERR_INVALID);
            }
            byte[] lying = go.clone();
            ByteBuffer.wrap(lying).putInt(0, Integer.MAX_VALUE);
            assertThat(answer(client, NbdProtocol.OPT_GO, lying)).isEqualTo(NbdProtocol.REP_ERR_INVALID);
            ByteBuffer.wrap(lying).putInt(0, -1);
            assertThat(answer(client, NbdProtocol.OPT_GO, lying)).isEqualTo(NbdProtocol.REP_ERR_INVALID);
        }
    }

    @Test
    void bytesOneByOne_andAllInOne() throws IOException, InterruptedException {
        ByteBuffer session = ByteBuffer.allocate(4096);
        session.put(NbdClient.flags(3));
        for (int i = 0; i < 20; i++) {
            session.put(NbdClient.optionBytes(NbdProtocol.OPT_INFO, NbdClient.goData("vol")));
            session.put(NbdClient.optionBytes(NbdProtocol.OPT_LIST, NOTHING));
        }
        session.put(NbdClient.optionBytes(NbdProtocol.OPT_GO, NbdClient.goData("vol")));
        session.put(NbdClient.requestBytes(0, NbdProtocol.CMD_READ, 5, 0, 10));
        byte[] bytes = Arrays.copyOf(session.array(), session.position());
        for (int step : new int[] {1, bytes.length}) {
            disk.mode = step == 1 ? MemoryComposer.Mode.AT_ONCE : MemoryComposer.Mode.MIXED;
            try (NbdClient client = connect()) {
                for (int at = 0; at < bytes.length; at += step) {
                    client.send(Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + step)));
                }
                client.receive(18);
                for (int i = 0; i < 41; i++) {
                    client.optionReplies();
                }
                assertThat(client.simple()).isEqualTo(new NbdClient.Simple(0, 5));
                client.receive(10);
            }
        }
    }

    @Test
    void composersRefusal_isToldWithItsWords() throws IOException {
        disk.infoErrno = Errno.EIO;
        try (NbdClient client = greeted()) {
            client.option(NbdProtocol.OPT_GO, NbdClient.goData("vol"));
            OptionReply reply = client.optionReply();
            assertThat(reply.type()).isEqualTo(NbdProtocol.REP_ERR_SHUTDOWN);
            assertThat(reply.text()).isEqualTo("the test does not want it");
            disk.infoErrno = Errno.ENOENT;
            assertThat(answer(client, NbdProtocol.OPT_INFO, NbdClient.goData(""))).isEqualTo(NbdProtocol.REP_ERR_UNKNOWN);
            client.option(NbdProtocol.OPT_EXPORT_NAME, NOTHING);
            assertThat(client.isClosedByServer()).isTrue();
        }
    }

    @Test
    void hesitation_hasAnEnd() throws IOException {
        try (NbdClient silent = connect(); NbdClient undecided = greeted()) {
            silent.receive(18);
            assertThat(silent.isClosedByServer()).isTrue();
            assertThat(undecided.isClosedByServer()).isTrue();
        }
    }
}
