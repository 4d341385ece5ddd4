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
            case AUTO -> List.of(Kind.XSEGBD, Kind.LOOP);
            case XSEGBD -> List.of(Kind.XSEGBD);
            case LOOP -> List.of(Kind.LOOP);
            case NONE -> List.of();
        };
    }

    /** The first of them that is there, or else the last; NONE where none is allowed. */
    public static Kind choose(Device setting) {
        List<Kind> allowed = inOrder(setting);
        return allowed.stream().filter(Drivers::isThere).findFirst()
            .orElse(allowed.isEmpty() ? Kind.NONE : allowed.get(allowed.size() - 1));
    }

    /** Whether the kernel has it now. */
    public static boolean isThere(Kind driver) {
        return switch (driver) {
            case XSEGBD -> XsegbdDisk.isAvailable();
            case LOOP, NONE -> true;
        };
    }
}
