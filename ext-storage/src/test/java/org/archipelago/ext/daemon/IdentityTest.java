package org.archipelago.ext.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IdentityTest {
    @TempDir
    private Path data;

    @Test
    void isMadeOnceAndHeldByOne() {
        assertThat(Identity.peek(data)).isEmpty();
        String id;
        try (Identity first = Identity.acquire(data.resolve("below"), 0, () -> "nobody")) {
            id = first.id();
            assertThat(id).matches("[0-9a-f]{32}");
            assertThat(first.shortId()).isEqualTo(id.substring(0, 8));
            assertThat(first.node().boot()).matches("[0-9a-f]{32}");
            assertThatThrownBy(() -> Identity.acquire(data.resolve("below"), 50, () -> "process 17")).isInstanceOf(Failure.class)
                .hasMessageContaining("process 17").satisfies(e -> assertThat(((Failure) e).code()).isEqualTo(ExitCode.BUSY));
        }
        try (Identity again = Identity.acquire(data.resolve("below"), 0, () -> "nobody")) {
            assertThat(again.id()).isEqualTo(id);
        }
        assertThat(data.resolve("below").toFile().list()).containsExactly("identity");
    }

    /** A lock by fcntl would be lost as soon as anything else in the process closes the file. */
    @Test
    void readingTheFileDoesNotGiveItUp() throws IOException, InterruptedException {
        try (Identity held = Identity.acquire(data, 0, () -> "nobody")) {
            assertThat(Identity.peek(data)).contains(held.id());
            assertThat(Files.readString(data.resolve("identity"))).startsWith(held.id());
            assertThat(flock("true")).isNotZero();
        }
        assertThat(flock("true")).isZero();
    }

    private int flock(String command) throws IOException, InterruptedException {
        return new ProcessBuilder("flock", "--nonblock", data.resolve("identity").toString(), command).start().waitFor();
    }

    @Test
    void isNeverChangedSilently() throws IOException {
        Files.writeString(data.resolve("identity"), "");
        assertThatThrownBy(() -> Identity.acquire(data, 0, () -> "nobody")).isInstanceOf(Failure.class)
            .satisfies(e -> assertThat(((Failure) e).code()).isEqualTo(ExitCode.DAMAGED));
        assertThat(Files.readString(data.resolve("identity"))).isEmpty();
    }

    @Test
    void aProcessIsItselfAndNoOther() {
        ProcessId me = ProcessId.current();
        assertThat(me.alive()).isTrue();
        assertThat(new ProcessId(me.pid(), me.start() + 1).alive()).isFalse();
        assertThat(new ProcessId(0, 0).alive()).isFalse();
        assertThat(new ProcessId(Integer.MAX_VALUE, 5).alive()).isFalse();
    }
}
