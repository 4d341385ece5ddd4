package org.archipelago.xseg;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The name of what a request works on, kept as the words that lie in a request slot, so that writing
 * and comparing it costs a few loads and stores. Immutable.
 */
public final class Target {
    /** Longest name, bytes of UTF-8. */
    public static final int MAX = 160;

    private final long[] words;
    private final int length;
    private final int hash;

    private Target(long[] words, int length) {
        this.words = words;
        this.length = length;
        int h = length;
        for (long word : words) {
            h = mix(h, word);
        }
        this.hash = h;
    }

    /** Throws IllegalArgumentException for a name that is empty or too long. */
    public static Target of(String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length == 0 || bytes.length > MAX) {
            throw new IllegalArgumentException("a target has 1 to " + MAX + " bytes: length=" + bytes.length);
        }
        long[] words = new long[(bytes.length + 7) / 8];
        for (int i = 0; i < bytes.length; i++) {
            words[i / 8] |= (bytes[i] & 0xffL) << (8 * (i % 8));
        }
        return new Target(words, bytes.length);
    }

    void write(ByteBuffer metadata, int lengthAt, int targetAt) {
        metadata.putInt(lengthAt, length);
        for (int i = 0; i < words.length; i++) {
            metadata.putLong(targetAt + 8 * i, words[i]);
        }
    }

    boolean matches(ByteBuffer metadata, int lengthAt, int targetAt) {
        if (metadata.getInt(lengthAt) != length) {
            return false;
        }
        for (int i = 0; i < words.length; i++) {
            if (metadata.getLong(targetAt + 8 * i) != words[i]) {
                return false;
            }
        }
        return true;
    }

    static int hash(ByteBuffer metadata, int lengthAt, int targetAt) {
        int length = Math.max(0, Math.min(metadata.getInt(lengthAt), MAX));
        int h = length;
        for (int i = 0; i < length; i += 8) {
            h = mix(h, metadata.getLong(targetAt + i));
        }
        return h;
    }

    /** Every bit of the word counts for every bit of the result: the lowest alone choose a reactor. */
    private static int mix(int h, long word) {
        long x = word ^ h;
        long m = x * 0x9E3779B97F4A7C15L ^ Math.multiplyHigh(x, 0x9E3779B97F4A7C15L);
        return (int) (m ^ (m >>> 32));
    }

    /** Bytes of UTF-8. */
    public int length() {
        return length;
    }

    @Override
    public int hashCode() {
        return hash;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Target that && length == that.length && java.util.Arrays.equals(words, that.words);
    }

    @Override
    public String toString() {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) (words[i / 8] >>> (8 * (i % 8)));
        }
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
