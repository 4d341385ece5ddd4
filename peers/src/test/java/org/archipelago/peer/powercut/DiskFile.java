package org.archipelago.peer.powercut;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.archipelago.peer.powercut.Image.Contents;

/** A file as a file system keeps it: its pages and its size reach the disk when they like, and at a sync at the latest. */
final class DiskFile implements Disk.Node {
    static final int PAGE = 4096;
    private static final int SECTOR = 512;
    private static final byte[] ZEROS = new byte[PAGE];

    /** Whether a page may be torn at any byte, and not only between pages. */
    private final boolean tears;
    private final Map<Long, Versions<byte[]>> pages = new HashMap<>();
    private final Versions<Long> size;

    DiskFile(boolean tears) {
        this(tears, new Contents(0, Map.of()));
    }

    /** Durable, with these contents. */
    DiskFile(boolean tears, Contents contents) {
        this.tears = tears;
        this.size = new Versions<>(contents.size());
        contents.pages().keySet().forEach(number -> pages.put(number, new Versions<>(contents.page(number))));
    }

    void write(long when, long offset, byte[] bytes) {
        for (int done = 0; done < bytes.length; ) {
            int in = (int) ((offset + done) % PAGE);
            int count = Math.min(PAGE - in, bytes.length - done);
            Versions<byte[]> versions = pages.computeIfAbsent((offset + done) / PAGE, number -> new Versions<>(ZEROS));
            byte[] page = versions.now().clone();
            System.arraycopy(bytes, done, page, in, count);
            versions.set(when, page);
            done += count;
        }
        if (offset + bytes.length > size.now()) {
            size.set(when, offset + bytes.length);
        }
    }

    void punch(long when, long offset, long length) {
        zero(when, offset, Math.min(offset + length, size.now()));
    }

    void truncate(long when, long length) {
        zero(when, length, size.now());
        size.set(when, length);
    }

    private void zero(long when, long from, long to) {
        for (Map.Entry<Long, Versions<byte[]>> entry : pages.entrySet()) { // the others are zeros
            long at = entry.getKey() * PAGE;
            if (from < to && at < to && at + PAGE > from) {
                byte[] page = entry.getValue().now().clone();
                Arrays.fill(page, (int) Math.max(0, from - at), (int) Math.min(PAGE, to - at), (byte) 0);
                entry.getValue().set(when, page);
            }
        }
    }

    /** All that it was at that moment is durable. */
    void synced(long when) {
        size.synced(when);
        pages.values().forEach(versions -> versions.synced(when));
    }

    /** As all who live see it. */
    Contents now() {
        Map<Long, byte[]> left = new HashMap<>();
        pages.forEach((number, versions) -> left.put(number, versions.now()));
        return new Contents(size.now(), left);
    }

    /** As a power cut may leave it. */
    Contents cut(Luck luck) {
        Map<Long, byte[]> left = new HashMap<>();
        pages.forEach((number, versions) -> left.put(number, tears && luck.isAny() ? torn(versions, luck) : versions.pick(luck)));
        return new Contents(size.pick(luck), left);
    }

    /** Each sector of its own version, and one of them of two. */
    private static byte[] torn(Versions<byte[]> versions, Luck luck) {
        if (versions.count() == 1) {
            return versions.now();
        }
        byte[] page = new byte[PAGE];
        for (int at = 0; at < PAGE; at += SECTOR) {
            System.arraycopy(versions.pick(luck), at, page, at, SECTOR);
        }
        int from = luck.random().nextInt(PAGE);
        int to = (from / SECTOR + 1) * SECTOR;
        System.arraycopy(versions.pick(luck), from, page, from, to - from);
        return page;
    }
}
