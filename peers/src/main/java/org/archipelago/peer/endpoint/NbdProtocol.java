package org.archipelago.peer.endpoint;

import org.archipelago.posix.Errno;

/**
 * The words of the NBD protocol, newstyle fixed, as they stand on the wire: big-endian. The
 * protocol's own text is doc/proto.md of github.com/NetworkBlockDevice/nbd.
 *
 * <p>Handshake: the server's greeting, the client's flags, then options and their replies:
 * <pre>
 *   greeting             client     option                 reply to an option
 *  0 +-------------+   0 +-------+  0 +----------------+  0 +----------------+
 *    | "NBDMAGIC"  |     | flags |    | "IHAVEOPT"     |    | reply magic    |
 *  8 +-------------+   4 +-------+  8 +----------------+  8 +----------------+
 *    | "IHAVEOPT"  |                  | u32 option     |    | u32 option     |
 * 16 +-------------+               12 +----------------+ 12 +----------------+
 *    | u16 flags   |                  | u32 length     |    | u32 type       |
 * 18 +-------------+               16 +----------------+ 16 +----------------+
 *                                     | data ...       |    | u32 length     |
 *                                                        20 +----------------+
 *                                                           | data ...       |
 * </pre>
 *
 * <p>Transmission:
 * <pre>
 *   request                simple reply         chunk of a structured reply
 *  0 +----------------+   0 +--------------+   0 +--------------+
 *    | u32 magic      |     | u32 magic    |     | u32 magic    |
 *  4 +----------------+   4 +--------------+   4 +--------------+
 *    | u16 flags      |     | u32 error    |     | u16 flags    |
 *  6 +----------------+   8 +--------------+   6 +--------------+
 *    | u16 command    |     | u64 cookie   |     | u16 type     |
 *  8 +----------------+  16 +--------------+   8 +--------------+
 *    | u64 cookie     |     | data of READ |     | u64 cookie   |
 * 16 +----------------+                       16 +--------------+
 *    | u64 offset     |                          | u32 length   |
 * 24 +----------------+                       20 +--------------+
 *    | u32 length     |                          | payload      |
 * 28 +----------------+
 *    | data of WRITE  |      payloads: OFFSET_DATA   u64 offset, data
 *                                      BLOCK_STATUS  u32 context, (u32 length, u32 flags)...
 *                                      ERROR         u32 error, u16 message length, message
 * </pre>
 */
final class NbdProtocol {
    // handshake
    static final long GREETING_MAGIC = 0x4e42444d41474943L;
    static final long OPTION_MAGIC = 0x49484156454f5054L;
    static final long OPTION_REPLY_MAGIC = 0x0003e889045565a9L;
    static final int GREETING_SIZE = 18;
    static final int CLIENT_FLAGS_SIZE = 4;
    static final int OPTION_SIZE = 16;
    static final int OPTION_REPLY_SIZE = 20;

    /** Greeting flags, and the bits of the client's flags that answer them. */
    static final int FIXED_NEWSTYLE = 1;
    static final int NO_ZEROES = 1 << 1;
    /** Zeros after the answer to EXPORT_NAME, unless NO_ZEROES was agreed on. */
    static final int ZEROES = 124;

    static final int OPT_EXPORT_NAME = 1;
    static final int OPT_ABORT = 2;
    static final int OPT_LIST = 3;
    static final int OPT_STARTTLS = 5;
    static final int OPT_INFO = 6;
    static final int OPT_GO = 7;
    static final int OPT_STRUCTURED_REPLY = 8;
    static final int OPT_LIST_META_CONTEXT = 9;
    static final int OPT_SET_META_CONTEXT = 10;

    static final int REP_ACK = 1;
    static final int REP_SERVER = 2;
    static final int REP_INFO = 3;
    static final int REP_META_CONTEXT = 4;
    static final int REP_ERR_UNSUP = 1 << 31 | 1;
    static final int REP_ERR_POLICY = 1 << 31 | 2;
    static final int REP_ERR_INVALID = 1 << 31 | 3;
    static final int REP_ERR_UNKNOWN = 1 << 31 | 6;
    static final int REP_ERR_SHUTDOWN = 1 << 31 | 7;
    static final int REP_ERR_TOO_BIG = 1 << 31 | 9;

    static final int INFO_EXPORT = 0;
    static final int INFO_NAME = 1;
    static final int INFO_BLOCK_SIZE = 3;

    // what an export can do
    static final int HAS_FLAGS = 1;
    static final int READ_ONLY = 1 << 1;
    static final int SEND_FLUSH = 1 << 2;
    static final int SEND_FUA = 1 << 3;
    static final int SEND_TRIM = 1 << 5;
    static final int SEND_WRITE_ZEROES = 1 << 6;
    static final int SEND_DF = 1 << 7;
    static final int CAN_MULTI_CONN = 1 << 8;

    // transmission
    static final int REQUEST_MAGIC = 0x25609513;
    static final int SIMPLE_REPLY_MAGIC = 0x67446698;
    static final int CHUNK_MAGIC = 0x668e33ef;
    static final int REQUEST_SIZE = 28;
    static final int SIMPLE_REPLY_SIZE = 16;
    static final int CHUNK_SIZE = 20;

    static final int CMD_READ = 0;
    static final int CMD_WRITE = 1;
    static final int CMD_DISC = 2;
    static final int CMD_FLUSH = 3;
    static final int CMD_TRIM = 4;
    static final int CMD_WRITE_ZEROES = 6;
    static final int CMD_BLOCK_STATUS = 7;

    static final int CMD_FLAG_FUA = 1;
    static final int CMD_FLAG_NO_HOLE = 1 << 1;
    static final int CMD_FLAG_DF = 1 << 2;
    static final int CMD_FLAG_REQ_ONE = 1 << 3;

    static final int CHUNK_FLAG_DONE = 1;
    static final int CHUNK_NONE = 0;
    static final int CHUNK_OFFSET_DATA = 1;
    static final int CHUNK_BLOCK_STATUS = 5;
    static final int CHUNK_ERROR = 1 << 15 | 1;
    static final int CHUNK_ERROR_OFFSET = 1 << 15 | 2;

    // errors of replies
    static final int EPERM = 1;
    static final int EIO = 5;
    static final int ENOMEM = 12;
    static final int EINVAL = 22;
    static final int ENOSPC = 28;
    static final int EOVERFLOW = 75;
    static final int ENOTSUP = 95;
    static final int ESHUTDOWN = 108;

    /** The metadata context served, and the number that stands for it. */
    static final String BASE_ALLOCATION = "base:allocation";
    static final int BASE_ALLOCATION_ID = 1;

    // limits that this server tells its clients or keeps
    static final int BLOCK_MIN = 1;
    static final int BLOCK_PREFERRED = 4096;
    /** Most bytes that one READ or WRITE carries. */
    static final int PAYLOAD_MAX = 32 << 20;
    /** Longest string of the protocol. */
    static final int STRING_MAX = 4096;

    private NbdProtocol() {}

    /** The error of a reply for a request's status: 0, or one of the few that the protocol knows. */
    static int error(int errno) {
        return switch (errno) {
            case Errno.OK -> 0;
            case Errno.EPERM, Errno.EACCES, Errno.EBUSY, Errno.EROFS -> EPERM;
            case Errno.ENOMEM -> ENOMEM;
            case Errno.EINVAL -> EINVAL;
            case Errno.ENOSPC, Errno.EDQUOT, Errno.EFBIG -> ENOSPC;
            case Errno.EOVERFLOW -> EOVERFLOW;
            case Errno.EOPNOTSUPP -> ENOTSUP;
            case Errno.ESHUTDOWN -> ESHUTDOWN;
            default -> EIO;
        };
    }
}
