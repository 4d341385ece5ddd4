package org.archipelago.peer.blocker;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Random;
import java.util.zip.CRC32C;

/** A process that replaces an object again and again, until it is killed: prints each version that was answered. */
final class PutLoop {
    static final String OBJECT = "versions";

    private PutLoop() {}

    /** Arguments: the store's directory, the first version. */
    public static void main(String[] arguments) {
        try (TestNode node = new TestNode(Path.of(arguments[0]))) {
            for (int version = Integer.parseInt(arguments[1]); ; version++) {
                int status = node.put(OBJECT, contents(version)).status();
                if (status != 0) {
                    System.out.println("status " + status);
                    return;
                }
                System.out.println(version);
            }
        }
    }

    static byte[] contents(int version) {
        Random random = new Random(version);
        byte[] bytes = new byte[12 + random.nextInt(100_000)];
        random.nextBytes(bytes);
        CRC32C crc = new CRC32C();
        crc.update(bytes, 12, bytes.length - 12);
        ByteBuffer.wrap(bytes).putInt(version).putInt(bytes.length).putInt((int) crc.getValue());
        return bytes;
    }

    /** The version that these contents are, whole; else an AssertionError. */
    static int check(byte[] bytes) {
        ByteBuffer header = ByteBuffer.wrap(bytes);
        int version = header.getInt();
        if (!java.util.Arrays.equals(bytes, contents(version))) {
            throw new AssertionError("not a whole version: " + version + ", " + bytes.length + " bytes");
        }
        return version;
    }
}
