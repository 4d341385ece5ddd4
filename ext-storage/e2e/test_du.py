# SPDX-License-Identifier: BSD-2-Clause
"""vlmc du: what volumes take of the store, and what they alone take."""
import os
import random

from images import allocated, sparse_image
from node import MIB, await_, check, equal, tool

NODE = {"endpoint": "none"}


def write(node, volume, *places, pattern=7):
    """64 KiB at each place."""
    node.vlmc("map", volume)
    tool("qemu-io", "-f", "raw", *[word for at in places for word in ("-c", f"write -P {pattern} {at} 64k")], "nbd:unix:" + node.socket(volume))
    node.vlmc("unmap", volume)


def usage(node, *names):
    """Figures of each, and of the store."""
    answer = node.vlmc("du", "--json", "--all", *names).json()
    return {row["name"]: row for row in answer["volumes"]}, answer["store"]


def figures(node):
    """TYPE USED EXCLUSIVE SHARED of each, in KiB."""
    return {name: (row["type"], row["used"] >> 10, row["exclusive"] >> 10, row["shared"] >> 10) for name, row in usage(node)[0].items()}


def data(node):
    """Bytes that the store's objects of data take."""
    return sum(allocated(path) for path in node.objects() if path.startswith(node.store + "/blocks/"))


def test_snapshot_clone_write_remove(node):
    node.vlmc("create", "web", "--size", "128M")
    equal(figures(node), {"web": ("volume", 0, 0, 0)}, "of a blank volume")
    write(node, "web", 0, 4 * MIB, 8 * MIB)
    equal(figures(node), {"web": ("volume", 192, 192, 0)}, "of a volume of three blocks")
    node.vlmc("snapshot", "web", "monday")
    equal(figures(node), {"web": ("volume", 192, 0, 192), "monday": ("snapshot", 192, 0, 192)}, "with a snapshot")
    node.vlmc("create", "copy", "--snap", "monday")
    write(node, "copy", 4 * MIB, 12 * MIB)
    write(node, "web", 8 * MIB + MIB)
    equal(figures(node), {"web": ("volume", 256, 64, 192), "monday": ("snapshot", 192, 0, 192), "copy": ("volume", 320, 128, 192)},
          "after first writes to volume and clone")
    rows, store = usage(node, "copy", "web")
    equal(list(rows), ["copy", "web"], "rows of those that are named")
    equal([store["objects"], store["bytes"], store["named"], store["garbageObjects"]], [6, data(node), data(node), 0], "the store")
    equal(rows["web"]["size"], 128 * MIB, "logical bytes")
    before, alone = data(node), rows["copy"]["exclusive"]
    node.vlmc("remove", "copy")
    await_(lambda: before - data(node) == alone, "the removal frees the clone's exclusive bytes")
    node.vlmc("remove", "web")
    await_(lambda: usage(node)[1]["objects"] == 3, "only the snapshot's objects are left")
    equal(figures(node), {"monday": ("snapshot", 192, 192, 0)}, "of what is left")
    node.vlmc("remove", "monday")
    rows, store = usage(node)
    equal([rows, store["garbageObjects"], store["garbage"], store["named"]], [{}, 3, 192 << 10, 0], "of garbage")
    check("3 objects that no map names take 192K: 'vlmc gc'" in node.vlmc("du", "--total").out, "du does not tell of garbage")


def test_images_share_what_is_equal(node):
    image, before = node.files + "/image", usage(node)[1]["garbage"]
    sparse_image(image, 64 * MIB, pieces=8, seed=random.random())
    node.vlmc("import", image, "first")
    first = figures(node)["first"]
    equal([first[0], first[1]], ["image", first[2]], "of one image")
    with open(image, "r+b") as f:
        f.seek(60 * MIB)
        f.write(b"another")
    node.vlmc("import", image, "second")
    both = figures(node)
    equal([both["first"][1], both["second"][0]], [first[1], "image"], "of the first one and the second")
    check(0 < both["second"][2] <= 4096 and both["first"][2] <= 4096 and both["first"][3] == both["second"][3], f"of two that differ in a block: {both}")
    node.vlmc("remove", "first")
    after, store = usage(node)
    equal(after["second"]["exclusive"], after["second"]["used"], "of the second alone")
    equal((store["garbage"] - before) >> 10, both["first"][2], "garbage is what was the first one's alone")
    equal(store["bytes"] - store["garbage"], store["named"], "all else is named")


def test_table_and_options(node):
    node.vlmc("create", "web", "--size", "1G")
    write(node, "web", 0)
    node.vlmc("snapshot", "web", "monday")
    lines = node.vlmc("du").lines()
    equal(lines[0].split(), "NAME TYPE SIZE USED EXCLUSIVE SHARED".split(), "headings")
    equal([line.split() for line in lines[1:]], [["monday", "snapshot", "1G", "64K", "0B", "64K"], ["web", "volume", "1G", "64K", "0B", "64K"]], "rows")
    equal(node.vlmc("du", "-t").lines()[3].split(), ["total", "2G", "64K", "0B", "64K"], "the total")
    equal(node.vlmc("du", "-n", "-b", "-o", "used,name", "web").out.split(), ["65536", "web"], "du -n -b -o")
    node.vlmc("du", "missing", code=None).complains(4, "missing", "vlmc list")
    node.vlmc("du", "-t", "web", code=None).complains(2, "--total")
    node.vlmc("du", "-o", "usd", code=None).complains(2, "did you mean used")


def test_what_cannot_be_read_is_listed(node):
    for name in "a", "b":
        node.vlmc("create", name, "--size", "64M")
        write(node, name, 0)
    [path] = [p for p in node.objects() if os.path.basename(p) == "vol-a"]
    with open(path, "r+b") as f:
        whole = f.read()
        f.seek(0)
        f.write(b"spoilt")
    result = node.vlmc("du", code=8)
    check("cannot be read" in result.err and [line.split()[:2] for line in result.lines()[1:]] == [["a", "damaged"], ["b", "volume"]], f"{result}")
    check("header" in node.vlmc("du", "-o", "name,problem", code=8).out, "the problem is not told")
    equal(node.vlmc("du", "--json", "b", code=8).json()["volumes"][0]["exclusive"], 64 << 10, "bytes of the sound one")
    with open(path, "r+b") as f:
        f.write(whole)
