# SPDX-License-Identifier: BSD-2-Clause
"""bad_server.py MODE SOCKET [SIZE]: an NBD server that misbehaves.

Negotiation: garbage, short, silent, oldstyle, hugeanswer, wronganswer, refuse, nosize, bigblock.
Requests: every connection serves 20 requests from memory, then does one of: cut (in the middle of a reply), magic, cookie,
replay (an answered cookie), early (a cookie that nobody sent), shutdown (ESHUTDOWN), close; in the mode 'all' each in turn.
error: answers each write with ENOSPC.
"""
import itertools, os, socket, struct, sys, threading, time

MODE, PATH = sys.argv[1:3]
SIZE = int(sys.argv[3]) if len(sys.argv) > 3 else 64 << 20
TRICKS = ["cut", "magic", "cookie", "replay", "early", "shutdown", "close"]
turn = itertools.count()
disk = bytearray(SIZE)
lock = threading.Lock()


class Gone(Exception):
    pass


def read(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise Gone
        data += more
    return data


def answer(sock, option, kind, data=b""):
    sock.sendall(struct.pack(">QIII", 0x3e889045565a9, option, kind, len(data)) + data)


def negotiate(sock):
    if MODE == "garbage":
        sock.sendall(os.urandom(4096))
        raise Gone
    if MODE == "short":
        sock.sendall(b"NBDMAG")
        raise Gone
    if MODE == "silent":
        time.sleep(60)
    if MODE == "oldstyle":
        sock.sendall(b"NBDMAGIC" + struct.pack(">QQI", 0x420281861253, SIZE, 0) + bytes(124))
        time.sleep(1)
        raise Gone
    sock.sendall(b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3))
    read(sock, 4)
    _, option, length = struct.unpack(">QII", read(sock, 16))
    read(sock, length)
    if MODE == "hugeanswer":
        sock.sendall(struct.pack(">QIII", 0x3e889045565a9, option, 3, 0xfffffff0) + bytes(100000))
        time.sleep(1)
    if MODE == "wronganswer":
        answer(sock, 99, 1)
        time.sleep(1)
    if MODE == "refuse":
        answer(sock, option, 0x80000006, b"no such volume")
    if MODE != "nosize":
        answer(sock, option, 3, struct.pack(">HQH", 0, SIZE, 1 | 4 | 64))
    if MODE == "bigblock":
        answer(sock, option, 3, struct.pack(">HIII", 3, 65536, 65536, 1 << 25))
    answer(sock, option, 1)


def misbehave(sock, trick, cookie, answered, payload):
    reply = lambda c, error=0, magic=0x67446698: struct.pack(">IIQ", magic, error, c)
    if trick == "cut":
        sock.sendall((reply(cookie) + payload)[:-7])
    elif trick == "magic":
        sock.sendall(reply(cookie, magic=0x668e33ef) + payload)
    elif trick == "cookie":
        sock.sendall(reply(cookie ^ 0x5500) + payload)
    elif trick == "replay":
        sock.sendall(reply(answered) + payload)
    elif trick == "early":
        sock.sendall(reply(cookie + (1000 << 8)) + payload)
    elif trick == "shutdown":
        sock.sendall(reply(cookie, 108))
    raise Gone


def serve(sock):
    negotiate(sock)
    answered = 0
    for n in itertools.count():
        _, _, kind, cookie, offset, length = struct.unpack(">IHHQQI", read(sock, 28))
        data = read(sock, length) if kind == 1 else b""
        payload = b""
        if kind == 2:
            raise Gone
        assert offset + length <= SIZE, (offset, length)
        error = 28 if MODE == "error" and kind == 1 else 0
        with lock:
            if kind == 0:
                payload = bytes(disk[offset:offset + length])
            elif kind == 1 and not error:
                disk[offset:offset + length] = data
            elif kind == 6:
                disk[offset:offset + length] = bytes(length)
        if n == 20 and MODE in TRICKS + ["all"]:
            misbehave(sock, TRICKS[next(turn) % len(TRICKS)] if MODE == "all" else MODE, cookie, answered, payload)
        sock.sendall(struct.pack(">IIQ", 0x67446698, error, cookie) + payload)
        answered = cookie


def connection(sock):
    with sock:
        try:
            serve(sock)
        except (Gone, OSError):
            pass


listener = socket.socket(socket.AF_UNIX)
listener.bind(PATH + ".new")
listener.listen(16)
os.rename(PATH + ".new", PATH)
while True:
    threading.Thread(target=connection, args=(listener.accept()[0],), daemon=True).start()
