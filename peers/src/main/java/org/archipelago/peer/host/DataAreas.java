package org.archipelago.peer.host;

import java.util.Arrays;
import org.archipelago.xseg.Segment;

/**
 * The segments, besides the host's own, whose data the requests of one reactor may point at: those of the devices that it
 * serves. For that reactor's thread alone.
 */
public final class DataAreas {
    /** First byte, and the one after the last, of each. */
    private long[] bounds = {};

    public void add(Segment segment) {
        bounds = Arrays.copyOf(bounds, bounds.length + 2);
        bounds[bounds.length - 2] = segment.base() + segment.dataAt();
        bounds[bounds.length - 1] = segment.base() + segment.size();
    }

    /** Before the segment is closed. */
    public void remove(Segment segment) {
        long from = segment.base() + segment.dataAt();
        for (int i = 0; i < bounds.length; i += 2) {
            if (bounds[i] == from) {
                long[] left = Arrays.copyOf(bounds, bounds.length - 2);
                System.arraycopy(bounds, i + 2, left, i, left.length - i);
                bounds = left;
                return;
            }
        }
    }

    /** Whether one of them holds all these bytes. */
    public boolean hold(long address, long length) {
        for (int i = 0; i < bounds.length; i += 2) {
            if (address >= bounds[i] && address <= bounds[i + 1] && length >= 0 && length <= bounds[i + 1] - address) {
                return true;
            }
        }
        return false;
    }
}
