package org.archipelago.ext.node;

import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.archipelago.ext.Failure;

/**
 * What an import or export has for a moment, a hidden volume and its sockets, stays when its process is killed. The next
 * daemon takes it away: under the node's identity, which it has, nobody else is at work.
 */
public final class Leftovers {
    private static final System.Logger LOG = System.getLogger(Leftovers.class.getName());
    private static final String IMPORTS = Volume.TEMPORARY + "import-";
    private static final String PROCESS = Long.toHexString(ThreadLocalRandom.current().nextLong()) + "-";
    private static final AtomicLong NUMBER = new AtomicLong();
    private static final int ATTEMPTS = 60;
    private static final long PAUSE_MILLIS = 1000;

    private Leftovers() {}

    /** A new name for an import's hidden volume; it tells whose it is, and of which process. */
    public static String newName(Node node) {
        return prefix(node) + PROCESS + NUMBER.incrementAndGet();
    }

    private static String prefix(Node node) {
        return IMPORTS + node.shortIdentity() + "-";
    }

    /** Removes a hidden volume, in whatever state it is; one that is not there is as good. */
    public static void remove(Node node, String volume) {
        try {
            node.volumes().closeIfThere(volume);
        } catch (Failure e) { // a full store, for one: what cannot be made durable need not be
            LOG.log(Level.INFO, "volume {0} is removed without having been closed: {1}", volume, e.getMessage());
        }
        node.volumes().removeIfThere(volume, true);
    }

    /** For a daemon that starts and has served nobody yet. The volumes go a little later: their roles may have yet to start. */
    public static void removeAll(Node node) {
        removeSockets(node, "nbd");
        removeSockets(node, "img");
        Thread thread = new Thread(() -> removeVolumes(node), "leftovers");
        thread.setDaemon(true);
        thread.start();
    }

    private static void removeSockets(Node node, String name) {
        Path folder = node.locations().run().resolve(name);
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, p -> isLeft(node, p.getFileName().toString()))) {
            for (Path file : files) {
                Files.deleteIfExists(file);
                LOG.log(Level.INFO, "{0}, which serves no mapped volume, is removed", file);
            }
        } catch (NoSuchFileException e) {
            LOG.log(Level.DEBUG, "{0} is not there: no socket is left in it", folder);
        } catch (IOException e) {
            LOG.log(Level.WARNING, "sockets that were left in {0} cannot be removed: {1}", folder, e);
        }
    }

    /** A socket that was not bound to its end, or a volume's socket, or a link to it, without its mapping. */
    private static boolean isLeft(Node node, String name) {
        int end = name.lastIndexOf(".sock");
        return name.startsWith(".new-") || end > 0 && (name.length() == end + 5 || name.charAt(end + 5) == ',')
            && node.mapped().get(name.substring(0, end)).isEmpty();
    }

    /** Those of former processes of this node. */
    public static void removeVolumesOnce(Node node) {
        for (Volume volume : node.volumes().list(prefix(node))) {
            String name = volume.name();
            if (!name.startsWith(prefix(node) + PROCESS) && node.mapped().get(name).isEmpty()) {
                remove(node, name);
                LOG.log(Level.INFO, "volume {0}, which an import left behind, is removed", name);
            }
        }
    }

    /** Hidden volumes of other nodes' imports that nobody writes just now: under way, or left behind. */
    public static List<String> ofOtherNodes(Node node) {
        return node.volumes().list(IMPORTS).stream()
            .filter(volume -> !volume.name().startsWith(prefix(node)) && volume.lease().isEmpty()).map(Volume::name).toList();
    }

    private static void removeVolumes(Node node) {
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            try {
                removeVolumesOnce(node);
                return;
            } catch (RuntimeException e) {
                LOG.log(attempt < ATTEMPTS ? Level.DEBUG : Level.WARNING, "what imports left behind is not removed yet: {0}", e.getMessage());
            }
            try {
                Thread.sleep(PAUSE_MILLIS);
            } catch (InterruptedException e) {
                return;
            }
        }
    }
}
