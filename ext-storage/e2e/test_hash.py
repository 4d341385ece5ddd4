# SPDX-License-Identifier: BSD-2-Clause
"""Images by their contents: vlmc hash, verify, and what imports share."""
import os
import random
import threading
import time

from images import file_sum, sparse_image
from node import DIST, MIB, check, equal, tool


def contents(node):
    return [path for path in node.objects() if os.path.basename(path).startswith("sha256-")]


def test_equal_blocks_are_stored_once(node):
    """An image that is imported again, as another format and with a few bytes changed, costs what is different in it."""
    image, other = node.files + "/image", node.files + "/other.qcow2"
    sparse_image(image, 256 * MIB, pieces=24, seed=random.random())
    node.vlmc("import", image, "first")
    stored = contents(node)
    check(len(stored) > 10, f"{len(stored)} objects of an image")
    tool("qemu-img", "convert", "-O", "qcow2", image, other)
    node.vlmc("import", other, "second")
    equal(contents(node), stored, "objects after the second import")
    with open(image, "r+b") as f:
        f.seek(100 * MIB + 12345)
        f.write(b"changed")
    node.vlmc("import", image, "third")
    equal(len(contents(node)), len(stored) + 1, "objects after one block was changed")
    node.vlmc("remove", "first")
    node.vlmc("export", "second", node.files + "/back")
    tool("qemu-img", "compare", "-f", "raw", "-F", "qcow2", node.files + "/back", other)


def test_hash_of_a_snapshot_while_its_volume_is_written(node):
    """The snapshot and its clones read the same before, meanwhile and after; the same contents give the same name."""
    node.vlmc("create", "web", "--size", "128M")
    node.vlmc("map", "web")
    rng = random.Random(random.random())
    writes = [word for _ in range(30) for word in ("-c", f"write -P {rng.randrange(1, 250)} {rng.randrange(120 * MIB) // 512 * 512} 256k")]
    tool("qemu-io", "-f", "raw", *writes, "nbd:unix:" + node.socket("web"))
    node.vlmc("snapshot", "web", "monday")
    node.vlmc("export", "monday", node.files + "/before")
    node.vlmc("create", "copy", "--snap", "monday")
    stop = threading.Event()

    def write():
        while not stop.is_set():
            tool("qemu-io", "-f", "raw", "-c", f"write -P 9 {rng.randrange(120) * MIB} 64k", "nbd:unix:" + node.socket("web"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        first = node.vlmc("hash", "monday").out
        check(first.startswith("Hash name: ") and len(first.strip()) == 11 + 64, f"what hash prints: {first!r}")
        equal(node.vlmc("hash", "monday").out, first, "hash of what is hashed")
    finally:
        stop.set()
        writer.join()
    for name in "monday", "copy":
        node.vlmc("export", name, node.files + "/after")
        equal(file_sum(node.files + "/after"), file_sum(node.files + "/before"), f"sum of {name}")
    node.vlmc("snapshot", "copy", "same")
    equal(node.vlmc("hash", "same").out, first, "hash of the same contents")
    node.vlmc("hash", "web", code=None).complains(2, "hash a snapshot of it")
    node.vlmc("unmap", "web")


def test_verify_names_what_is_damaged(node):
    image, before = node.files + "/image", contents(node)
    sparse_image(image, 64 * MIB, pieces=12, seed=random.random())
    node.vlmc("import", image, "image")
    equal(node.vlmc("verify", "image").out, "", "what verify says of a sound image")
    path = random.choice([o for o in contents(node) if o not in before])
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2)
        byte = f.read(1)[0]
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte ^ 16]))
    found = node.vlmc("verify", "image", code=8)
    check(os.path.basename(path) in found.out and "contents are not those" in found.out, f"verify says: {found}")
    equal([d["object"] for d in node.vlmc("verify", "--json", "image", code=8).json()["damaged"]], [os.path.basename(path)], "damaged objects")


def test_killed_daemon_leaves_nothing_of_a_hash(node):
    """A hash that is killed leaves the snapshot as it was, and can be made again."""
    node.vlmc("create", "web", "--size", "256M")
    node.vlmc("map", "web")
    tool("qemu-io", "-f", "raw", *[w for i in range(60) for w in ("-c", f"write -P {i + 1} {i * 4 * MIB + i} 3M")], "nbd:unix:" + node.socket("web"))
    node.vlmc("snapshot", "web", "monday")
    node.vlmc("unmap", "web")
    node.vlmc("export", "monday", node.files + "/before")
    child = node.child([DIST + "/bin/vlmc", "hash", "monday"])
    time.sleep(random.random() / 2)
    node.kill()
    child.wait(30)
    node.start()
    node.vlmc("export", "monday", node.files + "/after")
    equal(file_sum(node.files + "/after"), file_sum(node.files + "/before"), "sum after the kill")
    node.vlmc("hash", "monday")
    node.vlmc("export", "monday", node.files + "/after")
    equal(file_sum(node.files + "/after"), file_sum(node.files + "/before"), "sum after the hash")
