package org.archipelago.peer.blocker;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Host;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentParameters;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A composer's process can end and begin again while the blocker's, which has begun with a sync, goes on. */
@Timeout(30)
final class ForeignSyncTest {
    private static final int PORT = 1;

    private final AtomicInteger syncs = new AtomicInteger();
    private volatile int outcome;

    private int sync() {
        syncs.incrementAndGet();
        return outcome;
    }

    @Test
    void syncOfEverything_isMadeAnewForAnotherProcess(@TempDir Path directory) {
        String name = "test-foreign-" + ProcessHandle.current().pid();
        Segment.create(name, new SegmentParameters(64, 256, 1024, 0600, 8 << 20));
        try (Segment served = Segment.join(name); Segment joined = Segment.join(name);
                Host server = new Host("server", served, 2, 0); Host client = new Host("client", joined, 1, 0)) {
            FileStore store = FileStore.open("blockerb", directory, 2, 16, false, this::sync);
            server.serve(PORT, "blockerb", reactor -> store.blocker(reactor, served, 2));
            Caller here = new Caller(server, "here", 10_000);
            Caller there = new Caller(client, "there", 10_000);
            server.start();
            client.start();
            Call everything = Call.of(PORT, Op.SYNC, "*");
            assertThat(here.call(everything).status()).isZero();
            assertThat(syncs).hasValue(1);
            assertThat(there.call(everything).status()).isZero();
            assertThat(there.call(everything).status()).isZero();
            assertThat(syncs).hasValue(3);
            outcome = Errno.EIO;
            assertThat(there.call(everything).status()).isEqualTo(Errno.EIO);
        } finally {
            Segment.destroy(name);
        }
    }
}
