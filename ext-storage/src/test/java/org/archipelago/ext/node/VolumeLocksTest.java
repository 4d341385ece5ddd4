package org.archipelago.ext.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.FakeConsole;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class VolumeLocksTest {
    private final VolumeLocks locks = new VolumeLocks(500);

    @Test
    void oneAtATimeOnAVolume() {
        int[] inside = new int[1];
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            all.add(CompletableFuture.runAsync(() -> locks.run("v", new FakeConsole(), () -> {
                assertThat(++inside[0]).isEqualTo(1);
                Thread.yield();
                inside[0]--;
            })));
        }
        all.forEach(CompletableFuture::join);
        assertThat(inside[0]).isZero();
    }

    @Test
    void anotherVolumeDoesNotWait() {
        locks.run("a", new FakeConsole(), () ->
            CompletableFuture.runAsync(() -> locks.run("b", new FakeConsole(), () -> { })).join());
    }

    @Test
    void theWaitIsBounded() throws Exception {
        CountDownLatch taken = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        CompletableFuture<Void> holder = CompletableFuture.runAsync(() -> locks.run("v", new FakeConsole(), () -> {
            taken.countDown();
            try {
                release.await(20, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }));
        taken.await();
        assertThatThrownBy(() -> locks.run("v", new FakeConsole(), () -> { })).isInstanceOf(Failure.class)
            .satisfies(e -> assertThat(((Failure) e).code()).isEqualTo(ExitCode.TIMED_OUT));
        FakeConsole gone = new FakeConsole();
        gone.leave();
        assertThatThrownBy(() -> locks.run("v", gone, () -> { })).hasMessageContaining("gone");
        release.countDown();
        holder.join();
        locks.run("v", new FakeConsole(), () -> { });
    }

    @Test
    void aFailureGivesTheVolumeBack() {
        assertThatThrownBy(() -> locks.run("v", new FakeConsole(), () -> {
            throw new IllegalStateException("x");
        })).hasMessage("x");
        CompletableFuture.runAsync(() -> locks.run("v", new FakeConsole(), () -> { })).join();
    }
}
