package org.archipelago.ext.node;

import java.util.List;
import org.archipelago.ext.node.Mapping.Kind;

/**
 * How a node is.
 *
 * @param version of the daemon; empty where none runs
 * @param pid 0 where no daemon runs
 * @param uptime seconds
 * @param identity of the node; empty while it has none
 * @param roles in the order of the configuration
 * @param segment its name; empty where there is none
 * @param driver that makes block devices
 * @param driverIsThere whether the kernel has it now
 */
public record NodeStatus(String version, long pid, long uptime, String identity, List<RoleStatus> roles, String segment,
        long segmentBytes, int segmentPorts, int requestsInFlight, Kind driver, boolean driverIsThere,
        List<Mapping> mapped) {

    public enum State { RUNNING, STOPPED, FAILED }

    /**
     * How a role is.
     *
     * @param why it does not run, what is wrong, or what has been; empty where all is well
     * @param pid of its process, 0 where it does not run
     * @param uptime seconds
     */
    public record RoleStatus(String name, String type, String process, String ports, State state, String why, long pid,
            long uptime, int inFlight) {}

    public boolean healthy() {
        return pid != 0 && roles.stream().allMatch(r -> r.state() == State.RUNNING);
    }
}
