# SPDX-License-Identifier: BSD-2-Clause
"""Damaged map objects: a clear error that names the volume; the others are not touched, and no wrong data is read."""
import errno
import glob
import os
import random

import nbd
from node import MIB, Node, check, equal


def object_file(node, name):
    found = glob.glob(f"{node.store}/maps/*/{name}")
    equal(len(found), 1, f"files of map object {name}")
    return found[0]


def header(node, volume):
    with open(object_file(node, "vol-" + volume)) as f:
        return dict(line.split(" ", 1) for line in f.read().splitlines()[1:])


def flip(path, at, mask=0x10):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ mask]))


def damage(node, volume, what):
    """Damages an object of a volume's map; of a checkpoint both copies."""
    head = header(node, volume)
    for name in {"vol": ["vol-" + volume], "log": [head["log"]], "map": [head["checkpoint"], head["checkpoint"] + ".2"],
                 "one": [head["checkpoint"]], "two": [head["checkpoint"] + ".2"]}[what[:3]]:
        damage_file(object_file(node, name), what)


def damage_file(path, what):
    size = os.stat(path).st_size
    if what.endswith("flipped"):
        flip(path, 128 + 32 + 16 if what[:3] == "log" else size // 2)  # of a log the second record: behind the last one are zeros
    elif what.endswith("empty"):
        os.truncate(path, 0)
    elif what.endswith("cut"):
        os.truncate(path, size // 2 if what[:3] != "log" else 60)
    elif what.endswith("gone"):
        os.unlink(path)
    elif what.endswith("garbage"):
        with open(path, "wb") as f:
            f.write(random.randbytes(max(size, 300)))
    elif what.endswith("version"):
        with open(path, "r+b") as f:
            text = f.read().replace(b"archipelago volume 1\n", b"archipelago volume 9\n") if what[:3] == "vol" else None
            f.seek(0 if text else 8)
            f.write(text or b"\x09")


DAMAGES = ("vol-flipped", "vol-empty", "vol-cut", "vol-garbage", "vol-version", "log-flipped", "log-empty", "log-cut", "log-gone", "log-garbage",
           "log-version", "map-flipped", "map-empty", "map-cut", "map-gone", "map-garbage", "map-version")


ONE_COPY = ("one-flipped", "one-empty", "one-cut", "one-gone", "one-garbage", "one-version", "two-cut", "two-gone")


def pattern(volume, number):
    return random.Random(f"{volume} {number}").randbytes(64 << 10)


def make(node, volume):
    """A volume with a checkpoint (by a snapshot) and a log of some records after it."""
    node.vlmc("create", volume, "--size", "64M")
    node.vlmc("map", volume)
    with nbd.Client(node.socket(volume), volume) as client:
        for number in range(0, 8):
            client.write(number * 5 * MIB, pattern(volume, number))
    node.vlmc("snapshot", volume, volume + "-snap")
    with nbd.Client(node.socket(volume), volume) as client:
        for number in range(8, 12):
            client.write(number * 5 * MIB, pattern(volume, number))
    node.vlmc("unmap", volume)


def expect_whole(node, volume):
    node.vlmc("map", volume)
    with nbd.Client(node.socket(volume), volume) as client:
        for number in range(12):
            equal(client.read(number * 5 * MIB, 64 << 10) == pattern(volume, number), True, f"piece {number} of {volume} is right")
    node.vlmc("unmap", volume)


def expect_refused(node, volume, what):
    """All that reads or writes it is refused, and says which volume it is."""
    node.vlmc("mapinfo", volume, code=None).complains(8, volume)
    verified = node.call([__import__("node").DIST + "/extstorage/archipelago/verify", volume, "good"]).must(8)
    check(volume in verified.out + verified.err, f"verify does not name {volume}: {verified}")
    result = node.vlmc("map", volume, code=None)
    if result.code == 0:
        try:
            with nbd.Client(node.socket(volume), volume) as client:
                client.read(0, 4096)
            check(False, f"{volume} ({what}) can be read")
        except (nbd.NbdError, EOFError, OSError):
            pass
        node.vlmc("unmap", volume)
    else:
        result.complains(8, volume)
    result = node.vlmc("snapshot", volume, volume + "-late", code=None)
    result.complains(8, volume)


def test_each_kind():
    """Of header, log and checkpoint; found at the next start, whatever was in memory before."""
    with Node(endpoint="none") as node:
        node.start()
        for volume in DAMAGES + ONE_COPY + ("good",):
            make(node, volume)
        node.stop()
        for volume in DAMAGES + ONE_COPY:
            damage(node, volume, volume)
        node.start()
        listed = {v["name"]: v for v in node.vlmc("list", "--json", "-o", "all").json()["volumes"]}
        equal(len(listed), 2 * len(DAMAGES + ONE_COPY) + 2, "volumes in the list")
        for volume in DAMAGES:
            if volume.startswith("vol"):
                equal(listed[volume]["type"], "damaged", f"type of {volume} in the list")
                check(volume in listed[volume]["problem"], f"the problem of {volume}: {listed[volume]['problem']!r}")
                node.vlmc("info", volume, code=None).complains(8, volume)
            expect_refused(node, volume, volume)
        for volume in ONE_COPY + ("good",):
            expect_whole(node, volume)
        for volume in DAMAGES:
            result = node.vlmc("remove", volume, code=None)
            if result.code:
                result.complains(8, volume)
        equal(node.archipelago("status").code, 0, "status")
        node.vlmc("create", "new", "--snap", "good-snap")


def test_flipped_bytes():
    """Any byte of any of them: an error, or nothing that matters; never another map."""
    with Node(endpoint="none") as node:
        node.start()
        make(node, "disk")
        head = header(node, "disk")
        sound = node.vlmc("mapinfo", "--json", "disk").json()
        for name in ("vol-disk", head["log"], head["checkpoint"]):
            path = object_file(node, name)
            size = os.stat(path).st_size
            # the last record may always be one that was torn; behind it are zeros
            last = 128 + 32 * (sound["logRecords"] - 1) if name.startswith("log") else size
            places = {0, last // 2, last - 1} | {random.randrange(last) for _ in range(20)}
            for at in sorted(places):
                mask = 1 << random.randrange(8)
                flip(path, at, mask)
                result = node.vlmc("mapinfo", "--json", "disk", code=None)
                check(result.code == 8 and "disk" in result.err or result.code == 0 and result.json() == sound,
                      f"byte {at} of {size} of {name} flipped by {mask:#x}: {result}")
                flip(path, at, mask)
        equal(node.vlmc("mapinfo", "--json", "disk").json(), sound, "mapinfo after all is as it was")
        expect_whole(node, "disk")


def test_lock_objects():
    """A damaged lock is told, and can be broken."""
    with Node(endpoint="none") as node:
        node.start()
        node.vlmc("create", "disk", "--size", "8")
        node.vlmc("map", "disk")
        node.vlmc("open", "disk")
        node.vlmc("lock", "disk")
        node.vlmc("unmap", "disk")
        flip(object_file(node, "admin-" + header(node, "disk")["id"]), 20)
        result = node.vlmc("unlock", "disk", code=None)
        if result.code:
            result.complains(8, "disk", "unlock -f")
            node.vlmc("unlock", "-f", "disk")
        node.vlmc("remove", "disk")


def test_missing_and_short_objects():
    """What they held is an I/O error, which the log tells with the object's name; all else is read as it was, and nothing foreign."""
    with Node(endpoint="none") as node:
        node.start()
        data = {volume: random.Random(volume).randbytes(16 * MIB) for volume in ("disk", "other")}
        for volume, contents in data.items():
            node.vlmc("create", volume, "--size", "16M")
            node.vlmc("map", volume)
            with nbd.Client(node.socket(volume), volume) as client:
                for at in range(0, len(contents), MIB):
                    client.write(at, contents[at:at + MIB])
                client.flush()
            node.vlmc("unmap", volume)
        node.vlmc("snapshot", "disk", "snap")
        node.stop()
        own = node_id(node, "disk")
        missing, short = (glob.glob(f"{node.store}/blocks/*/{own}-*-0000000{block}")[0] for block in (1, 2))
        os.unlink(missing)
        os.truncate(short, 2 * MIB)
        node.start()
        for volume in ("disk", "snap"):
            node.vlmc("map", volume)
            with nbd.Client(node.socket(volume), volume) as client:
                for at in range(0, 16 * MIB, MIB // 2):
                    lost = 4 * MIB <= at < 8 * MIB or 10 * MIB <= at < 12 * MIB
                    try:
                        check(client.read(at, MIB // 2) == data["disk"][at:at + MIB // 2], f"{volume} at {at}: not what was written")
                        check(not lost, f"{volume} at {at}: read, and it is lost")
                    except nbd.NbdError as e:
                        equal((errno.errorcode.get(e.number), lost), ("EIO", True), f"error for a read of {volume} at {at}")
            node.vlmc("unmap", volume)
        log = node.log()
        for path in (missing, short):
            check(os.path.basename(path) in log, f"the log does not name {os.path.basename(path)}")
        node.vlmc("map", "other")
        with nbd.Client(node.socket("other"), "other") as client:
            check(b"".join(client.read(at, MIB) for at in range(0, 16 * MIB, MIB)) == data["other"], "other is not what was written")
        node.vlmc("unmap", "other")
        named = node.vlmc("check", "disk", code=None)
        check(all(os.path.basename(path) in named.out + named.err for path in (missing, short)), f"check does not name both: {named}")


def node_id(node, volume):
    return header(node, volume)["id"]
