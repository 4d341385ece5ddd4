package org.archipelago.config;

/**
 * Ports of a segment, both ends included.
 *
 * @param first from 0
 * @param last from first
 * @throws IllegalArgumentException for other numbers
 */
public record PortRange(int first, int last) {
    public PortRange {
        if (first < 0 || last < first) {
            throw new IllegalArgumentException("no range of ports: " + first + "-" + last);
        }
    }

    /** How many ports. */
    public int size() {
        return last - first + 1;
    }

    public boolean contains(int port) {
        return port >= first && port <= last;
    }

    public boolean overlaps(PortRange other) {
        return first <= other.last && other.first <= last;
    }

    @Override
    public String toString() {
        return first + "-" + last;
    }
}
