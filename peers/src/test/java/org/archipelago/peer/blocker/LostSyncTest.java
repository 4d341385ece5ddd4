package org.archipelago.peer.blocker;

import static org.archipelago.peer.blocker.TestNode.call;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A disk that loses what it was to write says so once; to repeat the sync makes nothing durable. */
@Timeout(60)
class LostSyncTest {
    private static final String OBJECT = "object";

    @TempDir
    private Path directory;

    private static Call write(String object, int flags) {
        return call(Op.WRITE, object).flags(flags | Op.CREATE_ABSENT).range(0, 3).data(new byte[] {1, 2, 3});
    }

    /** An object of which a sync has failed, the only one that did. */
    private static AtomicInteger lose(TestNode node) {
        assertThat(node.send(write(OBJECT, Op.FUA)).status()).isZero(); // its name is durable from now on
        AtomicInteger syncs = new AtomicInteger();
        node.store.files().syncWith(fd -> syncs.incrementAndGet() == 1 ? Errno.EIO : FileCalls.fdatasync(fd));
        assertThat(node.send(write(OBJECT, 0)).status()).isZero();
        assertThat(node.send(Op.SYNC, OBJECT).status()).isEqualTo(Errno.EIO);
        return syncs;
    }

    @Test
    void afterOneFailure_eachSyncFails_onEachReactor() {
        try (TestNode node = new TestNode(directory)) {
            AtomicInteger syncs = lose(node);
            assertThat(node.direct(0, call(Op.SYNC, OBJECT)).status()).isEqualTo(Errno.EIO);
            assertThat(node.direct(1, call(Op.SYNC, OBJECT)).status()).isEqualTo(Errno.EIO);
            assertThat(node.send(write(OBJECT, Op.FUA)).status()).isEqualTo(Errno.EIO);
            assertThat(syncs).as("calls that made a promise").hasValue(1);
            assertThat(node.send(Op.PING, OBJECT).status()).isEqualTo(Errno.EIO);
            assertThat(node.send(write("another", Op.FUA)).status()).isZero();
        }
    }

    @Test
    void whatIsLost_canBeGivenUp() {
        try (TestNode node = new TestNode(directory)) {
            lose(node);
            assertThat(node.send(call(Op.SYNC, OBJECT).flags(Op.FORCE)).status()).isZero();
            assertThat(node.send(Op.PING, OBJECT).status()).isZero();
            assertThat(node.send(write(OBJECT, Op.FUA)).status()).isZero();
            assertThat(node.send(Op.SYNC, OBJECT).status()).isZero();
        }
    }

    @Test
    void givingUp_failsWhileTheDiskDoes() {
        try (TestNode node = new TestNode(directory)) {
            lose(node);
            node.store.files().syncWith(fd -> Errno.EIO);
            assertThat(node.send(call(Op.SYNC, OBJECT).flags(Op.FORCE)).status()).isEqualTo(Errno.EIO);
            node.store.files().syncWith(FileCalls::fdatasync);
            assertThat(node.send(Op.SYNC, OBJECT).status()).isEqualTo(Errno.EIO);
        }
    }

    @Test
    void objectMadeAnew_hasNoPast() {
        try (TestNode node = new TestNode(directory)) {
            lose(node);
            assertThat(node.send(Op.DELETE, OBJECT).status()).isZero();
            assertThat(node.send(write(OBJECT, Op.FUA)).status()).isZero();
            assertThat(node.send(Op.SYNC, OBJECT).status()).isZero();
        }
    }

    @Test
    void syncThatCouldNotBegin_losesNothing() {
        try (TestNode node = new TestNode(directory)) {
            assertThat(node.send(write(OBJECT, Op.FUA)).status()).isZero();
            node.store.files().syncWith(fd -> Errno.ENOMEM);
            assertThat(node.send(Op.SYNC, OBJECT).status()).isEqualTo(Errno.ENOMEM);
            node.store.files().syncWith(FileCalls::fdatasync);
            assertThat(node.send(Op.SYNC, OBJECT).status()).isZero();
        }
    }
}
