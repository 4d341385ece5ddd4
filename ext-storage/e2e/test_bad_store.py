# SPDX-License-Identifier: BSD-2-Clause
"""A store that is full, read-only, or away."""
import contextlib
import errno
import os
import random

import nbd
from images import sparse_image
from node import MIB, Node, check, equal, tool


class Pages:
    """What was written to a volume and acknowledged, MiB by MiB."""

    def __init__(self, node, volume):
        self.path, self.volume, self.seeds = node.socket(volume), volume, {}

    def write(self, number, seed=None):
        seed = random.randrange(1 << 30) if seed is None else seed
        with nbd.Client(self.path, self.volume) as client:
            client.write(number * MIB, random.Random(seed).randbytes(MIB))
        self.seeds[number] = seed

    def check(self, when):
        with nbd.Client(self.path, self.volume) as client:
            for number, seed in self.seeds.items():
                check(client.read(number * MIB, MIB) == random.Random(seed).randbytes(MIB),
                      f"MiB {number} of {self.volume} is not what was written and acknowledged, {when}")


def fill(pages, most):
    """Writes until the store is full; the client is told ENOSPC."""
    for number in range(most):
        try:
            pages.write(number)
        except nbd.NbdError as e:
            equal(errno.errorcode.get(e.number), "ENOSPC", "error for a write to a full store")
            return number
    check(False, "the store never gets full")


def write_until_full(path):
    """A file that leaves no page of its file system."""
    with open(path, "wb", buffering=0) as f:
        try:
            while f.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass


def test_full_store():
    """Writes fail with ENOSPC, reads go on, nothing that was acknowledged is lost, and space that is freed heals it."""
    with Node(endpoint="none", store_mib=48) as node:
        node.start()
        for volume in ("disk", "other"):
            node.vlmc("create", volume, "--size", "256M")
            node.vlmc("map", volume)
        disk, other = Pages(node, "disk"), Pages(node, "other")
        for number in range(8):
            other.write(number)
        full = fill(disk, 256)
        for pages in (disk, other):
            pages.check("while the store is full")
        rewritten = random.choice(sorted(disk.seeds))
        disk.write(rewritten)  # takes no space
        before = node.volumes()
        image = sparse_image(node.files + "/image", 16 * MIB, pieces=24, seed=1)
        node.vlmc("import", image, "image", code=None).complains(7, most=3)
        equal(node.volumes(), before, "volumes after an import that failed")
        node.vlmc("list")
        node.vlmc("unmap", "other")
        node.vlmc("remove", "other")  # how space is freed
        node.expect_clean(lambda: [p for p in node.objects() if os.stat(p).st_size == 0], "with nothing in it")
        disk.write(full)
        disk.check("after space was freed")
        node.kill()
        node.start()
        disk.check("after the store was full and the daemon was killed")
        disk.write(full + 1)
        node.vlmc("unmap", "disk")
        node.vlmc("remove", "disk")


def test_full_to_the_last_byte():
    """Not even a map's page fits: create and snapshot fail as a whole."""
    with Node(endpoint="none", store_mib=16) as node:
        node.start()
        for volume in ("closed", "disk"):
            node.vlmc("create", volume, "--size", "64M")
        node.vlmc("map", "disk")
        disk = Pages(node, "disk")
        disk.write(0)
        filler = node.store + "/filler"
        write_until_full(filler)
        before = node.objects()
        node.vlmc("create", "new", "--size", "8", code=None).complains(7)
        node.hook("create", "new", code=None, VOL_SIZE="8").complains(7)
        node.vlmc("snapshot", "disk", "snap", code=None).complains(7)
        node.vlmc("snapshot", "closed", "snap", code=None).complains(7)
        for volume in ("closed", "disk"):
            node.vlmc("resize", volume, "--size", "128M", code=None).complains(7)
            node.hook("grow", volume, code=None, VOL_SIZE="64", VOL_NEW_SIZE="128").complains(7)
            equal(node.vlmc("info", "--json", volume).json()["size"], 64 * MIB, f"size of {volume} after a grow that failed")
        equal(node.volumes(), ["closed", "disk"], "volumes")
        check(set(node.objects()) <= set(before), f"left over: {set(node.objects()) - set(before)}")
        disk.check("while the store is full")
        os.unlink(filler)
        disk.write(1)
        for volume in ("closed", "disk"):
            node.hook("grow", volume, VOL_SIZE="64", VOL_NEW_SIZE="128")
            node.vlmc("snapshot", volume, volume + "-snap")
        disk.check("after space was freed")
        node.vlmc("unmap", "disk")


def refused(call, *arguments):
    """Whether an I/O fails for want of space; it must not fail otherwise."""
    try:
        call(*arguments)
        return False
    except nbd.NbdError as e:
        equal(errno.errorcode.get(e.number), "ENOSPC", "error on a full store")
        return True


@contextlib.contextmanager
def filled(folder):
    """No byte is left."""
    filler = folder + "/tmp/filler"
    write_until_full(filler)
    try:
        yield
    finally:
        os.unlink(filler)


def one_store_is_full(folder):
    with Node(endpoint="none", store_mib=(64, 8)) as node:
        node.start()
        image = sparse_image(node.files + "/image", 8 * MIB, pieces=4, seed=1)
        for volume in ("disk", "closed", "spare"):
            node.vlmc("create", volume, "--size", "64M")
            node.vlmc("map", volume)
        disk, closed, spare = (Pages(node, volume) for volume in ("disk", "closed", "spare"))
        for number in (0, 1, 4):
            for pages in (disk, closed, spare):
                pages.write(number)
        node.vlmc("snapshot", "disk", "snap")
        node.vlmc("snapshot", "spare", "spare-snap")
        node.vlmc("create", "clone", "--snap", "snap", "--size", "96M")
        disk.write(5)
        node.vlmc("unmap", "closed")
        node.vlmc("unmap", "spare")
        words = [("create", "new", "--size", "8"), ("create", "new2", "--snap", "snap"), ("snapshot", "disk", "s2"), ("snapshot", "closed", "s3"),
                 ("rename", "closed", "other"), ("rename", "other", "closed"), ("resize", "disk", "--size", "80M"), ("resize", "closed", "--size", "80M"),
                 ("hash", "snap"), ("import", image, "image"), ("verify", "snap"), ("check", "disk"), ("check", "--repair", "disk"), ("gc",),
                 ("open", "closed"), ("close", "closed"), ("lock", "closed"), ("unlock", "closed"), ("du",)]
        hooks = [("setinfo", "disk", {"VOL_METADATA": "originstname+x"}), ("grow", "disk", {"VOL_SIZE": "80", "VOL_NEW_SIZE": "96"}),
                 ("snapshot", "disk", {"VOL_SNAPSHOT_NAME": "s4"})]
        failed = []
        with filled(f"{node.store}/{folder}"):
            for command in words:
                before = node.volumes()
                result = node.vlmc(*command, code=None)
                if result.code != 0 and command != ("rename", "other", "closed"):
                    if command[0] == "import" and result.code == 1:
                        check("No space left" in result.err, f"qemu-img does not say why: {result}")
                    else:
                        result.complains(7, most=3)
                        check(node.store in result.err or "store of" in result.err, f"the store is not named: {result}")
                    equal(node.volumes(), before, f"volumes after {command} that failed")
                    failed.append(command)
            for action, volume, orders in hooks:
                result = node.hook(action, volume, code=None, **orders)
                if result.code != 0:
                    result.complains(7, most=3)
                    failed.append(action)
            with nbd.Client(disk.path, "disk") as client:
                refused(client.write, 20 * MIB, b"x" * MIB)  # into a block of its own
                refused(client.flush)
                refused(client.trim, 24 * MIB, 4 * MIB)
                refused(client.command, nbd.WRITE_ZEROES, 24 * MIB, 65536)
            disk.check(f"while the store of {folder} is full")
            node.vlmc("remove", "spare-snap")  # what frees space needs none
            node.vlmc("remove", "spare")
            node.kill()
            node.start()
            disk.check(f"after a kill while the store of {folder} is full")
        check(failed, "nothing failed: the store was not full")
        with nbd.Client(disk.path, "disk") as client:
            client.flush()
            client.trim(24 * MIB, 4 * MIB)
        there = set(node.volumes())
        for command in words:
            if command in failed and command[0] != "rename" and not (command[0] in ("create", "import") and command[-1] in there):
                node.vlmc(*command)
        for action, volume, orders in hooks:
            if action in failed:
                node.hook(action, volume, **orders)
        node.vlmc("gc")
        disk.check("when there is space again")
        for volume in node.volumes():
            result = node.vlmc("check", volume)
            check("lost" not in result.out and "mend" not in result.out, f"not clean: {result}")
        node.vlmc("map", "closed")
        closed.check("when there is space again")
        closed.write(9)
        for volume in ("disk", "closed"):
            node.vlmc("unmap", volume)
        for volume in node.volumes():
            node.vlmc("remove", volume)
        node.expect_clean(lambda: [p for p in node.objects() if "/id-" in p], "of what was removed")
        node.vlmc("gc")
        equal(node.objects(), [], "objects when all volumes are gone")


def test_full_blocks():
    """Only the store of data is full: of each operation all or nothing, and nothing is left over."""
    one_store_is_full("blocks")


def test_full_maps():
    """Only the store of maps is."""
    one_store_is_full("maps")


def test_read_only_at_the_start():
    with Node(endpoint="none", store_mib=16) as node:
        tool("mount", "-o", "remount,ro", node.store)
        node.archipelago("start", code=None).complains(9, node.store, "not writable", most=3)
        check(not node.running(), "it runs")
        tool("mount", "-o", "remount,rw", node.store)
        node.start()


def test_read_only_while_running():
    """Reads go on; what cannot be done is told; it heals."""
    with Node(endpoint="none", store_mib=64) as node:
        node.start()
        node.vlmc("create", "disk", "--size", "64M")
        node.vlmc("map", "disk")
        disk = Pages(node, "disk")
        for number in range(0, 16, 4):
            disk.write(number)
        tool("mount", "--bind", node.store, node.store)
        tool("mount", "-o", "remount,bind,ro", node.store)
        try:
            disk.check("while the store is read-only")
            result = node.vlmc("create", "new", "--size", "8", code=None)
            result.complains(result.code, "ead-only")
            check(result.code not in (0, 75), f"may not be repeated: {result}")
            for number in (17, 21, 25):
                try:
                    disk.write(number)
                    check(False, "a write to a new block of a read-only store was acknowledged")
                except nbd.NbdError as e:
                    check(e.number in (errno.EPERM, errno.EIO, errno.EROFS), f"error {e.number} for a write to a read-only store")
            node.vlmc("list")
        finally:
            tool("mount", "-o", "remount,bind,rw", node.store)
        for number in (17, 0, 25, 60):
            disk.write(number)
        disk.check("after the store could be written again")
        equal(node.volumes(), ["disk"], "volumes")
        node.vlmc("create", "new", "--size", "8")
        node.vlmc("unmap", "disk")


def test_folder_moved_away_while_running():
    """What needs the folder fails as an I/O error and says of which object; what does not goes on; all is well when it is back."""
    with Node(endpoint="none") as node:
        node.start()
        node.vlmc("create", "disk", "--size", "64M")
        node.vlmc("map", "disk")
        disk = Pages(node, "disk")
        disk.write(0)
        with moved_away(node, "maps"):
            for words, says in ((("create", "new", "--size", "8"), "vol-new"), (("info", "disk"), "vol-disk"), (("open", "disk"), "lock-")):
                node.vlmc(*words, code=None).complains(8, says, "input/output error")
            listed = node.vlmc("list", code=8)
            check(f"the store in {node.store}/maps has gone" in listed.err, f"list does not name the store: {listed}")
            try:
                disk.write(10)
                check(False, "a client was let in although the volume's header cannot be read")
            except nbd.NbdError as e:
                check(e.number > 1 << 31, f"error {e.number}, and a refusal was expected")
        disk.check("after the folder of maps was away")
        disk.write(30)
        with moved_away(node, "blocks"):
            equal(node.vlmc("info", "--json", "disk").json()["size"], 64 * MIB, "size in info")
            node.vlmc("create", "other", "--size", "8")
            try:
                disk.write(20)
                check(False, "a write was acknowledged although there is nowhere to write")
            except nbd.NbdError as e:
                equal(errno.errorcode.get(e.number), "EIO", "error of a write")
        disk.check("after the folder of blocks was away")
        for number in (10, 20, 31):
            disk.write(number)
        disk.check("after both folders were away")
        equal(node.volumes(), ["disk", "other"], "volumes")
        node.vlmc("create", "new", "--size", "8")
        node.vlmc("unmap", "disk")


@contextlib.contextmanager
def moved_away(node, folder):
    os.rename(f"{node.store}/{folder}", f"{node.store}/away")
    try:
        yield
    finally:
        os.rename(f"{node.store}/away", f"{node.store}/{folder}")
