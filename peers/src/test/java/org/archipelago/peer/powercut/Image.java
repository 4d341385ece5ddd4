package org.archipelago.peer.powercut;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Stream;

/** The files and directories that are left, by their names; a directory's name comes before those in it. */
record Image(SortedSet<String> directories, SortedMap<String, Contents> files) {

    /** Of a file: its size in bytes, and the pages of it that are not zeros; they may reach past the end. */
    record Contents(long size, Map<Long, byte[]> pages) {
        /** A page as it is read: zeros past the end. */
        byte[] page(long number) {
            byte[] page = pages.get(number).clone();
            for (int i = 0; i < page.length; i++) {
                if (number * DiskFile.PAGE + i >= size) {
                    page[i] = 0;
                }
            }
            return page;
        }
    }

    /** Makes them below an empty directory. */
    void write(Path root) throws IOException {
        for (String directory : directories) {
            Files.createDirectories(root.resolve(directory));
        }
        for (Map.Entry<String, Contents> entry : files.entrySet()) {
            write(root.resolve(entry.getKey()), entry.getValue());
        }
    }

    /** Names of what is not like this below a directory; empty: nothing. */
    List<String> differences(Path root) throws IOException {
        SortedSet<String> names = new TreeSet<>(directories);
        names.addAll(files.keySet());
        try (Stream<Path> paths = Files.walk(root)) {
            paths.filter(path -> !path.equals(root)).forEach(path -> names.add(root.relativize(path).toString()));
        }
        List<String> different = new ArrayList<>();
        for (String name : names) {
            Path path = root.resolve(name);
            boolean isLike = files.containsKey(name) ? Files.isRegularFile(path) && isLike(path, files.get(name))
                : directories.contains(name) && Files.isDirectory(path);
            if (!isLike) {
                different.add(name);
            }
        }
        return different;
    }

    private static boolean isLike(Path file, Contents contents) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (channel.size() != contents.size) {
                return false;
            }
            ByteBuffer there = ByteBuffer.allocate(DiskFile.PAGE);
            for (long number = 0; number * DiskFile.PAGE < contents.size; number++) {
                byte[] page = contents.pages.containsKey(number) ? contents.page(number) : new byte[DiskFile.PAGE];
                there.clear();
                int length = channel.read(there, number * DiskFile.PAGE);
                if (!Arrays.equals(there.array(), 0, length, page, 0, length)) {
                    return false;
                }
            }
            return true;
        }
    }

    private static void write(Path file, Contents contents) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (long number : contents.pages.keySet()) {
                long left = contents.size - number * DiskFile.PAGE;
                if (left > 0) {
                    ByteBuffer page = ByteBuffer.wrap(contents.page(number), 0, (int) Math.min(left, DiskFile.PAGE));
                    channel.write(page, number * DiskFile.PAGE);
                }
            }
            if (channel.size() < contents.size) {
                channel.write(ByteBuffer.wrap(new byte[1]), contents.size - 1);
            }
        }
    }
}
