package org.archipelago.xseg;

import com.sun.jna.Native;

/**
 * libxseg, mapped directly: a call costs 100 to 140 ns and allocates nothing. The contract is
 * {@code core/libxseg/xseg.h}; results are 0 or a count, or a negative errno that
 * {@link SegmentException#check} turns into an exception.
 *
 * <p>{@code xs} is the address of a {@code struct xseg} ({@link Segment#handle()}), a parameter that
 * ends in {@code Address} that of an array or a string in native memory. Nothing is checked here: an
 * address that is wrong ends the process.
 */
public final class LibXseg {
    static {
        Native.register(LibXseg.class, "xseg");
    }

    private LibXseg() {}

    // life of a segment
    static native int xseg_create(long nameAddress, long paramsAddress);

    static native int xseg_destroy(long nameAddress);

    static native int xseg_join(long nameAddress, long xsAddress);

    static native int xseg_join_device(long pathAddress, long xsAddress);

    static native int xseg_anonymous(long paramsAddress, long xsAddress);

    static native void xseg_leave(long xs);

    static native long xseg_base(long xs);

    static native long xseg_header(long xs);

    /** Address of a NUL-terminated line about this thread's last failed call. */
    static native long xseg_strerror();

    // the segment of an xsegbd device
    public static native int xseg_serve_device(long xs);

    public static native int xseg_device_fd(long xs);

    // ports
    public static native int xseg_bind(long xs, int port, int requests, long dataBytes, long roleAddress, int bell);

    public static native int xseg_unbind(long xs, int port);

    public static native int xseg_set_bell(long xs, int port, int bell);

    /** Stores two ints: the first slot and how many. */
    public static native int xseg_port_slots(long xs, int port, long firstAddress, long countAddress);

    /** Stores two longs: position of the data from the segment's start, and its length. */
    public static native int xseg_port_data(long xs, int port, long atAddress, long lengthAddress);

    // requests; slots are ints
    public static native int xseg_submit(long xs, int dst, long slotsAddress, int n);

    public static native int xseg_accept(long xs, int port, long slotsAddress, int max);

    public static native int xseg_respond(long xs, long slotsAddress, int n);

    public static native int xseg_receive(long xs, int port, long slotsAddress, int max);

    // sleeping
    public static native int xseg_prepare_wait(long xs, int bell);

    public static native int xseg_cancel_wait(long xs, int bell);

    public static native int xseg_wait(long xs, int bell, long timeoutNanos);

    public static native int xseg_wake(long xs, int bell);

    /** The descriptor that becomes readable when the bell is rung. */
    public static native int xseg_bell_fd(long xs, int bell);

    // life and death
    public static native int xseg_heartbeat(long xs, int port);

    public static native int xseg_alive(long xs, int port);

    public static native int xseg_recover(long xs, int port);

    /** As xseg_recover, but -EAGAIN at once where another process is changing who owns what. */
    public static native int xseg_try_recover(long xs, int port);

    public static native int xseg_recover_dead(long xs);

    /** Only counts where fileAddress is 0; a C {@code FILE *} otherwise. */
    public static native int xseg_verify(long xs, long fileAddress);
}
