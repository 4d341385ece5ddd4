package org.archipelago.peer.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** What the processes of the torture test share: drawn in {@code core/libxseg/tests/torture.h}. */
final class TortureLedger {
    static final int BLOCKERS = 3;
    static final int COMPOSERS = 3;
    static final int DEPTH = 8;
    static final int CELLS = 4 * DEPTH;
    static final int PAGE = 4096;

    static final int PAUSE = 1;
    static final int END_CLIENTS = 2;
    static final int END_COMPOSERS = 3;
    static final int END_BLOCKERS = 4;

    private static final int WORKERS_AT = 64;
    private static final int CELLS_AT = 2048;
    private static final int DISK_AT = 8192;

    private final MappedByteBuffer memory;
    private final int worker;

    TortureLedger(Path path, int worker) throws IOException {
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            memory = file.map(FileChannel.MapMode.READ_WRITE, 0, file.size());
        }
        memory.order(ByteOrder.LITTLE_ENDIAN);
        this.worker = worker;
    }

    int phase() {
        return memory.getInt(0);
    }

    /** How many requests this worker has done; shows that it is at work. */
    void progress(long requests) {
        memory.putLong(WORKERS_AT + 64 * worker, requests);
    }

    /** How many requests of this client are not answered yet. */
    void out(long requests) {
        memory.putLong(WORKERS_AT + 64 * worker + 8, requests);
    }

    long sent(int cell) {
        return memory.getLong(CELLS_AT + 16 * cell);
    }

    void sent(int cell, long number) {
        memory.putLong(CELLS_AT + 16 * cell, number);
    }

    void answered(int cell, long number) {
        memory.putLong(CELLS_AT + 16 * cell + 8, number);
    }

    ByteBuffer disk(int cell) {
        return memory.slice(DISK_AT + PAGE * cell, PAGE).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static long pageWord(long cell, long number, long i) {
        long word = (number << 16 | cell << 10 | i) * 0x9e3779b97f4a7c15L;
        return word ^ word >>> 32;
    }

    private static long expected(int cell, long number, int i) {
        return i == 0 ? cell : i == 1 ? number : pageWord(cell, number, i);
    }

    static long receipt(long cell, long number) {
        return pageWord(cell, number, 0) >>> 1;
    }

    static void fill(ByteBuffer page, int cell, long number) {
        for (int i = 0; i < PAGE / 8; i++) {
            page.putLong(8 * i, expected(cell, number, i));
        }
    }

    static void check(ByteBuffer page, int cell, long number) {
        for (int i = 0; i < PAGE / 8; i++) {
            if (page.getLong(8 * i) != expected(cell, number, i)) {
                throw new AssertionError("cell " + cell + ", number " + number + ": word " + i + " is that of cell "
                    + page.getLong(0) + ", number " + page.getLong(8));
            }
        }
    }
}
