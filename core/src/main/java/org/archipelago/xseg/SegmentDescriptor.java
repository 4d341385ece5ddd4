package org.archipelago.xseg;

/**
 * Layout of a segment's header and ports, ABI 1; {@code core/libxseg/xseg_layout.h} is its definition
 * and says who may write what. Little-endian; positions are bytes from the segment's start.
 *
 * <pre>
 *            0                   1                   2                   3
 *            0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *           +---------------------------------------------------------------+
 *         0 |                     Magic "ARCXSEG\0"                         |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *         8 |                             ABI                               |
 *           +---------------------------------------------------------------+
 *        12 |                         Header Size                           |
 *           +---------------------------------------------------------------+
 *        16 |                   Size of the segment, bytes                  |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        24 |                       Number of Ports                         |
 *           +---------------------------------------------------------------+
 *        28 |             Port Stride, bytes from port to port              |
 *           +---------------------------------------------------------------+
 *        32 |                 Ring Size, words of each ring                 |
 *           +---------------------------------------------------------------+
 *        36 |                      Number of Requests                       |
 *           +---------------------------------------------------------------+
 *        40 |                 Position of the first port                    |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        48 |                Position of the first request                  |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        56 |                    Position of the data                       |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        64 |                Number of Data Pages (4096 bytes)              |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        72 |             Time of creation, seconds since 1970              |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        80 |                         Creator PID                           |
 *           +---------------------------------------------------------------+
 *        84 |                 CRC32C of bytes 0..83 and Name                |
 *           +---------------------------------------------------------------+
 *        88 |                Name (64 bytes, NUL-terminated)               ...
 *          ...                                                              |
 *           +---------------------------------------------------------------+
 *       192 |         Process that holds the file's lock; 0 = nobody         |
 *           +---------------------------------------------------------------+
 *       196 |                         (reserved)                            |
 *           +---------------------------------------------------------------+
 *       200 |         Start of that process, clock ticks since boot         |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *       208 |         Locked since, CLOCK_BOOTTIME nanoseconds              |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *       216 |           Inode of the PID namespace of that process          |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *      4096 |                           Port 0                             ...
 *          ...                                                              |
 *           +---------------------------------------------------------------+
 *           |                           Port 1                             ...
 *          ...                                                              |
 *           +---------------------------------------------------------------+
 *           |        Request 0 ({@link RequestDescriptor}, 256 bytes)      ...
 *          ...                                                              |
 *           +---------------------------------------------------------------+
 *           |                            Data                              ...
 *          ...                                                              |
 *           +---------------------------------------------------------------+
 * </pre>
 *
 * A port, positions from its own start:
 *
 * <pre>
 *           +---------------------------------------------------------------+
 *         0 |              State (0 free, 1 bound, 2 dead)                  |
 *           +---------------------------------------------------------------+
 *         4 |                             PID                               |
 *           +---------------------------------------------------------------+
 *         8 |         Start of that process, clock ticks since boot         |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        16 |                       First Request                           |
 *           +---------------------------------------------------------------+
 *        20 |                     Number of Requests                        |
 *           +---------------------------------------------------------------+
 *        24 |                      First Data Page                          |
 *           +---------------------------------------------------------------+
 *        28 |                    Number of Data Pages                       |
 *           +---------------------------------------------------------------+
 *        32 |                 Bell (a port's number)                        |
 *           +---------------------------------------------------------------+
 *        36 |                         Generation                            |
 *           +---------------------------------------------------------------+
 *        40 |               Heartbeat, CLOCK_BOOTTIME nanoseconds           |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        48 |                   Dropped ring entries                        |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        56 |           Inode of the PID namespace that PID is of           |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        64 |                Role (64 bytes, NUL-terminated)               ...
 *          ...                                                              |
 *           +---------------------------------------------------------------+
 *       128 |            Sleeping (0 awake, 1 sleeping, 2 rung)             |
 *           +---------------------------------------------------------------+
 *       132 |                           Rescan                              |
 *           +---------------------------------------------------------------+
 *       192 |                      Request Ring Tail                        |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *       256 |                      Request Ring Head                        |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *       320 |                       Reply Ring Tail                         |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *       384 |                       Reply Ring Head                         |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *       392 |      Answers to requests that say when they were submitted    |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *       400 |           Nanoseconds that those took, in all                 |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *       448 |     Words of the request ring, then of the reply ring        ...
 *          ...               (lap &lt;&lt; 32 | slot + 1)                          |
 *           +---------------------------------------------------------------+
 * </pre>
 */
public final class SegmentDescriptor {
    public static final long MAGIC = 0x0047455358435241L;
    public static final int ABI_VERSION = 1;
    /** Bytes of a data page. */
    public static final int PAGE = 4096;
    /** Bytes of a name or a role, with the final NUL. */
    public static final int NAME_MAX = 64;

    public static final int MAGIC_AT = 0;
    public static final int ABI = 8;
    public static final int HEADER_SIZE = 12;
    public static final int SIZE = 16;
    public static final int NR_PORTS = 24;
    public static final int PORT_STRIDE = 28;
    public static final int RING_SIZE = 32;
    public static final int NR_REQUESTS = 36;
    public static final int PORTS_AT = 40;
    public static final int REQUESTS_AT = 48;
    public static final int DATA_AT = 56;
    public static final int DATA_PAGES = 64;
    public static final int CREATED_S = 72;
    public static final int CREATOR_PID = 80;
    public static final int CRC = 84;
    public static final int NAME = 88;
    /** Bytes of the header. */
    public static final int HEADER_LENGTH = 152;

    public static final int PORT_STATE = 0;
    public static final int PORT_PID = 4;
    public static final int PORT_PID_START = 8;
    public static final int PORT_FIRST_REQUEST = 16;
    public static final int PORT_NR_REQUESTS = 20;
    public static final int PORT_FIRST_PAGE = 24;
    public static final int PORT_NR_PAGES = 28;
    public static final int PORT_BELL = 32;
    public static final int PORT_GENERATION = 36;
    public static final int PORT_HEARTBEAT = 40;
    public static final int PORT_DROPPED = 48;
    public static final int PORT_ROLE = 64;
    public static final int PORT_SLEEPING = 128;
    public static final int PORT_RESCAN = 132;
    public static final int PORT_REQUEST_TAIL = 192;
    public static final int PORT_REQUEST_HEAD = 256;
    public static final int PORT_REPLY_TAIL = 320;
    public static final int PORT_REPLY_HEAD = 384;
    public static final int PORT_TIMED = 392;
    public static final int PORT_TIMED_NS = 400;
    public static final int PORT_WORDS = 448;

    public static final int PORT_FREE = 0;
    public static final int PORT_BOUND = 1;
    public static final int PORT_DEAD = 2;

    private SegmentDescriptor() {}
}
