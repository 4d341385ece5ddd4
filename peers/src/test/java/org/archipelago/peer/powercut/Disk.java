package org.archipelago.peer.powercut;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.archipelago.peer.powercut.Image.Contents;
import org.archipelago.peer.powercut.Trace.Event;

/**
 * A file system to which recorded calls are done again, and what of it survives a power cut. It promises no more than
 * POSIX does, and that a rename is one step: a name is durable when its directory was synced since, and not when its file
 * was; until then it is on the disk or not, whatever came before or after it. Of what several changes made of one name,
 * the latest that is there counts.
 */
final class Disk {
    /** A file or a directory. */
    sealed interface Node permits DiskFile, Directory {}

    /** Names as all who live see them, and those that are on the disk for good. */
    static final class Directory implements Node {
        private final Map<String, Node> now = new TreeMap<>();
        private final Map<String, Node> durable = new TreeMap<>();
    }

    private record Place(Directory directory, String name) {}

    /** One step: what each place is after it, empty: nothing. */
    private record Change(long when, Map<Place, Optional<Node>> places) {}

    /** when: it begins. */
    private record Sync(long when, Optional<Node> node) {}

    private final Directory root = new Directory();
    /** Changes of names that are not durable, by when they were made. */
    private final NavigableMap<Long, Change> changes = new TreeMap<>();
    private final Map<Integer, Node> open = new HashMap<>();
    private final Map<Long, Sync> syncs = new HashMap<>();
    private long when;

    /** All of an image, durable. */
    Disk(Image image) {
        for (String directory : image.directories()) {
            put(directory, new Directory());
        }
        image.files().forEach((name, contents) -> put(name, new DiskFile(tears(name), contents)));
    }

    private void put(String name, Node node) {
        Place place = place(name);
        place.directory.now.put(place.name, node);
        place.directory.durable.put(place.name, node);
    }

    /** Maps bear to be torn at any byte. */
    private static boolean tears(String name) {
        return name.startsWith("maps/");
    }

    private Place place(String path) {
        Directory directory = root;
        int from = 0;
        for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', from)) {
            directory = (Directory) directory.now.get(path.substring(from, slash));
            from = slash + 1;
        }
        return new Place(directory, path.substring(from));
    }

    private Node find(String path) {
        if (path.isEmpty()) {
            return root;
        }
        Place place = place(path);
        return Optional.ofNullable(place.directory.now.get(place.name))
            .orElseThrow(() -> new IllegalStateException("the trace uses " + path + ", which there is not"));
    }

    // --- calls

    void apply(Event event) {
        when++;
        if (event instanceof Trace.Open call) {
            if (call.made()) {
                change(Map.of(place(call.name()), Optional.of(new DiskFile(tears(call.name())))));
            }
            open.put(call.fd(), find(call.name()));
        } else if (event instanceof Trace.Close call) {
            open.remove(call.fd());
        } else if (event instanceof Trace.Write call) {
            file(call.fd()).write(when, call.offset(), call.bytes());
        } else if (event instanceof Trace.Truncate call) {
            file(call.fd()).truncate(when, call.length());
        } else if (event instanceof Trace.Punch call) {
            file(call.fd()).punch(when, call.offset(), call.length());
        } else if (event instanceof Trace.SyncBegin call) {
            syncs.put(call.ticket(), new Sync(when, Optional.of(open.get(call.fd()))));
        } else if (event instanceof Trace.SyncAllBegin call) {
            syncs.put(call.ticket(), new Sync(when, Optional.empty()));
        } else if (event instanceof Trace.SyncEnd call) {
            synced(syncs.remove(call.ticket()));
        } else if (event instanceof Trace.SyncAllEnd call) {
            synced(syncs.remove(call.ticket()));
        } else if (event instanceof Trace.Link call) {
            change(Map.of(place(call.to()), Optional.of(find(call.from()))));
        } else if (event instanceof Trace.Unlink call) {
            change(Map.of(place(call.name()), Optional.empty()));
        } else if (event instanceof Trace.Rename call) {
            change(Map.of(place(call.from()), Optional.empty(), place(call.to()), Optional.of(find(call.from()))));
        } else if (event instanceof Trace.MakeDirectory call) {
            change(Map.of(place(call.name()), Optional.of(new Directory())));
        }
    }

    private DiskFile file(int fd) {
        return (DiskFile) open.get(fd);
    }

    private void change(Map<Place, Optional<Node>> places) {
        changes.put(when, new Change(when, places));
        places.forEach((place, node) -> set(place.directory.now, place.name, node));
    }

    private static void set(Map<String, Node> names, String name, Optional<Node> node) {
        node.ifPresentOrElse(there -> names.put(name, there), () -> names.remove(name));
    }

    // --- what is durable

    private void synced(Sync sync) {
        if (sync.node.isEmpty()) {
            syncedAll(root, sync.when);
            commit(sync.when, change -> true);
        } else if (sync.node.get() instanceof DiskFile file) {
            file.synced(sync.when);
        } else {
            commit(sync.when, change -> change.places.keySet().stream().anyMatch(place -> place.directory == sync.node.get()));
        }
    }

    private static void syncedAll(Node node, long when) {
        if (node instanceof DiskFile file) {
            file.synced(when);
        } else if (node instanceof Directory directory) {
            directory.now.values().forEach(child -> syncedAll(child, when));
        }
    }

    private void commit(long upTo, Predicate<Change> which) {
        for (Change change : List.copyOf(changes.headMap(upTo, true).values())) {
            if (changes.containsKey(change.when) && which.test(change)) {
                commit(change.when - 1, earlier -> earlier.places.keySet().stream().anyMatch(change.places::containsKey));
                changes.remove(change.when);
                change.places.forEach((place, node) -> set(place.directory.durable, place.name, node));
            }
        }
    }

    // --- what is left

    /** After the death of all processes: everything; the call that comes next perhaps in part. */
    Image killed(Event next, Random random) {
        Map<DiskFile, Contents> torn = new HashMap<>();
        if (next instanceof Trace.Write call && call.bytes().length > DiskFile.PAGE && random.nextBoolean()) {
            long end = (call.offset() + 1 + random.nextInt(call.bytes().length - 1)) / DiskFile.PAGE * DiskFile.PAGE;
            if (end > call.offset()) {
                DiskFile file = new DiskFile(false, file(call.fd()).now());
                file.write(0, call.offset(), Arrays.copyOf(call.bytes(), (int) (end - call.offset())));
                torn.put(file(call.fd()), file.now());
            }
        }
        Image image = new Image(new TreeSet<>(), new TreeMap<>());
        collect(image, "", root, directory -> directory.now, file -> torn.getOrDefault(file, file.now()));
        return image;
    }

    /** After a power cut. */
    Image cut(Random random) {
        Luck luck = Luck.of(random);
        Map<Directory, Map<String, Node>> left = new HashMap<>();
        Map<DiskFile, Contents> contents = new HashMap<>();
        int inOrder = random.nextInt(4) == 0 ? random.nextInt(changes.size() + 1) : -1; // as a journal does
        int number = 0;
        for (Change change : changes.values()) {
            if (inOrder >= 0 ? number++ < inOrder : luck.each().pick(2) == 1) {
                change.places.forEach((place, node) ->
                    set(left.computeIfAbsent(place.directory, d -> new TreeMap<>(d.durable)), place.name, node));
            }
        }
        Image image = new Image(new TreeSet<>(), new TreeMap<>());
        collect(image, "", root, directory -> left.getOrDefault(directory, directory.durable),
            file -> contents.computeIfAbsent(file, f -> f.cut(luck.each())));
        return image;
    }

    /** The processes are dead, the kernel lives on: what they had open is closed, what they waited for nobody waits for. */
    void closeAll() {
        open.clear();
        syncs.clear();
    }

    private interface Names {
        Map<String, Node> in(Directory directory);
    }

    private interface Left {
        Contents of(DiskFile file);
    }

    private static void collect(Image image, String prefix, Directory directory, Names names, Left left) {
        names.in(directory).forEach((name, node) -> {
            if (node instanceof Directory below) {
                image.directories().add(prefix + name);
                collect(image, prefix + name + "/", below, names, left);
            } else if (node instanceof DiskFile file) {
                image.files().put(prefix + name, left.of(file));
            }
        });
    }
}
