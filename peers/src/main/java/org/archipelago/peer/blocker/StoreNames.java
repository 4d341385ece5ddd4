package org.archipelago.peer.blocker;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.OptionalLong;
import java.util.function.Consumer;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/**
 * Reads which objects a store's buckets hold, and what space they take: straight from the kernel's records, since java.nio
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

    /** Bytes that an object takes of the disk; empty when it is gone. */
    OptionalLong allocated(String object) {
        String path = paths.object(object);
        if (FileCalls.statx(Posix.AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BLOCKS, address) == 0) {
            return OptionalLong.of(buffer.getLong(BLOCKS_AT) * BLOCK);
        }
        int errno = Posix.errno();
        if (errno == Errno.ENOENT || errno == FileCalls.ENOTDIR) {
            return OptionalLong.empty();
        }
        throw StoreException.of(errno, "cannot look at object " + object + " of the store in " + paths.root());
    }

    @Override
    public void close() {
        memory.close();
    }
}
