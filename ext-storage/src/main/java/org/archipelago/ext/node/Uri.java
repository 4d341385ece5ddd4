package org.archipelago.ext.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What a KVM opens a volume's socket by. Ganeti hands the text to qemu as {@code -drive file=TEXT}, so
 * what follows the comma is an option of its own there, and lets the guest wait while the daemon
 * restarts. Programs that take the text as the path of a socket find a link of that name.
 */
public final class Uri {
    private static final String SCHEME = "nbd:unix:";
    private static final String OPTION = ",file.reconnect-delay=";

    private final int reconnectSeconds;

    /** @param reconnectSeconds that a guest waits; 0: not at all */
    public Uri(int reconnectSeconds) {
        this.reconnectSeconds = reconnectSeconds;
    }

    private String suffix() {
        return reconnectSeconds == 0 ? "" : OPTION + reconnectSeconds;
    }

    /** The same text on every node, so that a guest can move. */
    public String of(Path socket) {
        return SCHEME + socket + suffix();
    }

    /** Makes the link beside the socket. */
    public void link(Path socket) {
        if (suffix().isEmpty()) {
            return;
        }
        Path link = socket.resolveSibling(socket.getFileName() + suffix());
        try {
            if (!Files.isSymbolicLink(link)) {
                unlink(socket);
                Files.createSymbolicLink(link, socket.getFileName());
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make the link " + link + ": " + e.getMessage(), e);
        }
    }

    /** Removes the links of a socket, whatever the setting was when they were made. */
    public void unlink(Path socket) {
        String start = socket.getFileName() + OPTION;
        try (DirectoryStream<Path> links = Files.newDirectoryStream(socket.getParent(),
                p -> p.getFileName().toString().startsWith(start))) {
            for (Path link : links) {
                Files.deleteIfExists(link);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot remove the links of " + socket + ": " + e.getMessage(), e);
        }
    }
}
