# SPDX-License-Identifier: BSD-2-Clause
"""Garbage collection: frees what no map names and nothing else, under I/O, on two nodes, killed in the middle."""
import os
import random
import re
import threading
import time

from node import DIST, MIB, Node, await_, check, equal, tool

DATA = re.compile(r"[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}|sha256-[0-9a-f]{64}")


def data(node):
    return [os.path.basename(path) for path in node.objects() if DATA.fullmatch(os.path.basename(path))]


def fill(node, volume, seed, blocks=16, size="64k"):
    """Writes something to each of the first blocks."""
    rng = random.Random(seed)
    words = [word for block in range(blocks)
             for word in ("-c", f"write -P {rng.randrange(1, 250)} {block * 4 * MIB + rng.randrange(8) * 65536} {size}")]
    node.vlmc("map", volume)
    tool("qemu-io", "-f", "raw", *words, "nbd:unix:" + node.socket(volume))
    node.vlmc("unmap", volume)


def contents(node, name):
    path = f"{node.files}/export-{name}"
    node.vlmc("export", name, path)
    return tool("sha256sum", path).out.split()[0]


def gc(node, *words):
    return node.vlmc("gc", "--json", *words).json()


def removed(node, *names):
    """Removes volumes, whose own objects go a moment later, and those of former epochs with garbage collection."""
    for name in names:
        node.vlmc("remove", name)
    ids = len(node.volumes())
    await_(lambda: sum(os.path.basename(path).startswith("id-") for path in node.objects()) == ids, "the end of the removes")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def garbage(node, count, seed):
    """Objects of volumes that there are no more; a file blocker keeps an object in a folder named by a hash of its name."""
    rng, paths = random.Random(seed), []
    for name in (f"{rng.getrandbits(128):032x}-00000001-{rng.randrange(1 << 20):08x}" for _ in range(count)):
        folder = f"{node.store}/blocks/{crc32c(name[:-2].encode()) & 0xFFF:03x}"
        if not os.path.isdir(folder):
            os.mkdir(folder)
            node.give(folder)
        paths.append(f"{folder}/{name}")
        with open(paths[-1], "wb") as f:
            f.write(b"garbage")
        node.give(paths[-1])
    return paths


def test_removed_snapshot_with_clones(node):
    """What the clone needs stays, whatever is removed; with the clone goes all."""
    node.vlmc("create", "web", "--size", "64M")
    fill(node, "web", 1)
    node.vlmc("snapshot", "web", "monday")
    node.vlmc("create", "copy", "--snap", "monday")
    fill(node, "copy", 2, blocks=4)
    fill(node, "web", 3)
    expected = contents(node, "copy")
    removed(node, "monday", "web")
    equal(gc(node)["removed"], 0, "objects that are removed while the clone needs them")
    equal(contents(node, "copy"), expected, "contents of the clone")
    node.vlmc("snapshot", "copy", "tuesday")
    removed(node, "copy")
    equal(contents(node, "tuesday"), expected, "contents of its snapshot")
    removed(node, "tuesday")
    before = node.objects()
    tells = gc(node, "--dry-run")
    equal(node.objects(), before, "objects after a dry run")
    does = gc(node)
    equal({key: does[key] for key in ("removed", "bytes", "volumes")}, {key: tells[key] for key in ("removed", "bytes", "volumes")},
          "what gc did, and what the dry run told")
    check(does["bytes"] >= 16 * 65536, f"bytes freed: {does}")
    equal(node.objects(), [], "what is left")
    lines = node.vlmc("gc").lines()
    check(any(line.startswith("objects removed:") and line.endswith("0 of 0") for line in lines), f"what gc prints: {lines}")


def test_foreign_objects_stay(node):
    """Names that are nearly ours, and those of other programs."""
    node.vlmc("create", "web", "--size", "16M")
    fill(node, "web", 1, blocks=4)
    name = data(node)[0]
    blocks = os.path.dirname(next(path for path in node.objects() if path.endswith(name)))
    maps = os.path.dirname(next(path for path in node.objects() if path.endswith("vol-web")))
    foreign = [f"{blocks}/{n}" for n in ("archip_1234", "rbd_data.1", "f" * 32, "f" * 32 + "-00000001-0000000g", "sha256-0")]
    foreign += [f"{maps}/{n}" for n in ("map-x", "id-x", "log-" + "f" * 32, "my-notes")]
    for path in foreign:
        with open(path, "w") as f:
            f.write("not yours")
        node.give(path)
    gc(node)
    check(all(os.path.exists(path) for path in foreign), "foreign objects are gone")
    for path in foreign:
        os.unlink(path)
    node.vlmc("remove", "web")


def test_under_load(node):
    """Volumes that are written, snapshotted and cloned all the time: fio verifies what it wrote, and each clone equals its snapshot."""
    node.vlmc("create", "busy", "--size", "64M")
    node.vlmc("create", "web", "--size", "64M")
    fill(node, "web", 1)
    node.vlmc("map", "busy")
    load = node.child(["fio", "--name=busy", "--ioengine=nbd", f"--uri=nbd+unix:///?socket={node.socket('busy')}", "--rw=randwrite",
                       "--bs=4k", "--iodepth=8", "--size=64M", "--time_based", "--runtime=12", "--verify=crc32c", "--verify_fatal=1",
                       "--output=" + node.files + "/fio"])
    stop, failures, runs = threading.Event(), [], []

    def collect():
        try:
            while not stop.is_set():
                runs.append(gc(node))
        except Exception as e:  # told by the test
            failures.append(e)

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        for number in range(5):
            fill(node, "web", number)
            node.vlmc("snapshot", "web", f"s{number}")
            node.vlmc("snapshot", "busy", f"b{number}")
            node.vlmc("create", f"c{number}", "--snap", f"s{number}")
            expected = contents(node, f"s{number}")
            node.vlmc("remove", f"s{number}")
            node.vlmc("remove", f"b{number}")
            equal(contents(node, f"c{number}"), expected, f"contents of clone {number}")
            node.vlmc("remove", f"c{number}")
        removed(node, "web")
        count = len(runs)
        await_(lambda: failures or len(runs) > count + 1, "collections after that")
    finally:
        stop.set()
        collector.join()
    load.wait()
    with open(node.files + "/fio") as f:
        text = f.read()
    check(load.returncode == 0 and "err= 0" in text, f"fio: {text}")
    check(not failures and runs, f"{len(runs)} collections; {failures}")
    check(sum(run["removed"] for run in runs) > 0, "nothing was removed under load")
    node.vlmc("unmap", "busy")
    removed(node, *node.volumes())
    gc(node)
    equal(node.objects(), [], "what is left")


def test_kill_in_the_middle(node):
    """The daemon dies while it removes; the next run goes on, and the volumes are whole."""
    node.vlmc("create", "web", "--size", "64M")
    fill(node, "web", 1)
    node.vlmc("snapshot", "web", "monday")
    fill(node, "web", 2)
    expected = [contents(node, name) for name in ("web", "monday")]
    left = garbage(node, 2000, 4)
    run = node.child([DIST + "/bin/vlmc", "gc", "--rate", "300"])
    await_(lambda: sum(map(os.path.exists, left)) < 1900, "the beginning of the sweep")
    node.kill()
    run.wait()
    check(run.returncode != 0, "gc says that it came to its end, and its daemon was killed")
    check(any(map(os.path.exists, left)), "all was removed before the kill")
    node.start()
    gc(node)
    gc(node)  # what the first one, which goes on where the killed one was, has left
    equal([path for path in left if os.path.exists(path)], [], "garbage that is left")
    equal([contents(node, name) for name in ("web", "monday")], expected, "contents after that")


def test_two_nodes_at_once():
    """And one of them killed: the other's run comes to its end."""
    with Node(endpoint="none") as one, Node(endpoint="none", store=one.store) as other:
        one.start()
        other.start()
        one.vlmc("create", "web", "--size", "64M")
        fill(one, "web", 1)
        one.vlmc("snapshot", "web", "monday")
        one.vlmc("create", "copy", "--snap", "monday")
        fill(one, "copy", 2)
        expected = [contents(one, name) for name in ("web", "monday", "copy")]
        left = garbage(one, 3000, 5)
        results = []
        threads = [threading.Thread(target=lambda node=node: results.append(gc(node))) for node in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal(len(results), 2, "runs that came to their end")
        equal(sum(result["removed"] for result in results), len(left), "objects that both removed")
        check(not any(map(os.path.exists, left)), "garbage is left")
        equal([contents(other, name) for name in ("web", "monday", "copy")], expected, "contents, as the other node reads them")
        for name in ("copy", "monday", "web"):
            one.vlmc("close", name, code=None)
            one.vlmc("remove", name)


def test_without_daemon(node):
    """In a process of its own; and at a rate."""
    node.vlmc("create", "web", "--size", "16M")
    fill(node, "web", 1, blocks=4)
    gc(node)  # what the tests before have left
    node.stop()
    try:
        garbage(node, 10, 6)
        equal(gc(node)["removed"], 10, "objects removed")
    finally:
        node.start()
    node.vlmc("gc", "--rate", "-1", code=None).complains(2, "--rate")
    begun = time.monotonic()
    garbage(node, 60, 7)
    equal(gc(node, "--rate", "20")["removed"], 60, "objects removed at a rate")
    check(time.monotonic() - begun > 2, "the rate was not kept")
