# SPDX-License-Identifier: BSD-2-Clause
"""A small NBD client: the newstyle handshake, simple replies, one request at a time."""
import socket
import struct

OPTION_MAGIC, REPLY_MAGIC = 0x49484156454F5054, 0x3E889045565A9
REQUEST, REPLY = 0x25609513, 0x67446698
EXPORT_NAME, ABORT, LIST, INFO, GO, STRUCTURED = 1, 2, 3, 6, 7, 8
READ, WRITE, DISC, FLUSH, TRIM, CACHE, WRITE_ZEROES, BLOCK_STATUS = range(8)
FUA = 1


class NbdError(Exception):
    """An answer with an error number."""

    def __init__(self, number):
        super().__init__(f"NBD error {number}")
        self.number = number


def connect(path, timeout=30):
    """A socket after the server's greeting and the client's flags."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    s.connect(path)
    greeting = exactly(s, 18)
    assert greeting[:16] == b"NBDMAGICIHAVEOPT", greeting
    s.sendall(struct.pack(">I", 3))
    return s


def exactly(s, length):
    data = bytearray()
    while len(data) < length:
        part = s.recv(length - len(data))
        if not part:
            raise EOFError(f"closed after {len(data)} of {length} bytes")
        data += part
    return bytes(data)


def option(number, data=b""):
    return struct.pack(">QII", OPTION_MAGIC, number, len(data)) + data


def go(name):
    raw = name.encode()
    return option(GO, struct.pack(">I", len(raw)) + raw + struct.pack(">H", 0))


def request(kind, offset, length, handle=1, flags=0, data=b""):
    return struct.pack(">IHHQQI", REQUEST, flags, kind, handle, offset, length) + data


class Client:
    """with Client(socket path, name) as nbd: nbd.read(offset, length) ..."""

    def __init__(self, path, name="", timeout=30):
        self.socket = connect(path, timeout)
        self.socket.sendall(go(name))
        self.size = self.flags = None
        while True:
            _, _, kind, length = struct.unpack(">QIII", exactly(self.socket, 20))
            data = exactly(self.socket, length)
            if kind == 1:
                return
            if kind >= 1 << 31:
                raise NbdError(kind)
            if kind == 3 and data[:2] == b"\0\0":
                self.size, self.flags = struct.unpack(">QH", data[2:12])

    def command(self, kind, offset=0, length=0, flags=0, data=b""):
        self.socket.sendall(request(kind, offset, length, flags=flags, data=data))
        magic, error, _ = struct.unpack(">IIQ", exactly(self.socket, 16))
        assert magic == REPLY, hex(magic)
        if error:
            raise NbdError(error)

    def read(self, offset, length):
        self.command(READ, offset, length)
        return exactly(self.socket, length)

    def write(self, offset, data, flags=0):
        self.command(WRITE, offset, len(data), flags, data)

    def flush(self):
        self.command(FLUSH)

    def trim(self, offset, length):
        self.command(TRIM, offset, length)

    def close(self):
        try:
            self.socket.sendall(request(DISC, 0, 0))
        except OSError:
            pass
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
