package org.archipelago.xseg;

/**
 * Layout of a request slot, ABI 1; {@code core/libxseg/xseg_layout.h} is its definition. Little-endian.
 *
 * <pre>
 *            0                   1                   2                   3
 *            0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *           +---------------------------------------------------------------+
 *         0 | State (0 free, 1 submitted, 2 accepted, 3 done, 4 failing)    |
 *           +---------------------------------------------------------------+
 *         4 |              Dst, the port it was submitted to                |
 *           +---------------------------------------------------------------+
 *         8 |              Src, the port that owns the slot                 |
 *           +---------------------------------------------------------------+
 *        12 |                    Op (see class Op)                        |
 *           +---------------------------------------------------------------+
 *        16 |                            Flags                              |
 *           +---------------------------------------------------------------+
 *        20 |               Status: 0 or a positive errno                   |
 *           +---------------------------------------------------------------+
 *        24 |              Offset, bytes within the target                  |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        32 |                   Length, bytes asked for                     |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        40 |      Serviced, bytes done or the operation's own result       |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        48 |        Position of the data, from the segment's start         |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        56 |                  Length of the data, bytes                    |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        64 |                   Cookie, the owner's own                     |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        72 |    Submitted at, CLOCK_MONOTONIC ns; 0 = not measured         |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        80 |                  Length of the target, bytes                  |
 *           +---------------------------------------------------------------+
 *        84 |                         (reserved)                            |
 *           |                                                               |
 *           |                                                               |
 *           +---------------------------------------------------------------+
 *        96 |       Target (160 bytes, zero padded to 8 bytes)             ...
 *          ...                                                              |
 *           +---------------------------------------------------------------+
 * </pre>
 *
 * State and Dst are changed together and by libxseg alone while the request travels.
 */
public final class RequestDescriptor {
    public static final int STATE = 0;
    public static final int DST = 4;
    public static final int SRC = 8;
    public static final int OP = 12;
    public static final int FLAGS = 16;
    public static final int STATUS = 20;
    public static final int OFFSET = 24;
    public static final int LENGTH = 32;
    public static final int SERVICED = 40;
    public static final int DATA_AT = 48;
    public static final int DATA_LENGTH = 56;
    public static final int COOKIE = 64;
    public static final int SUBMITTED_NS = 72;
    public static final int TARGET_LENGTH = 80;
    public static final int TARGET = 96;

    /** Bytes of a slot. */
    public static final int SIZE = 256;
    /** Bytes that a target can have. */
    public static final int TARGET_MAX = 160;

    public static final int STATE_FREE = 0;
    public static final int STATE_SUBMITTED = 1;
    public static final int STATE_ACCEPTED = 2;
    public static final int STATE_DONE = 3;
    /** Accepted by a port whose owner died, and being answered in its stead. */
    public static final int STATE_FAILING = 4;

    private RequestDescriptor() {}
}
