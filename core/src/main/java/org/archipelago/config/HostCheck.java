package org.archipelago.config;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.util.ArrayList;
import java.util.List;

/** Compares a configuration with the host. */
final class HostCheck {
    /**
     * @param memoryMib of the host; 0 if it cannot be told
     * @param sharedMib the whole of /dev/shm; 0 if it cannot be told
     * @param isRoot so that being allowed to write says nothing about the daemon's user
     */
    record Host(long memoryMib, long sharedMib, boolean isRoot) {
        static Host current() {
            long memory = 0;
            long shared = 0;
            try {
                memory = Files.readAllLines(Path.of("/proc/meminfo"), StandardCharsets.US_ASCII).stream()
                        .filter(line -> line.startsWith("MemTotal:"))
                        .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) >> 10).findFirst().orElse(0);
                shared = Files.getFileStore(Path.of("/dev/shm")).getTotalSpace() >> 20;
            } catch (IOException e) {
                // Not to be told on this host; what needs it is not checked.
            }
            return new Host(memory, shared, "root".equals(System.getProperty("user.name")));
        }
    }

    /** A Unix socket's path, bytes. */
    private static final int LONGEST_SOCKET = 107;
    private static final int LONGEST_VOLUME = 80;

    private final Configuration configuration;
    private final Locations locations;
    private final Host host;
    private final List<Finding> findings = new ArrayList<>();

    HostCheck(Configuration configuration, Locations locations, Host host) {
        this.configuration = configuration;
        this.locations = locations;
        this.host = host;
    }

    List<Finding> run() {
        memory();
        if (locations.isHost()) {
            users();
        }
        for (Role role : configuration.roles()) {
            if (role instanceof FileBlockerRole blocker) {
                store(blocker);
            }
        }
        own("run folder", locations.run());
        own("log folder", locations.log());
        own("data folder", locations.data());
        int left = LONGEST_SOCKET - locations.nbdSocket("x").toString().getBytes(StandardCharsets.UTF_8).length + 1;
        if (left < LONGEST_VOLUME) {
            add(Finding.Severity.WARNING, 0, "run folder", locations.run().toString(),
                    "so long that NBD serves only volumes with names of up to " + Math.max(0, left) + " bytes",
                    "a path " + (LONGEST_VOLUME - left) + " bytes shorter");
        }
        return List.copyOf(findings);
    }

    private void memory() {
        int size = configuration.segment().sizeMib();
        int line = configuration.line("", "SEGMENT_SIZE");
        if (host.sharedMib() > 0 && size > host.sharedMib()) {
            add(Finding.Severity.ERROR, line, "SEGMENT_SIZE", "" + size, "more than /dev/shm holds, which is "
                    + host.sharedMib() + " MiB", "up to " + host.sharedMib() + " MiB, or a larger /dev/shm");
        } else if (host.memoryMib() > 0 && size > host.memoryMib() / 2) {
            add(Finding.Severity.WARNING, line, "SEGMENT_SIZE", "" + size, "more than half of the host's memory of "
                    + host.memoryMib() + " MiB", "better up to " + host.memoryMib() / 2 + " MiB");
        }
    }

    private interface Lookup {
        Object find(String name) throws IOException;
    }

    private void users() {
        UserPrincipalLookupService names = locations.run().getFileSystem().getUserPrincipalLookupService();
        exists("USER", "user", configuration.daemon().user(), names::lookupPrincipalByName);
        exists("GROUP", "group", configuration.daemon().group(), names::lookupPrincipalByGroupName);
    }

    private void exists(String setting, String what, String name, Lookup lookup) {
        try {
            lookup.find(name);
        } catch (IOException e) {
            add(Finding.Severity.ERROR, configuration.line("", setting), setting, Literal.quote(name),
                    "no such " + what + " on this host",
                    "a " + what + " of this host; make it with add" + what + " --system");
        }
    }

    private void store(FileBlockerRole role) {
        Path folder = role.archipDir();
        String setting = role.name() + ".archip_dir";
        String value = Literal.quote(folder.toString());
        int line = configuration.line(role.name(), "archip_dir");
        DaemonSettings daemon = configuration.daemon();
        String due = "a folder that user " + daemon.user() + " can write";
        if (!Files.isDirectory(folder)) {
            String make = "; make it with install -d -o " + daemon.user() + " -g " + daemon.group() + " " + folder;
            add(Finding.Severity.ERROR, line, setting, value, Files.exists(folder) ? "not a folder" : "does not exist",
                    Files.exists(folder) ? due : due + make);
        } else if (!Files.isWritable(folder) || !Files.isExecutable(folder)) {
            add(Finding.Severity.ERROR, line, setting, value, "not writable", due);
        } else if (host.isRoot() && locations.isHost() && !modeLets(folder)) {
            add(Finding.Severity.WARNING, line, setting, value, "by owner and mode not writable for the daemon", due);
        }
    }

    /** Whether owner and mode let the daemon's user write; other groups and access lists are not asked. */
    private boolean modeLets(Path folder) {
        try {
            PosixFileAttributes a = Files.readAttributes(folder, PosixFileAttributes.class);
            return a.permissions().contains(a.owner().getName().equals(configuration.daemon().user())
                    ? PosixFilePermission.OWNER_WRITE : a.group().getName().equals(configuration.daemon().group())
                    ? PosixFilePermission.GROUP_WRITE : PosixFilePermission.OTHERS_WRITE);
        } catch (IOException | UnsupportedOperationException e) {
            return true;
        }
    }

    /** A folder that the daemon makes if need be: it, or the nearest one above that exists, must be writable. */
    private void own(String what, Path folder) {
        Path nearest = folder;
        while (!Files.exists(nearest) && nearest.getNameCount() > 0) {
            nearest = nearest.resolve("..").normalize();
        }
        if (!Files.isDirectory(nearest) || !Files.isWritable(nearest)) {
            add(Finding.Severity.ERROR, 0, what, folder.toString(), nearest.equals(folder) ? "not a writable folder"
                    : "cannot be made in " + nearest, "a folder that the daemon can write or make");
        }
    }

    private void add(Finding.Severity severity, int line, String setting, String value, String problem,
            String allowed) {
        findings.add(new Finding(severity, configuration.file(), line, 0, setting, Finding.shorten(value), problem,
                allowed));
    }
}
