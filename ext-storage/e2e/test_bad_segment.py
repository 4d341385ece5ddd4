# SPDX-License-Identifier: BSD-2-Clause
"""A /dev/shm that is full, a segment that is another user's, of another ABI, spoilt, or truncated."""
import os
import pwd
import random
import re

import nbd
from node import DIST, MIB, Node, await_, check, equal

BAD_HEADERS = {"of another ABI": b"ARCXSEG\0" + (7).to_bytes(4, "little"), "of random bytes": random.randbytes(1 << 16), "that is empty": b""}


def segment(node):
    with open(node.root + "/data/identity") as f:
        return f"{node.segment}-{f.read()[:8]}"


def make_file(path, owner, contents):
    with open(path, "wb") as f:
        f.write(contents)
    os.chown(path, pwd.getpwnam(owner).pw_uid, -1)
    os.chmod(path, 0o666)


def test_full_shm():
    """No room for the segment: said at the start, and nothing is left."""
    with Node(endpoint="none") as node:
        small = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=$1 none /dev/shm && fallocate -l $2 /dev/shm/full && "
                 "{ \"$0\" start; code=$?; rm /dev/shm/full; ls /dev/shm; exit $code; }", DIST + "/bin/archipelago"]
        node.call(small + ["8m", "1m"], shown="start with a small /dev/shm").complains(9, "more than /dev/shm holds, which is 8 MiB")
        result = node.call(small + ["80m", "72m"], shown="start with a full /dev/shm")
        result.complains(7, "/dev/shm, which has room for 8 MiB", "No space left", "mount -o remount,size=")
        check(re.search(r"cannot allocate \d+ MiB", result.err), f"it does not say how much: {result}")
        equal(result.out, "", "left in /dev/shm")
        check(not node.running(), "it runs")
        node.start()


def test_of_another_user():
    """What lies in the segment's place and cannot be removed is named with its owner; the daemon does not use it."""
    with Node(endpoint="none", user="nobody", group="nogroup") as node:
        node.start()
        path = "/dev/shm/" + segment(node)
        node.stop()
        check(not os.path.exists(path), "the segment is left")
        make_file(path, "daemon", b"")
        try:
            node.archipelago("start", code=None).complains(6, path, f"belongs to user {pwd.getpwnam('daemon').pw_uid}")
            check(not node.running(), "it runs")
        finally:
            os.unlink(path)
        node.start()


def test_of_a_former_daemon():
    """Whatever a former daemon left there is replaced."""
    with Node(endpoint="none") as node:
        node.start()
        for what, contents in BAD_HEADERS.items():
            path = "/dev/shm/" + segment(node)
            node.stop()
            make_file(path, node.owner or "root", contents)
            node.start()
            result = node.call([DIST + "/bin/xseg", "-g", segment(node), "verify"])
            check(result.code == 0, f"after a segment {what}: {result}")
            node.vlmc("list")


def test_truncated():
    """The daemon does not end: status says what to do, and a restart heals it."""
    with Node(endpoint="none") as node:
        node.start()
        node.vlmc("create", "disk", "--size", "8")
        node.vlmc("map", "disk")
        data = random.randbytes(MIB)
        with nbd.Client(node.socket("disk"), "disk") as client:
            client.write(0, data)
            client.flush()
        pid = node.pid()
        os.truncate("/dev/shm/" + segment(node), random.choice([0, 4096, 100_000]))
        status = await_(lambda: next((s for s in [node.archipelago("status", code=None)] if s.code == 3), None), "status tells of the truncation")
        check("was truncated by another process" in status.out, f"status does not say so: {status}")
        equal(node.pid(), pid, "archipelagod")
        node.archipelago("stop", "--force")
        node.start()
        node.archipelago("status")
        with nbd.Client(node.socket("disk"), "disk") as client:
            check(client.read(0, MIB) == data, "the volume is not what was written and flushed")
        node.vlmc("unmap", "disk")
        node.vlmc("remove", "disk")
