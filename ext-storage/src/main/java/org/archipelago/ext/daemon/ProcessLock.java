package org.archipelago.ext.daemon;

import java.nio.file.Path;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/** Sees to it that there is one process of a name: flock(2) on RUN/NAME.lock, which ends with the process. */
final class ProcessLock implements AutoCloseable {
    private static final int MODE = 0640;

    private final int fd;

    /** Throws Failure with BUSY where the process runs already. */
    ProcessLock(Path run, String process) {
        Path file = run.resolve(process + ".lock");
        this.fd = Posix.open(file.toString(), Posix.O_RDWR | Posix.O_CREAT | Posix.O_CLOEXEC, MODE);
        if (fd < 0) {
            throw new Failure(ExitCode.FAILED, "cannot open " + file + ": " + Errno.text(Posix.errno()));
        }
        if (Posix.flock(fd, Posix.LOCK_EX | Posix.LOCK_NB) != 0) {
            Posix.close(fd);
            throw new Failure(ExitCode.BUSY, "process " + process + " runs already: it has the lock of " + file);
        }
    }

    @Override
    public void close() {
        Posix.close(fd);
    }
}
