package org.archipelago.ext.daemon;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A process that cannot be mistaken for a later one of the same number.
 *
 * @param start clock ticks since the boot; 0: not known
 */
public record ProcessId(long pid, long start) {
    public static ProcessId current() {
        long pid = ProcessHandle.current().pid();
        return new ProcessId(pid, startOf(pid));
    }

    public boolean alive() {
        return pid > 0 && start != 0 && startOf(pid) == start;
    }

    /** Field 22 of /proc/PID/stat; 0 where there is no such process, or only its remains. */
    private static long startOf(long pid) {
        try {
            String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            return fields[0].equals("Z") || fields[0].equals("X") ? 0 : Long.parseLong(fields[19]);
        } catch (IOException | RuntimeException e) {
            return 0;
        }
    }
}
