package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two nodes on one directory. */
final class SharedStoreTest {
    @TempDir
    Path directory;

    @Test
    void oneOfThoseWhoCreateAnObjectWins() {
        try (TestNode a = new TestNode(directory); TestNode b = new TestNode(directory)) {
            for (int i = 0; i < 100; i++) {
                String object = "lock" + i;
                List<CompletableFuture<Reply>> answers = new ArrayList<>();
                for (int j = 0; j < 4; j++) {
                    TestNode node = j % 2 == 0 ? a : b;
                    answers.add(node.submit(j / 2, TestNode.call(Op.CREATE, object).data(new byte[] {(byte) j})));
                }
                int winner = -1;
                for (int j = 0; j < 4; j++) {
                    int status = TestNode.await(answers.get(j)).status();
                    if (status == 0) {
                        assertThat(winner).as("there is one already").isEqualTo(-1);
                        winner = j;
                    } else {
                        assertThat(status).isEqualTo(Errno.EEXIST);
                    }
                }
                assertThat(a.read(object, 0, 1).data()).isEqualTo(new byte[] {(byte) winner});
                assertThat(b.read(object, 0, 1).data()).isEqualTo(new byte[] {(byte) winner});
            }
        }
    }

    @Test
    void oneOfThoseWhoRenameToANameWins() {
        try (TestNode a = new TestNode(directory); TestNode b = new TestNode(directory)) {
            for (int i = 0; i < 50; i++) {
                a.create("a" + i, new byte[] {1});
                b.create("b" + i, new byte[] {2});
                byte[] to = ("{\"to\":\"winner" + i + "\"}").getBytes(StandardCharsets.UTF_8);
                CompletableFuture<Reply> first = a.submit(i, TestNode.call(Op.RENAME, "a" + i).data(to));
                CompletableFuture<Reply> second = b.submit(i, TestNode.call(Op.RENAME, "b" + i).data(to));
                int one = TestNode.await(first).status();
                int two = TestNode.await(second).status();
                assertThat(List.of(one, two)).containsExactlyInAnyOrder(0, Errno.EEXIST);
                byte expected = (byte) (one == 0 ? 1 : 2);
                assertThat(a.read("winner" + i, 0, 1).data()).isEqualTo(new byte[] {expected});
            }
        }
    }

    @Test
    void aFreshReadSeesWhatTheOtherNodePut() {
        try (TestNode a = new TestNode(directory); TestNode b = new TestNode(directory)) {
            for (int i = 0; i < 30; i++) {
                a.put("map", new byte[] {(byte) i});
                for (int reactor = 0; reactor < 2; reactor++) {
                    Reply reply = b.direct(reactor, TestNode.call(Op.READ, "map").flags(Op.FRESH).range(0, 1));
                    assertThat(reply.data()).isEqualTo(new byte[] {(byte) i});
                }
                for (int reactor = 0; reactor < 2; reactor++) { // and from then on every read does
                    assertThat(b.direct(reactor, TestNode.call(Op.READ, "map").range(0, 1)).data()).isEqualTo(new byte[] {(byte) i});
                }
            }
            a.send(Op.DELETE, "map");
            assertThat(b.send(TestNode.call(Op.READ, "map").flags(Op.FRESH).range(0, 1)).status()).isEqualTo(Errno.ENOENT);
        }
    }
}
