# SPDX-License-Identifier: BSD-2-Clause
"""An instance's disk from its image to its removal, as Ganeti does it and as people do it."""
import hashlib
import os
import random
import shutil

from images import file_sum, file_system, sparse_image, tree_sum
from node import DIST, MIB, SCRIPTS, check, equal, note, tool


class Mounted:
    """with Mounted(node, device) as folder"""

    def __init__(self, node, device, *options):
        self.folder, self.device, self.options = node.root + "/mnt", device, options

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        tool("mount", *self.options, self.device, self.folder)
        return self.folder

    def __exit__(self, *_):
        tool("umount", self.folder)


def imported(node, mib=64):
    """Imports a file system; returns its files' sum."""
    image = node.files + "/image"
    total = file_system(image, mib, seed=1)
    node.vlmc("import", image, "image")
    return total


def write_file(folder, name, seed, length):
    with open(f"{folder}/{name}", "wb") as f:
        f.write(random.Random(seed).randbytes(length))
        f.flush()
        os.fsync(f.fileno())


def may_resize_mounted():
    """CAP_SYS_RESOURCE, which ext4 asks for."""
    with open("/proc/self/status") as f:
        return int(next(line for line in f if line.startswith("CapEff:")).split()[1], 16) >> 24 & 1 == 1


def size_of(device):
    return int(tool("blockdev", "--getsize64", device).out)


def test_provider_is_complete():
    """Ganeti looks at all files of a provider before each action."""
    folder = DIST + "/extstorage/archipelago/"
    for script in SCRIPTS:
        check(os.path.isfile(os.path.realpath(folder + script)) and os.access(folder + script, os.X_OK), f"{script} is no program")
    with open(folder + "parameters.list") as f:
        equal([line.split()[0] for line in f if line.strip()], ["origin", "origin_size"], "parameters.list")


def test_by_hooks(node):
    original = imported(node)
    vm, clone = "0a1b.ext.disk0", "2c3d.ext.disk0"
    node.hook("create", vm, VOL_SIZE="128", EXTP_ORIGIN="image")
    device = node.attach(vm)
    node.hook("open", vm, VOL_OPEN_EXCLUSIVE="True", EXTP_ORIGIN="image")
    node.hook("setinfo", vm, VOL_METADATA="originstname+vm1.example.com")
    check("vm1.example.com" in node.vlmc("info", vm).out, "info does not show what setinfo noted")
    equal(node.vlmc("info", "--json", vm).json()["metadata"]["ganeti.instance"], "vm1.example.com", "noted instance")
    equal(size_of(device), 128 * MIB, "bytes of the device")
    tool("e2fsck", "-fp", device)
    tool("resize2fs", device)
    with Mounted(node, device) as folder:
        equal(tree_sum(folder), original, "sum of the image's files, through the volume")
        write_file(folder, "data", 2, 20 * MIB)
        written = tree_sum(folder)
        node.hook("snapshot", vm, VOL_SNAPSHOT_NAME=vm + ".snap", VOL_SNAPSHOT_SIZE="128")
        write_file(folder, "data", 3, 5 * MIB)
        newer = tree_sum(folder)
        node.hook("grow", vm, VOL_SIZE="128", VOL_NEW_SIZE="192")
        equal(size_of(device), 192 * MIB, "bytes of the device after grow, while mounted")
        if may_resize_mounted():
            tool("resize2fs", device)
            check(os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize > 150 * MIB, "the file system did not grow while mounted")
    if not may_resize_mounted():
        note("no CAP_SYS_RESOURCE here: the file system was grown while it was not mounted")
        tool("e2fsck", "-fp", device)
        tool("resize2fs", device)
    with Mounted(node, device) as folder:
        write_file(folder, "more", 4, 90 * MIB)
        newest = tree_sum(folder)
    node.hook("create", clone, VOL_SIZE="128", EXTP_ORIGIN=vm + ".snap")
    of_clone = node.attach(clone)
    check(of_clone != device, "two volumes on one device")
    snapshot = node.attach(vm + ".snap")  # Ganeti attaches and opens it to export it
    node.hook("open", vm + ".snap", VOL_OPEN_EXCLUSIVE="True")
    at_snapshot = file_sum(snapshot)
    equal(file_sum(of_clone), at_snapshot, "sum of the clone's device, and of the snapshot's")
    with Mounted(node, of_clone) as folder:
        equal(tree_sum(folder), written, "sum of the clone's files, as they were at the snapshot")
        write_file(folder, "own", 5, 3 * MIB)
    equal(file_sum(snapshot), at_snapshot, "sum of the snapshot after its clone was written")
    node.hook("detach", vm + ".snap")
    for volume in (clone, vm):
        node.hook("detach", volume)
    with Mounted(node, node.attach(vm)) as folder:
        equal(tree_sum(folder), newest, "sum of the volume's files, attached again")
        check(newest != newer and newer != written, "the test wrote nothing")
    tool("e2fsck", "-fn", node.attach(vm))
    node.hook("detach", vm)
    for volume in (clone, vm + ".snap", vm, "image"):
        node.hook("remove", volume)
    equal(node.volumes(), [], "volumes")


def test_by_vlmc(node):
    original = imported(node)
    node.vlmc("create", "web", "--snap", "image", "--size", "128")
    device = node.vlmc("map", "web").out.strip()
    node.vlmc("open", "web")
    tool("e2fsck", "-fp", device)
    with Mounted(node, device) as folder:
        equal(tree_sum(folder), original, "sum of the image's files")
        write_file(folder, "data", 2, 9 * MIB)
        written = tree_sum(folder)
        node.vlmc("snapshot", "web", "monday")
        os.unlink(folder + "/data")
    node.vlmc("resize", "web", "--size", "160M")
    equal(size_of(device), 160 * MIB, "bytes of the device after resize")
    node.vlmc("create", "copy", "--snap", "monday")
    with Mounted(node, node.vlmc("map", "copy").out.strip()) as folder:
        equal(tree_sum(folder), written, "sum of the clone's files")
    mapped = {m["volume"]: m for m in node.vlmc("showmapped", "--json").json()["mapped"]}
    equal(sorted(mapped), ["copy", "web"], "mapped volumes")
    equal(mapped["web"]["device"], device, "device of web in showmapped")
    node.vlmc("unmap", device)
    node.vlmc("unmap", "copy")
    check("No volumes mapped" in node.vlmc("showmapped").out, "showmapped of nothing")
    node.vlmc("rename", "copy", "copy2")
    node.vlmc("info", "copy", code=4)
    node.vlmc("lock", "copy2")
    check("this node" in node.vlmc("list", "-o", "name,lock").out, "list does not show the lock")
    node.vlmc("close", "copy2")
    node.vlmc("unlock", "copy2")
    check("this node" not in node.vlmc("list", "-o", "name,lock").out, "list shows a lock that is gone")
    for name in ("image", "monday", "copy2", "web"):
        node.vlmc("remove", name)


def test_order_of_ganeti(node):
    """What Ganeti calls twice, or without need, succeeds; a migration's order on one node."""
    node.vlmc("create", "disk", "--size", "64")
    node.hook("close", "disk")                                # a migration begins with it on the target
    device = node.attach("disk")
    equal(node.attach("disk"), device, "device of the second attach")
    node.hook("close", "disk")
    for exclusive in ("True", "True", "False", "True", "False"):
        node.hook("open", "disk", VOL_OPEN_EXCLUSIVE=exclusive)
    node.hook("close", "disk")
    node.hook("close", "disk")
    node.hook("open", "disk", VOL_OPEN_EXCLUSIVE="True")
    node.hook("detach", "disk")
    node.hook("detach", "disk")
    node.hook("grow", "disk", VOL_SIZE="64", VOL_NEW_SIZE="80")  # of a stopped instance
    equal(size_of(node.attach("disk")), 80 * MIB, "bytes after grow while detached")
    node.hook("grow", "disk", VOL_SIZE="80", VOL_NEW_SIZE="80")
    node.hook("detach", "disk")
    equal(node.vlmc("info", "-o", "holder", "disk").out.split(), ["holder:"], "holder after detach")
    node.hook("remove", "disk")
    node.hook("remove", "disk")                               # repeated by Ganeti for up to 30 s


def test_verify(node):
    lines = node.hook("verify", "any").lines()
    check(lines and all(line.startswith("ok ") for line in lines), "verify of a sound node does not say ok everywhere")
    node.vlmc("create", "sound", "--size", "8")
    script = DIST + "/extstorage/archipelago/verify"
    node.call([script, "sound"]).must(0)
    result = node.call([script, "sound", "missing"]).must(4)
    check("missing" in result.out + result.err, "verify does not name the volume that is missing")


def test_device_is_written_through(node):
    """What is written to the device is what the socket reads, and the other way."""
    node.vlmc("create", "disk", "--size", "16")
    device = node.attach("disk")
    uri = "nbd:unix:" + node.socket("disk")
    with open(device, "r+b", buffering=0) as f:
        f.write(b"\x5a" * MIB)
        os.fsync(f.fileno())
    tool("qemu-io", "-f", "raw", "-c", "read -P 0x5a 0 1M", "-c", "write -P 0xa5 1M 1M", "-c", "discard 0 1M", uri)
    tool("blockdev", "--flushbufs", device)
    equal(file_sum(device, 2 * MIB), hashlib.sha256(bytes(MIB) + b"\xa5" * MIB).hexdigest(), "sum of the device")
    node.hook("detach", "disk")


def test_removed_volume_gives_its_space_back(node):
    before = node.objects()
    node.vlmc("create", "disk", "--size", "64")
    tool("qemu-io", "-f", "raw", "-c", "write -P 1 0 64M", "nbd:unix:" + node.socket("disk"), code=1)  # not mapped: no socket
    node.vlmc("map", "disk")
    tool("qemu-io", "-f", "raw", "-c", "write -P 1 0 64M", "nbd:unix:" + node.socket("disk"))
    check(len(node.objects()) >= len(before) + 16, "the volume has no objects")
    node.vlmc("unmap", "disk")
    node.vlmc("remove", "disk")
    node.expect_clean(lambda: sorted(set(node.objects()) - set(before)), "in the store")


def test_read_again_from_the_disk(node):
    """A device says the same each time it is summed, with nothing of the volume in memory."""
    if not os.access("/proc/sys/vm/drop_caches", os.W_OK):
        note("the page cache of the store stays: /proc/sys/vm/drop_caches cannot be written here")
    raw = node.files + "/raw"
    image = sparse_image(node.files + "/image", 64 * MIB, pieces=40, seed=random.random())
    shutil.copy(image, raw)
    node.vlmc("import", image, "image")
    node.hook("create", "disk", VOL_SIZE="64", EXTP_ORIGIN="image")
    device = node.attach("disk")
    for path in (raw, device):
        with open(path, "r+b") as f:  # over the image's pieces and holes
            for place in range(0, 64, 3):
                f.seek(place * MIB + 5 * 4096)
                f.write(random.Random(place).randbytes(40 * 4096))
            f.flush()
            os.fsync(f.fileno())
    expected = file_sum(raw)
    for i in range(10):
        tool("sync", "-f", node.store)  # what is dirty is not dropped
        drop_caches()
        tool("blockdev", "--flushbufs", device)
        equal(file_sum(device), expected, f"sum of the device, time {i + 1}")
    node.hook("detach", "disk")


def drop_caches():
    try:
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("1")
    except OSError:
        pass
