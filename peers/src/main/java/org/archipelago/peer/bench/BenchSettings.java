package org.archipelago.peer.bench;

/**
 * What a bench does.
 *
 * @param port where its requests go
 * @param target a volume, or an object when the port is a blocker's
 * @param write writes instead of reads
 * @param random offsets in random order, else one after another
 * @param blockSize bytes of each request, 512 to 1 MiB
 * @param depth requests under way at once, 1 to 1024
 * @param size bytes of the target that are used, a multiple of blockSize
 * @param seconds how long, at least 1
 * @param seed of the random offsets
 */
public record BenchSettings(
        int port, String target, boolean write, boolean random, int blockSize, int depth, long size, int seconds, long seed) {
    public BenchSettings {
        if (blockSize < 512 || blockSize > 1 << 20 || depth < 1 || depth > 1024 || size < blockSize || seconds < 1) {
            throw new IllegalArgumentException("blockSize 512 to 1048576, depth 1 to 1024, size at least a block, seconds at"
                + " least 1: blockSize=" + blockSize + " depth=" + depth + " size=" + size + " seconds=" + seconds);
        }
    }
}
