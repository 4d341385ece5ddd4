package org.archipelago.peer.volume;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;

/**
 * Objects in memory as a file system keeps them: what was written is seen at once, and what of it
 * survives a power cut is known page by page. Nodes share one as they share a store. Thread-safe.
 */
final class MemoryStore {
    static final int PAGE = 4096;
    private static final byte[] ZEROS = new byte[PAGE];

    /** An object's contents; who has it open keeps it when its name is gone. */
    static final class Content {
        private final Map<Long, byte[]> pages = new HashMap<>();
        /** What each page was since it was last durable, that first: a power cut leaves any of these. */
        private final Map<Long, List<byte[]>> unsynced = new HashMap<>();
        private long size;
        private long durableSize;

        private byte[] page(long number) {
            return pages.getOrDefault(number, ZEROS);
        }

        private void page(long number, byte[] bytes) {
            unsynced.computeIfAbsent(number, added -> new ArrayList<>(List.of(page(number)))).add(bytes);
            pages.put(number, bytes);
        }

        private void sync() {
            unsynced.clear();
            durableSize = size;
        }

        private void cut(Random random) {
            size = random.nextBoolean() ? size : durableSize;
            unsynced.forEach((number, versions) -> pages.put(number, versions.get(random.nextInt(versions.size()))));
            pages.keySet().removeIf(number -> number * PAGE >= size);
            if (size % PAGE != 0 && pages.containsKey(size / PAGE)) {
                byte[] last = pages.get(size / PAGE).clone();
                Arrays.fill(last, (int) (size % PAGE), PAGE, (byte) 0);
                pages.put(size / PAGE, last);
            }
            sync();
        }
    }

    private final TreeMap<String, Content> names = new TreeMap<>();
    private final Map<String, Content> durableNames = new HashMap<>();

    synchronized Optional<Content> find(String name) {
        return Optional.ofNullable(names.get(name));
    }

    synchronized List<String> list(String prefix) {
        return names.tailMap(prefix).keySet().stream().takeWhile(name -> name.startsWith(prefix)).toList();
    }

    // --- contents

    synchronized byte[] read(Content content, long offset, int length) {
        byte[] bytes = new byte[length];
        for (int done = 0; done < length; ) {
            int in = (int) ((offset + done) % PAGE);
            int count = Math.min(PAGE - in, length - done);
            System.arraycopy(content.page((offset + done) / PAGE), in, bytes, done, count);
            done += count;
        }
        return bytes;
    }

    synchronized void write(Content content, long offset, byte[] bytes) {
        for (int done = 0; done < bytes.length; ) {
            int in = (int) ((offset + done) % PAGE);
            int count = Math.min(PAGE - in, bytes.length - done);
            byte[] page = content.page((offset + done) / PAGE).clone();
            System.arraycopy(bytes, done, page, in, count);
            content.page((offset + done) / PAGE, page);
            done += count;
        }
        content.size = Math.max(content.size, offset + bytes.length);
    }

    /** Bytes of pages that were written. */
    synchronized long allocated(Content content) {
        return (long) content.pages.size() * PAGE;
    }

    synchronized long size(Content content) {
        return content.size;
    }

    /** Makes the contents durable, and the name if it still means them. */
    synchronized void sync(String name, Content content) {
        content.sync();
        if (names.get(name) == content) {
            durableNames.put(name, content);
        }
    }

    /** Makes everything durable. */
    synchronized void sync() {
        names.values().forEach(Content::sync);
        durableNames.clear();
        durableNames.putAll(names);
    }

    /** Makes the data's objects durable, not those of maps. */
    synchronized void syncBlocks() {
        names.forEach((name, content) -> {
            if (name.matches("[0-9a-f]{32}-.*")) {
                content.sync();
                durableNames.put(name, content);
            }
        });
    }

    // --- names

    /** The object of that name, made of so many zeros where it is absent; that it was made is not durable, but if it is, so is its size. */
    synchronized Content open(String name, long size) {
        return names.computeIfAbsent(name, made -> {
            Content content = new Content();
            content.size = size;
            content.durableSize = size;
            return content;
        });
    }

    /** Makes or replaces an object, durably. */
    synchronized void put(String name, byte[] bytes) {
        Content content = new Content();
        write(content, 0, bytes);
        content.sync();
        names.put(name, content);
        durableNames.put(name, content);
    }

    /** False when there is one already. */
    synchronized boolean create(String name, byte[] bytes) {
        if (names.containsKey(name)) {
            return false;
        }
        put(name, bytes);
        return true;
    }

    /** lazily: a power cut may bring it back. */
    synchronized boolean delete(String name, boolean lazily) {
        if (!lazily) {
            durableNames.remove(name);
        }
        return names.remove(name) != null;
    }

    synchronized void rename(String from, String to) {
        Content content = names.remove(from);
        durableNames.remove(from);
        names.put(to, content);
        durableNames.put(to, content);
    }

    /** All power goes: of what was not made durable, any part may be left. */
    synchronized void cut(Random random) {
        names.keySet().removeIf(name -> !durableNames.containsKey(name) && random.nextBoolean());
        durableNames.forEach((name, content) -> {
            if (random.nextBoolean()) {
                names.putIfAbsent(name, content);
            }
        });
        names.values().forEach(content -> content.cut(random));
        durableNames.clear();
        durableNames.putAll(names);
    }
}
