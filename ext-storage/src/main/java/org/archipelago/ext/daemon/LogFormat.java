package org.archipelago.ext.daemon;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.logging.Formatter;
import java.util.logging.Level;
import java.util.logging.LogRecord;

/** One line a record: time, level, thread, class, message; a stack trace follows where there is one. */
final class LogFormat extends Formatter {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSS").withZone(ZoneId.systemDefault());

    @Override
    public String format(LogRecord record) {
        String logger = String.valueOf(record.getLoggerName());
        String text = TIME.format(record.getInstant()) + " " + word(record.getLevel()) + " [" + Thread.currentThread().getName() + "] "
            + logger.substring(logger.lastIndexOf('.') + 1) + ": " + formatMessage(record).replace("\n", "\n    ") + "\n";
        return record.getThrown() == null ? text : text + trace(record.getThrown());
    }

    private static String trace(Throwable thrown) {
        StringWriter trace = new StringWriter();
        thrown.printStackTrace(new PrintWriter(trace, true));
        return trace.toString();
    }

    private static String word(Level level) {
        int value = level.intValue();
        return value >= Level.SEVERE.intValue() ? "error" : value >= Level.WARNING.intValue() ? "warning"
            : value >= Level.INFO.intValue() ? "info" : "debug";
    }
}
