"""A small NBD client (fixed newstyle, simple replies) for the tests."""
import socket
import struct

IHAVEOPT = 0x49484156454F5054
REPLY_MAGIC = 0x3E889045565A9
OPT_GO = 7
REP_ACK, REP_INFO = 1, 3
CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH, CMD_TRIM = 0, 1, 2, 3, 4


class NbdError(OSError):
    pass


class Client:
    """One connection; requests one at a time."""

    def __init__(self, path, export="", timeout=30):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        magic, option, flags = struct.unpack(">QQH", self._take(18))
        if (magic, option) != (0x4E42444D41474943, IHAVEOPT):
            raise NbdError("not an NBD server")
        self.sock.sendall(struct.pack(">I", flags & 3))
        name = export.encode()
        payload = struct.pack(">I", len(name)) + name + struct.pack(">H", 0)
        self.sock.sendall(struct.pack(">QII", IHAVEOPT, OPT_GO, len(payload)) + payload)
        self.size = self.flags = None
        while True:
            magic, _, kind, length = struct.unpack(">QIII", self._take(20))
            body = self._take(length)
            if magic != REPLY_MAGIC or kind & 0x80000000:
                raise NbdError("the server refused the export: %s" % body.decode(errors="replace"))
            if kind == REP_INFO and struct.unpack(">H", body[:2])[0] == 0:
                self.size, self.flags = struct.unpack(">QH", body[2:12])
            if kind == REP_ACK:
                break
        self.handle = 0

    def _take(self, count):
        parts = []
        while count:
            part = self.sock.recv(count)
            if not part:
                raise NbdError("the server closed the connection")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _request(self, command, offset, length, data=b"", take=0):
        self.handle += 1
        self.sock.sendall(struct.pack(">IHHQQI", 0x25609513, 0, command, self.handle, offset, length) + data)
        magic, error, handle = struct.unpack(">IIQ", self._take(16))
        if magic != 0x67446698 or handle != self.handle:
            raise NbdError("a reply that was not asked for")
        if error:
            raise NbdError(error, "command %d at %d+%d failed" % (command, offset, length))
        return self._take(take)

    def read(self, offset, length):
        return self._request(CMD_READ, offset, length, take=length)

    def write(self, offset, data):
        self._request(CMD_WRITE, offset, len(data), data)

    def flush(self):
        self._request(CMD_FLUSH, 0, 0)

    def close(self):
        try:
            self.sock.sendall(struct.pack(">IHHQQI", 0x25609513, 0, CMD_DISC, 0, 0, 0))
        except OSError:
            pass
        self.sock.close()
