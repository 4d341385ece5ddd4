package org.archipelago.ext.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;

/**
 * The records of what is mapped on this host: a small file a volume in RUN/mapped, replaced as a
 * whole. They outlive the daemon, not the boot. Thread-safe.
 */
public final class MappingStore {
    private static final System.Logger LOG = System.getLogger(MappingStore.class.getName());
    private static final String SUFFIX = ".json";

    private final Path folder;
    private final Map<String, Mapping> mappings = new TreeMap<>();

    /** Reads the records that there are; a damaged one is set aside. For whoever has the node's identity. */
    public MappingStore(Path run) {
        this(run, true);
    }

    private MappingStore(Path run, boolean own) {
        this.folder = run.resolve("mapped");
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*" + SUFFIX)) {
            for (Path file : files) {
                read(file, own);
            }
        } catch (NoSuchFileException e) {
            LOG.log(System.Logger.Level.DEBUG, "{0} is not there: nothing is mapped", folder);
        } catch (IOException | DirectoryIteratorException e) {
            throw new Failure(ExitCode.FAILED, "cannot read " + folder + ", which records what is mapped: " + e.getMessage(), e);
        }
    }

    /** What is mapped at this moment, for others than its owner: nothing is changed. */
    public static List<Mapping> look(Path run) {
        return new MappingStore(run, false).all();
    }

    private void read(Path file, boolean own) {
        String name = file.getFileName().toString();
        String volume = name.substring(0, name.length() - SUFFIX.length());
        try {
            Mapping mapping = Mapping.decode(Files.readString(file)).filter(m -> m.volume().equals(volume))
                .orElseThrow(() -> new IOException("it is no record of that volume"));
            mappings.put(volume, mapping);
        } catch (NoSuchFileException e) {
            LOG.log(System.Logger.Level.DEBUG, "volume {0} has just been unmapped", volume);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "{0} is damaged, and volume {1} is not mapped: {2}", file, volume, e.toString());
            if (own) {
                setAside(file);
            }
        }
    }

    private static void setAside(Path file) {
        Path bad = file.resolveSibling(file.getFileName() + ".bad");
        try {
            Files.move(file, bad, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, "{0} cannot be renamed to {1}: {2}", file, bad, e.toString());
        }
    }

    public synchronized Optional<Mapping> get(String volume) {
        return Optional.ofNullable(mappings.get(volume));
    }

    /** By their numbers. */
    public synchronized List<Mapping> all() {
        List<Mapping> all = new ArrayList<>(mappings.values());
        all.sort(Comparator.comparingInt(Mapping::id));
        return all;
    }

    /** By the volume's name, its device, or its socket. */
    public synchronized Optional<Mapping> find(String nameOrPlace) {
        Mapping named = mappings.get(nameOrPlace);
        if (named != null) {
            return Optional.of(named);
        }
        Collection<Mapping> all = mappings.values();
        return all.stream().filter(m -> nameOrPlace.equals(m.device()) || nameOrPlace.equals(m.socket())).findFirst();
    }

    /** The lowest number that is free, from 1. */
    public synchronized int freeId() {
        List<Integer> taken = mappings.values().stream().map(Mapping::id).toList();
        int id = 1;
        while (taken.contains(id)) {
            id++;
        }
        return id;
    }

    public synchronized void put(Mapping mapping) {
        try {
            Files.createDirectories(folder);
            Path temporary = folder.resolve(mapping.volume() + ".new");
            Files.write(temporary, mapping.encode().getBytes(StandardCharsets.UTF_8));
            Files.move(temporary, folder.resolve(mapping.volume() + SUFFIX), StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot record the mapping of volume " + mapping.volume() + " in " + folder + ": "
                + e.getMessage(), e);
        }
        mappings.put(mapping.volume(), mapping);
    }

    public synchronized void remove(String volume) {
        try {
            Files.deleteIfExists(folder.resolve(volume + SUFFIX));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot remove the record of volume " + volume + " in " + folder + ": " + e.getMessage(), e);
        }
        mappings.remove(volume);
    }
}
