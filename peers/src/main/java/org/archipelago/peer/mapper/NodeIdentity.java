package org.archipelago.peer.mapper;

/**
 * Who a daemon is, in locks and logs.
 *
 * @param daemon made once for a node's data folder, and kept: at most 64 bytes
 * @param node the host's name, for people
 * @param boot the kernel's boot id: 32 hex digits
 */
public record NodeIdentity(String daemon, String node, String boot) {}
