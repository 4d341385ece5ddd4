package org.archipelago.peer.endpoint;

import org.archipelago.peer.host.Watcher;
import org.archipelago.posix.Errno;
import org.archipelago.posix.Posix;

/** Takes the clients that come to one of an export's sockets. For its reactor's thread alone. */
final class Acceptor implements Watcher {
    /** Clients taken before others have their turn. */
    private static final int ACCEPTS = 16;
    /** How long to leave clients waiting when the process has no descriptor for them. */
    private static final long PAUSE_NANOS = 200_000_000L;

    private final Station station;
    private final Export export;
    private final int fd;
    private final boolean structured;
    private boolean open;

    /**
     * @param listener becomes this acceptor's with {@link #begin}
     * @param structured its clients may have structured replies, and with them block status
     */
    Acceptor(Station station, Export export, UnixListener listener, boolean structured) {
        this.station = station;
        this.export = export;
        this.fd = listener.fd();
        this.structured = structured;
    }

    void begin() {
        open = true;
        station.reactor().watch(fd, Posix.EPOLLIN, this);
    }

    /** Closes the socket. */
    void end() {
        open = false;
        station.reactor().unwatch(fd);
        Posix.close(fd);
    }

    @Override
    public void ready(int events) {
        for (int i = 0; i < ACCEPTS && open; i++) {
            int client = Posix.accept4(fd, 0, 0, Posix.SOCK_NONBLOCK | Posix.SOCK_CLOEXEC);
            if (client >= 0) {
                export.take(client, structured);
            } else if (Posix.errno() == Errno.EAGAIN) {
                return;
            } else if (isShortage(Posix.errno())) {
                pause(Posix.errno());
                return;
            } // else that client has gone again
        }
    }

    private static boolean isShortage(int errno) {
        return errno == Errno.EMFILE || errno == 23 /* ENFILE */ || errno == Errno.ENOMEM || errno == 105 /* ENOBUFS */;
    }

    private void pause(int errno) {
        station.complaints().add("NBD: cannot take a client of volume " + export.volume() + ": " + Errno.text(errno));
        station.reactor().rewatch(fd, 0);
        station.reactor().schedule(PAUSE_NANOS, () -> {
            if (open) {
                station.reactor().rewatch(fd, Posix.EPOLLIN);
            }
        });
    }
}
