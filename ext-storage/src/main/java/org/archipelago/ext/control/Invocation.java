package org.archipelago.ext.control;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.archipelago.ext.Console.Terminal;

/** What a client asks for: a program, its arguments, and where it was called. */
public record Invocation(String program, List<String> arguments, Map<String, String> environment, Path directory,
        Terminal terminal) {

    /** Collects the frames that a client sends before G. */
    static final class Builder {
        private static final int COLUMNS_LEAST = 20;
        private static final int COLUMNS_MOST = 1000;

        private String program = "";
        private final List<String> arguments = new ArrayList<>();
        private final Map<String, String> environment = new HashMap<>();
        private Path directory = Path.of("/");
        private Terminal terminal = Terminal.NONE;
        private int bytes;

        /** Bytes that it holds. */
        int bytes() {
            return bytes;
        }

        void add(Frame frame) throws ProtocolException {
            bytes += FrameDescriptor.HEAD + frame.payload().length;
            if (bytes > FrameDescriptor.REQUEST_MAX) {
                throw new ProtocolException("the request is longer than " + FrameDescriptor.REQUEST_MAX + " bytes");
            }
            switch (frame.type()) {
                case FrameDescriptor.PROGRAM -> program = frame.text();
                case FrameDescriptor.ARGUMENT -> arguments.add(frame.text());
                case FrameDescriptor.VARIABLE -> variable(frame.text());
                case FrameDescriptor.DIRECTORY -> directory = path(frame.text());
                case FrameDescriptor.TERMINAL -> terminal = terminal(frame.text());
                default -> throw new ProtocolException("a frame of type " + (frame.type() & 0xff) + " is not allowed here");
            }
            if (arguments.size() > FrameDescriptor.WORDS_MAX || environment.size() > FrameDescriptor.WORDS_MAX) {
                throw new ProtocolException("more than " + FrameDescriptor.WORDS_MAX + " arguments or variables");
            }
        }

        Invocation build() throws ProtocolException {
            if (program.isEmpty()) {
                throw new ProtocolException("no program was named");
            }
            return new Invocation(program, List.copyOf(arguments), Map.copyOf(environment), directory, terminal);
        }

        private void variable(String text) throws ProtocolException {
            int equals = text.indexOf('=');
            if (equals < 1) {
                throw new ProtocolException("a variable without a name");
            }
            environment.put(text.substring(0, equals), text.substring(equals + 1));
        }

        private static Path path(String text) throws ProtocolException {
            try {
                Path path = Path.of(text);
                return path.isAbsolute() ? path : Path.of("/");
            } catch (InvalidPathException e) {
                throw new ProtocolException("the current directory is no path");
            }
        }

        private static Terminal terminal(String text) throws ProtocolException {
            if (!text.matches("[01] [01] [01] \\d{1,6}")) {
                throw new ProtocolException("a malformed description of the terminal");
            }
            int columns = Integer.parseInt(text.substring(6));
            return new Terminal(text.charAt(0) == '1', text.charAt(2) == '1', text.charAt(4) == '1',
                Math.max(COLUMNS_LEAST, Math.min(columns, COLUMNS_MOST)));
        }
    }
}
