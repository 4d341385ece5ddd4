package org.archipelago.ext.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RotatingLogTest {
    @TempDir
    private Path folder;

    @Test
    void oneLineARecord() throws IOException {
        RotatingLog log = new RotatingLog(folder.resolve("x.log"));
        LogRecord record = new LogRecord(Level.WARNING, "a {0}");
        record.setParameters(new Object[] {"b\nc"});
        record.setLoggerName("org.archipelago.Some");
        log.publish(record);
        log.close();
        assertThat(Files.readString(folder.resolve("x.log"))).matches("\\d{4}-\\S+ \\S+ warning \\[main\\] Some: a b\n    c\n");
    }

    @Test
    void cannotFillTheDisk() throws IOException {
        RotatingLog log = new RotatingLog(folder.resolve("x.log"));
        LogRecord record = new LogRecord(Level.INFO, "x".repeat(1 << 20));
        for (int i = 0; i < 50; i++) {
            log.publish(record);
        }
        log.close();
        assertThat(folder.toFile().list()).containsExactlyInAnyOrder("x.log", "x.log.1", "x.log.2", "x.log.3");
        for (Path file : Files.list(folder).toList()) {
            assertThat(Files.size(file)).isLessThanOrEqualTo(8 << 20);
        }
    }
}
