package org.archipelago.peer.blocker;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Optional;
import java.util.function.Consumer;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * Reads which objects a store's buckets hold, what space they take, and what is in small ones: straight from the kernel's records, since java.nio
 * needs several times as long for each.
 *
 * <pre>
 *   struct linux_dirent64   0 u64 inode   8 u64 offset   16 u16 length of the record   18 u8 type   19 name, zero
 *   struct statx            48 u64 blocks of 512 bytes
 * </pre>
 *
 * <p>In the machine's byte order. For one thread. Errors: {@link StoreException}.
 */
final class StoreNames implements AutoCloseable {
    private static final int SIZE = 32 << 10;
    private static final int RECORD_LENGTH_AT = 16;
    private static final int NAME_AT = 19;
    private static final int BLOCKS_AT = 48;
    private static final int BLOCK = 512;
    /** Most bytes of a text: an object is told up to here. */
    private static final int TEXT_MAX = 16 << 10;
    private static final int AT_SYMLINK_NOFOLLOW = 0x100;
    private static final int STATX_BLOCKS = 0x400;

    private final ObjectPath paths;
    private final Memory memory = new Memory(SIZE);
    private final long address = Pointer.nativeValue(memory);
    private final ByteBuffer buffer = memory.getByteBuffer(0, SIZE).order(ByteOrder.nativeOrder());

    StoreNames(ObjectPath paths) {
        this.paths = paths;
    }

    /** Tells the names in a bucket, in any order: each that is there throughout once. None where there is no such directory. */
    void read(int bucket, Consumer<String> names) {
        String path = paths.bucket(bucket);
        int fd = FileCalls.open(path, Posix.O_RDONLY | Posix.O_DIRECTORY, 0);
        if (fd == -Errno.ENOENT || fd == -FileCalls.ENOTDIR) {
            return;
        }
        try {
            long length = fd;
            while (length >= 0 && (length = FileCalls.getdents64(fd, address, SIZE)) > 0) {
                tell((int) length, names);
            }
            if (length < 0) {
                throw StoreException.of(fd < 0 ? -fd : Posix.errno(), "cannot list directory " + path + " of the store");
            }
        } finally {
            if (fd >= 0) {
                FileCalls.close(fd);
            }
        }
    }

    private void tell(int length, Consumer<String> names) {
        byte[] name = new byte[256];
        for (int at = 0; at < length; at += buffer.getShort(at + RECORD_LENGTH_AT) & 0xffff) {
            int end = 0;
            for (byte b = buffer.get(at + NAME_AT); b != 0; b = buffer.get(at + NAME_AT + end)) {
                name[end++] = b;
            }
            names.accept(new String(name, 0, end, StandardCharsets.ISO_8859_1));
        }
    }

    /** Bytes that an object takes of the disk, in digits; empty when it is gone. */
    Optional<String> allocated(String object) {
        String path = paths.object(object);
        if (FileCalls.statx(Posix.AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BLOCKS, address) == 0) {
            return Optional.of(Long.toString(buffer.getLong(BLOCKS_AT) * BLOCK));
        }
        int errno = Posix.errno();
        if (errno == Errno.ENOENT || errno == FileCalls.ENOTDIR) {
            return Optional.empty();
        }
        throw StoreException.of(errno, "cannot look at object " + object + " of the store in " + paths.root());
    }

    /** The first bytes of an object, each a character of a JSON string; empty when it is gone. */
    Optional<String> text(String object) {
        int fd = FileCalls.open(paths.object(object), Posix.O_RDONLY | Posix.O_NOFOLLOW, 0);
        if (fd == -Errno.ENOENT || fd == -FileCalls.ENOTDIR) {
            return Optional.empty();
        }
        try {
            long length = fd < 0 ? fd : FileCalls.read(fd, address, 0, TEXT_MAX);
            if (length < 0) {
                throw StoreException.of((int) -length, "cannot read object " + object + " of the store in " + paths.root());
            }
            return Optional.of(quoted((int) length));
        } finally {
            if (fd >= 0) {
                FileCalls.close(fd);
            }
        }
    }

    private String quoted(int length) {
        StringBuilder out = new StringBuilder(length + 32).append('"');
        for (int i = 0; i < length; i++) {
            int c = buffer.get(i) & 0xff;
            if (c < ' ' || c > '~' || c == '"' || c == '\\') {
                out.append("\\u00").append(HexFormat.of().toHexDigits((byte) c));
            } else {
                out.append((char) c);
            }
        }
        return out.append('"').toString();
    }

    @Override
    public void close() {
        memory.close();
    }
}
