package org.archipelago.ext.daemon;

import java.util.logging.Handler;
import java.util.logging.LogRecord;

/** Log lines of a command, on its stderr. */
final class StderrLog extends Handler {
    StderrLog() {
        setFormatter(new LogFormat());
    }

    @Override
    public void publish(LogRecord record) {
        if (isLoggable(record)) {
            System.err.print(getFormatter().format(record));
        }
    }

    @Override
    public void flush() {
        System.err.flush();
    }

    @Override
    public void close() {
        flush();
    }
}
