package org.archipelago.peer.powercut;

import java.nio.ByteBuffer;

/**
 * What the workload writes: each sector holds the pair (step, number of the sector in its volume) again and again, so that each
 * sector tells which operation wrote it, and whether it lies where it was written to. Steps begin at 1; 0 are zeros.
 */
final class Stamp {
    static final int SECTOR = 512;
    static final int UNIT = 4096;
    static final int SECTORS = UNIT / SECTOR;

    private Stamp() {}

    static byte[] contents(long step, long offset, int length) {
        ByteBuffer bytes = ByteBuffer.allocate(length);
        while (bytes.hasRemaining()) {
            bytes.putLong(step).putLong((offset + bytes.position() - 8) / SECTOR);
        }
        return bytes.array();
    }

    /** Which step wrote each sector of a unit; negative: none did, {@link #describe} tells more. */
    static int[] read(byte[] bytes, int at, long unit) {
        int[] steps = new int[SECTORS];
        ByteBuffer from = ByteBuffer.wrap(bytes);
        for (int i = 0; i < SECTORS; i++) {
            long step = from.getLong(at + i * SECTOR);
            long number = step == 0 ? 0 : unit * SECTORS + i;
            for (int word = 0; word < SECTOR; word += 16) {
                if (from.getLong(at + i * SECTOR + word) != step || from.getLong(at + i * SECTOR + word + 8) != number) {
                    step = -1;
                    break;
                }
            }
            steps[i] = (int) step;
        }
        return steps;
    }

    static String describe(byte[] bytes, int at) {
        StringBuilder text = new StringBuilder();
        ByteBuffer from = ByteBuffer.wrap(bytes);
        for (int i = 0; i < SECTORS; i++) {
            text.append(" (step ").append(from.getLong(at + i * SECTOR)).append(", sector ")
                .append(from.getLong(at + i * SECTOR + 8)).append(')');
        }
        return text.toString();
    }
}
