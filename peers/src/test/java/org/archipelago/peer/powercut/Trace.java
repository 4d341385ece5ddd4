package org.archipelago.peer.powercut;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What the recorder (peers/src/test/c/recorder.c, which draws the records) saw, in order. Names are relative to its folder. */
final class Trace {
    private static final int HEADER = 32;

    private Trace() {}

    /** One call that changed something, or one end of a sync. */
    sealed interface Event {}

    /** made: the file is new. */
    record Open(int fd, String name, boolean made) implements Event {}

    record Close(int fd) implements Event {}

    record Write(int fd, long offset, byte[] bytes) implements Event {}

    record Truncate(int fd, long length) implements Event {}

    /** Reads as zeros from now on; the size stays. */
    record Punch(int fd, long offset, long length) implements Event {}

    /** ticket: pairs begin and end; of what everything else changed before the begin, all that fd means is durable at the end. */
    record SyncBegin(int fd, long ticket) implements Event {}

    record SyncEnd(long ticket) implements Event {}

    record SyncAllBegin(long ticket) implements Event {}

    record SyncAllEnd(long ticket) implements Event {}

    record Link(String from, String to) implements Event {}

    record Unlink(String name) implements Event {}

    record Rename(String from, String to) implements Event {}

    record MakeDirectory(String name) implements Event {}

    /** A client began an operation, or was answered. */
    record Mark(String text) implements Event {}

    static List<Event> read(Path file) throws IOException {
        ByteBuffer from = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        List<Event> events = new ArrayList<>();
        while (from.hasRemaining()) {
            int at = from.position();
            byte[] first = new byte[from.getInt(at + 24)];
            byte[] second = new byte[from.getInt(at + 28)];
            from.position(at + HEADER).get(first).get(second);
            events.add(event(from.getInt(at), from.getInt(at + 4), from.getLong(at + 8), from.getLong(at + 16), first, second));
        }
        return events;
    }

    private static Event event(int kind, int fd, long a, long b, byte[] first, byte[] second) {
        return switch (kind) {
            case 1 -> new Open(fd, text(first), a != 0);
            case 2 -> new Close(fd);
            case 3 -> new Write(fd, a, first);
            case 4 -> new Truncate(fd, a);
            case 5 -> new Punch(fd, a, b);
            case 6 -> new SyncBegin(fd, a);
            case 7 -> new SyncEnd(a);
            case 8 -> new SyncAllBegin(a);
            case 9 -> new SyncAllEnd(a);
            case 10 -> new Link(text(first), text(second));
            case 11 -> new Unlink(text(first));
            case 12 -> new Rename(text(first), text(second));
            case 13 -> new MakeDirectory(text(first));
            case 14 -> new Mark(text(first));
            default -> throw new IllegalArgumentException("no record of the recorder: kind " + kind);
        };
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
