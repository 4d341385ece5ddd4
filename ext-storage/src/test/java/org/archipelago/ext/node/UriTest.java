package org.archipelago.ext.node;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UriTest {
    @TempDir
    private Path folder;

    @Test
    void theLinkIsWhatTheTextSays() throws IOException {
        Path socket = folder.resolve("v.sock");
        Uri uri = new Uri(300);
        assertThat(uri.of(socket)).isEqualTo("nbd:unix:" + socket + ",file.reconnect-delay=300");
        uri.link(socket);
        uri.link(socket);
        Path link = Path.of(uri.of(socket).substring("nbd:unix:".length()));
        assertThat(Files.readSymbolicLink(link)).isEqualTo(Path.of("v.sock"));
        new Uri(60).link(socket);
        assertThat(link.toFile().getParentFile().list()).containsExactly("v.sock,file.reconnect-delay=60");
        uri.unlink(socket);
        assertThat(folder.toFile().list()).isEmpty();
    }

    @Test
    void withoutADelayThereIsNoLink() {
        Path socket = folder.resolve("v.sock");
        Uri uri = new Uri(0);
        uri.link(socket);
        assertThat(uri.of(socket)).isEqualTo("nbd:unix:" + socket);
        assertThat(folder.toFile().list()).isEmpty();
    }
}
