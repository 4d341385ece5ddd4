package org.archipelago.peer.host;

/** Told by its reactor that a descriptor is ready. */
@FunctionalInterface
public interface Watcher {
    /** events: those of epoll (EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR). */
    void ready(int events);
}
