# SPDX-License-Identifier: BSD-2-Clause
"""A store that the original Archipelago left: its volumes are listed, read, cloned, exported as they are, and upgraded."""
import hashlib
import os
import random
import struct

from images import file_sum
from node import MIB, Node, check, equal, tool

BLOCK = 4 * MIB
NOTHING = hashlib.sha256(b"").hexdigest()


class OriginalStore:
    """Objects as the original's file blocker puts them."""

    def __init__(self, folder, hashed):
        self.folder, self.hashed = folder, hashed

    def put(self, name, contents):
        digits = hashlib.sha256(name.encode()).hexdigest() if self.hashed else name[len("archip_"):] if name.startswith("archip_") else name
        folder = os.path.join(self.folder, digits[0:2], digits[2:4], digits[4:6])
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name), "wb") as f:
            f.write(contents)
        os.chmod(os.path.join(folder, name), 0o644)
        return os.path.join(folder, name)


def entry(flags, name):
    """Of a map of format 2."""
    return struct.pack(">B", flags) + struct.pack("<I", len(name)) + name.encode().ljust(123, b"\0")


def merkle_root(hashes):
    while len(hashes) & len(hashes) - 1:
        hashes = hashes + [bytes(32)]
    while len(hashes) > 1:
        hashes = [hashlib.sha256(hashes[i] + hashes[i + 1]).digest() for i in range(0, len(hashes), 2)]
    return hashes[0].hex()


def lay_out(store, hashed):
    """An image, a volume of format 1, one of format 2 with a snapshot; returns their contents by their names."""
    blocks, maps = OriginalStore(store + "/blocks", hashed), OriginalStore(store + "/maps", hashed)
    contents = {}

    def block(length):
        return random.randbytes(length) + b"\1"

    image = [block(BLOCK // 2), b"", block(70000), block(BLOCK - 1)]
    hashes = [hashlib.sha256(b).digest() for b in image]
    for data in filter(None, image):
        blocks.put(hashlib.sha256(data).hexdigest(), data)
    root = merkle_root(hashes)
    maps.put(root, b"".join(hashes))
    contents[root] = b"".join(b.ljust(BLOCK, b"\0") for b in image)

    own = hashlib.sha256(b"archip_webserver_0").digest()
    written = block(100000)
    blocks.put("archip_" + own.hex(), written)
    maps.put("archip_webserver", struct.pack("<IQ", 1, 11 * MIB) + b"\1" + own + b"\0" + hashes[2] + b"\0" + hashes[1])
    contents["webserver"] = (written.ljust(BLOCK, b"\0") + image[2].ljust(BLOCK, b"\0")).ljust(11 * MIB, b"\0")

    old, new = block(9000), block(12345)
    blocks.put("database_%016x_%016x" % (1, 2), old)
    blocks.put("database_%016x_%016x" % (2, 2), new)
    for name, flags, epoch, second in (("database", 0, 2, entry(3, "database_%016x_%016x" % (2, 2))),
                                       ("db-monday", 1, 0, entry(2, "database_%016x_%016x" % (1, 2)))):
        maps.put(name, struct.pack(">IIQIIQ", 0x414D462E, 2, 12 * MIB, BLOCK, flags, epoch))
        maps.put(name + "_%016x" % 0, entry(0, hashes[0].hex()) + entry(4, NOTHING) + second)
        contents[name] = image[0].ljust(2 * BLOCK, b"\0") + (new if flags == 0 else old).ljust(BLOCK, b"\0")
    maps.put("gone-long", struct.pack(">IIQIIQ", 0x414D462E, 2, 0, BLOCK, 2, 7))
    return root, contents


def files_of_the_original(node):
    """Paths and contents of what it left."""
    return {p: file_sum(p) for p in node.objects() if len(os.path.relpath(p, node.store).split("/")[1]) == 2}


def expect(node, name, contents):
    node.vlmc("export", name, node.files + "/out")
    equal(file_sum(node.files + "/out"), hashlib.sha256(contents).hexdigest(), f"sum of {name}")


def old_node(hashed):
    node = Node()
    root, contents = lay_out(node.store, hashed)
    return node, root, contents


def test_volumes_of_the_original_are_used_as_they_are():
    """With both of its folder layouts."""
    for hashed in True, False:
        node, root, contents = old_node(hashed)
        with node:
            before = files_of_the_original(node)
            equal(len(before), 13, "files of the original")
            node.start()
            equal(node.volumes(), ["database", "db-monday", "webserver"], "volumes listed")
            for name in contents:
                equal(node.vlmc("info", "--json", name).json()["size"], len(contents[name]), f"size of {name}")
                expect(node, name, contents[name])
                check("blocks" in node.vlmc("mapinfo", name).out, "mapinfo")
                node.vlmc("verify", name)
            equal(node.vlmc("info", "-o", "format", root).out.split(":")[1].strip(), "original v0", "format of an image")
            node.vlmc("open", "webserver", code=None).complains(1, "webserver", "upgrade_original = True", "--snap webserver")
            node.vlmc("remove", "db-monday", code=None).complains(1, "db-monday", "original")
            node.vlmc("create", "database", "--size", "1G", code=None).complains(6, "database", "exists already")
            node.vlmc("create", "clone", "--snap", root, "--size", "32M")
            node.vlmc("map", "clone")
            tool("qemu-io", "-f", "raw", "-c", "write -P 7 65536 4096", "nbd:unix:" + node.socket("clone"))
            node.vlmc("unmap", "clone")
            node.vlmc("snapshot", "clone", "clone-snap")
            expect(node, "clone-snap", contents[root][:65536] + b"\7" * 4096 + contents[root][69632:] + bytes(16 * MIB))
            node.vlmc("remove", "clone")
            node.vlmc("remove", "clone-snap")
            for size in 12 * MIB, 16 * MIB + 1:
                node.hook("create", "disk", code=None, VOL_SIZE="16", EXTP_ORIGIN=root, EXTP_ORIGIN_SIZE=str(size)).complains(
                    2, root, "has 4 blocks", f"{size} bytes (origin_size)")
            node.hook("create", "disk", code=None, VOL_SIZE="14", EXTP_ORIGIN=root).complains(2, root, "cannot hold")
            node.hook("create", "disk", VOL_SIZE="14", EXTP_ORIGIN=root, EXTP_ORIGIN_SIZE=str(13 * MIB + 1))
            expect(node, "disk", contents[root][:14 * MIB])
            node.vlmc("remove", "disk")
            equal(files_of_the_original(node), before, "files of the original afterwards")


def test_volumes_are_upgraded_when_the_configuration_says_so():
    node, root, contents = old_node(hashed=True)
    with node:
        with open(node.conf) as f:
            text = f.read()
        node.configure(text.replace("'blockerm_port': 1002", "'blockerm_port': 1002, 'upgrade_original': True"))
        before = files_of_the_original(node)
        node.start()
        for name in "database", "webserver":
            node.vlmc("map", name)
            tool("qemu-io", "-f", "raw", "-c", "write -P 9 8388608 4096", "-c", "flush", "nbd:unix:" + node.socket(name))
            if name == "database":
                node.kill()
                node.start()
            equal(node.vlmc("info", "-o", "format", name).out.split(":")[1].strip(), "native", f"format of {name}")
            node.vlmc("unmap", name)
            contents[name] = contents[name][:2 * BLOCK] + bytes([9]) * 4096 + contents[name][2 * BLOCK + 4096:]
        for name in contents:
            expect(node, name, contents[name])
        node.vlmc("remove", "database")
        node.vlmc("rename", "webserver", "web")
        equal(node.volumes(), ["db-monday", "web"], "volumes listed")
        node.vlmc("remove", "web")
        equal(files_of_the_original(node), before, "files of the original afterwards")
