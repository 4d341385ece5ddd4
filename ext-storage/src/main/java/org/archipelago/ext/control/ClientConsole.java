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
    private static final long POLL_MILLIS = 500;

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
        connection.send(FrameDescriptor.frame(FrameDescriptor.VERB, String.join("\0", words)));
        StringBuilder output = new StringBuilder();
        while (!connection.gone()) {
            for (Frame frame : connection.nextAnswer(POLL_MILLIS)) {
                if (frame.type() == FrameDescriptor.VERB_STATUS) {
                    return new VerbResult(FrameDescriptor.number(frame.payload()), output.toString());
                }
                if (output.length() > FrameDescriptor.PAYLOAD_MAX) {
                    throw new Failure(ExitCode.FAILED, words.get(0) + " printed more than " + FrameDescriptor.PAYLOAD_MAX + " bytes");
                }
                output.append(frame.text());
            }
        }
        throw new Failure(ExitCode.FAILED, "the caller went away during " + words.get(0));
    }

    @Override
    public boolean gone() {
        return connection.gone();
    }
}
