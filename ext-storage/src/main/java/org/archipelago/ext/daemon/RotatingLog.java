package org.archipelago.ext.daemon;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.logging.ErrorManager;
import java.util.logging.Handler;
import java.util.logging.LogRecord;

/**
 * A log file that cannot fill the disk: at a size it becomes FILE.1, FILE.1 becomes FILE.2, and so on,
 * and the last one goes. A file that was moved away by someone else is made anew within that size.
 */
final class RotatingLog extends Handler {
    private static final long SIZE_MAX = 8 << 20;
    private static final int FILES = 4;

    private final Path file;
    private Optional<OutputStream> out = Optional.empty();
    private long size;

    RotatingLog(Path file) {
        this.file = file;
        setFormatter(new LogFormat());
    }

    @Override
    public synchronized void publish(LogRecord record) {
        if (!isLoggable(record)) {
            return;
        }
        byte[] line = getFormatter().format(record).getBytes(StandardCharsets.UTF_8);
        try {
            OutputStream to = stream(line.length);
            to.write(line);
            size += line.length;
        } catch (IOException e) {
            reportError("cannot write " + file, e, ErrorManager.WRITE_FAILURE);
        }
    }

    private OutputStream stream(int length) throws IOException {
        if (out.isPresent() && size + length > SIZE_MAX) {
            close();
            for (int i = FILES - 1; i > 0; i--) {
                Path from = i == 1 ? file : numbered(i - 1);
                if (Files.exists(from)) {
                    Files.move(from, numbered(i), StandardCopyOption.REPLACE_EXISTING);
                }
            }
        }
        if (out.isEmpty()) {
            out = Optional.of(Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND));
            size = Files.size(file);
        }
        return out.get();
    }

    private Path numbered(int number) {
        return file.resolveSibling(file.getFileName() + "." + number);
    }

    @Override
    public void flush() {
        // each line is written at once
    }

    @Override
    public synchronized void close() {
        try {
            if (out.isPresent()) {
                out.get().close();
            }
        } catch (IOException e) {
            reportError("cannot close " + file, e, ErrorManager.CLOSE_FAILURE);
        }
        out = Optional.empty();
    }
}
