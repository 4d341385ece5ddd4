package org.archipelago.xseg;

/** Operations of a request; docs/operations.md says what each means to which role. */
public final class Op {
    public static final int PING = 0;
    public static final int READ = 1;
    public static final int WRITE = 2;
    public static final int SYNC = 3;
    public static final int RESIZE = 4;
    public static final int DELETE = 5;
    public static final int ACQUIRE = 6;
    public static final int RELEASE = 7;
    public static final int COPY = 8;
    public static final int CLONE = 9;
    public static final int COMMIT = 10;
    public static final int INFO = 11;
    public static final int MAPR = 12;
    public static final int MAPW = 13;
    public static final int OPEN = 14;
    public static final int CLOSE = 15;
    public static final int SNAPSHOT = 16;
    public static final int HASH = 17;
    public static final int CREATE = 18;
    public static final int RENAME = 19;
    public static final int FLUSH = 20;
    public static final int ZERO = 21;
    public static final int PUT = 22;
    public static final int LIST = 23;
    public static final int STATUS = 24;
    public static final int SETINFO = 25;
    public static final int LOCK = 26;
    public static final int UNLOCK = 27;
    public static final int SCAN = 28;
    public static final int PREPARE = 29;
    public static final int SEAL = 30;
    public static final int COLLECT = 31;
    public static final int VERIFY = 32;
    public static final int USAGE = 33;
    public static final int CHECK = 34;

    /** Flags: durable before the answer. */
    public static final int FUA = 1;
    /** Flags: break what is in the way. */
    public static final int FORCE = 1 << 1;
    /** Flags: fail with EEXIST where it exists; OPEN: for this node alone; HASH: of a volume that may be written. */
    public static final int EXCLUSIVE = 1 << 2;
    /** Flags: ZERO need not keep the space. */
    public static final int DISCARD = 1 << 3;
    /** Flags: OPEN: another node will take over. */
    public static final int SHARED = 1 << 4;
    /** Flags: WRITE makes the object where it is absent. */
    public static final int CREATE_ABSENT = 1 << 5;
    /** Flags: READ opens the object anew, since another node may have put another in its place. */
    public static final int FRESH = 1 << 6;
    /** Flags: CLOSE, RENAME: writes failed, and objects may hold what no map names. */
    public static final int UNCLEAN = 1 << 7;
    /** Flags: READ fails with EIO where the object ends before the range does. */
    public static final int EXACT = 1 << 8;
    /** Flags: DELETE need not be durable when it is answered. */
    public static final int LAZY = 1 << 9;
    /** Flags: WRITE: if the object is made, its space is taken in one go, all of it where the write begins at 0. */
    public static final int ALLOCATE = 1 << 10;

    private static final String[] NAMES = {
        "ping", "read", "write", "sync", "resize", "delete", "acquire", "release", "copy", "clone", "commit", "info",
        "mapr", "mapw", "open", "close", "snapshot", "hash", "create", "rename", "flush", "zero", "put", "list",
        "status", "setinfo", "lock", "unlock", "scan", "prepare", "seal", "collect", "verify", "usage", "check"
    };

    private static final int SIZE_SHIFT = 16;

    private Op() {}

    /** Flags: an object that CREATE_ABSENT makes has so many bytes, zeros at first, as a power of two. */
    public static int sized(int log2) {
        return log2 << SIZE_SHIFT;
    }

    /** What {@link #sized} says in the flags; 0: no size. */
    public static int madeSize(int flags) {
        return flags >>> SIZE_SHIFT & 63;
    }

    public static String name(int op) {
        return op >= 0 && op < NAMES.length ? NAMES[op] : "operation " + op;
    }
}
