package org.archipelago.ext.control;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.archipelago.ext.Console;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;

/** The caller at the other end of the control socket. For the one thread that runs its command. */
final class ClientConsole implements Console {
    private final Connection connection;
    private final Invocation invocation;

    ClientConsole(Connection connection, Invocation invocation) {
        this.connection = connection;
        this.invocation = invocation;
    }

    @Override
    public Map<String, String> environment() {
        return invocation.environment();
    }

    @Override
    public Path directory() {
        return invocation.directory();
    }

    @Override
    public Terminal terminal() {
        return invocation.terminal();
    }

    @Override
    public void out(String text) {
        send(FrameDescriptor.OUT, text);
    }

    @Override
    public void err(String text) {
        send(FrameDescriptor.ERR, text);
    }

    private void send(byte type, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        for (int at = 0; at < bytes.length; at += FrameDescriptor.PAYLOAD_MAX) {
            connection.send(FrameDescriptor.frame(type, bytes, at, Math.min(FrameDescriptor.PAYLOAD_MAX, bytes.length - at)));
        }
    }

    /** Lasts as long as the client lets it: whoever is tired of waiting ends the client. */
    @Override
    public VerbResult verb(List<String> words) {
        try {
            return connection.ask(FrameDescriptor.frame(FrameDescriptor.VERB, String.join("\0", words)))
                .orElseThrow(() -> new Failure(ExitCode.FAILED, "the caller went away during " + words.get(0)));
        } catch (InterruptedException e) { // not set again: to undo its work the command has to wait for requests
            throw new Failure(ExitCode.TRY_AGAIN, "archipelagod is stopping: " + words.get(0) + " was cut off", e);
        }
    }

    @Override
    public boolean gone() {
        return connection.gone();
    }
}
