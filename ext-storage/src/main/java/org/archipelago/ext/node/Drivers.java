package org.archipelago.ext.node;

import java.util.List;
import org.archipelago.config.EndpointSettings.Device;
import org.archipelago.ext.node.Mapping.Kind;

/** Which driver makes the block devices of this host. */
public final class Drivers {
    private Drivers() {}

    /** Those that a setting allows, the best first; loop, the last of 'auto', is always thought to be there. */
    public static List<Kind> inOrder(Device setting) {
        return switch (setting) {
            case AUTO -> List.of(Kind.XSEGBD, Kind.NBD, Kind.LOOP);
            case XSEGBD -> List.of(Kind.XSEGBD);
            case NBD -> List.of(Kind.NBD);
            case LOOP -> List.of(Kind.LOOP);
            case NONE -> List.of();
        };
    }

    /** Those of them that are there, or, to have a complaint, all; empty where none is allowed. */
    static List<Kind> usable(Device setting) {
        List<Kind> there = inOrder(setting).stream().filter(Drivers::isThere).toList();
        return there.isEmpty() ? inOrder(setting) : there;
    }

    /** The first of those, or NONE. */
    public static Kind choose(Device setting) {
        return usable(setting).stream().findFirst().orElse(Kind.NONE);
    }

    /** Whether the kernel has it now. */
    public static boolean isThere(Kind driver) {
        return switch (driver) {
            case XSEGBD -> XsegbdDisk.isAvailable();
            case NBD -> NbdDisk.isAvailable();
            case LOOP, NONE -> true;
        };
    }
}
