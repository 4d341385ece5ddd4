# SPDX-License-Identifier: BSD-2-Clause
"""Names, sizes and parameters that cannot be: one clear error each, and nothing has changed."""
import os
import random

from images import sparse_image
from node import MIB, check, equal

LONG = "n" * 80
BAD_NAMES = ("", "n" * 81, "n" * 5000, "a/b", "/etc/passwd", "..", ".", ".hidden", "../maps/vol-x", "-x", "a b", "a\nb", "a\x01b", "a\x1b[31mb", "a\x7f",
             "Größe", "a\\b", "a;b", "$(id)", "a,b", "a%b", "~", "*")
BAD_SIZES = ("0", "-1", "-5G", "0.0", "", "abc", "10X", "1e9", "0x10", "1.5.2", "99999999999999999999", "9" * 40, "65T", "1B", "nan",
             "inf", "1,5G", "10 000")


def state(node):
    """Everything that a failed command must leave as it was."""
    return [(path, os.stat(path).st_size) for path in node.objects()], sorted(os.listdir(node.root + "/run/nbd"))


def test_names(node):
    image = sparse_image(node.files + "/image", MIB, pieces=1, seed=1)
    node.vlmc("create", "good", "--size", "8")
    node.vlmc("snapshot", "good", "snap")
    before = state(node)
    for name in BAD_NAMES:
        for words in (("create", name, "--size", "8"), ("snapshot", "good", name), ("import", image, name), ("rename", "good", name),
                      ("create", "new", "--snap", name)):
            if name.startswith("-"):
                words = (words[0], *words[2:], "--", name) if words[1] == name else words
            if words == ("create", "new", "--snap", ""):
                continue  # as if it were not there
            node.vlmc(*words, code=None).complains(2)
        for words in (("info",), ("map",), ("open",), ("close",), ("lock",), ("unlock",), ("mapinfo",), ("remove",), ("resize", "--size", "9")):
            node.vlmc(*words, "--", name, code=None).complains(2)
        for action, orders in (("create", {"VOL_SIZE": "8"}), ("attach", {}), ("detach", {}), ("remove", {}), ("close", {}),
                               ("grow", {"VOL_NEW_SIZE": "16"}), ("setinfo", {"VOL_METADATA": "x"}), ("open", {"VOL_OPEN_EXCLUSIVE": "True"}),
                               ("snapshot", {"VOL_SNAPSHOT_NAME": "s"})):
            node.hook(action, name, code=None, **orders).complains(2)
        node.hook("snapshot", "good", code=None, VOL_SNAPSHOT_NAME=name).complains(2)
        if name:
            node.hook("create", "new", code=None, VOL_SIZE="8", EXTP_ORIGIN=name).complains(2)
    node.vlmc("create", "@mine", "--size", "8", code=None).complains(2, "@")
    node.hook("attach", None, code=None).complains(2, "VOL_NAME")
    equal(state(node), before, "the store and the sockets after refused names")


def test_longest_name(node):
    """80 characters, with the longest suffix that anybody puts behind a name, work everywhere."""
    node.hook("create", LONG, VOL_SIZE="8")
    device = node.attach(LONG)
    with open(device, "r+b", buffering=0) as f:
        f.write(b"x" * 4096)
    node.hook("snapshot", LONG, VOL_SNAPSHOT_NAME="s" * 80)
    node.hook("detach", LONG)
    node.vlmc("rename", LONG, "r" * 80)


def test_sizes(node):
    node.vlmc("create", "good", "--size", "8")
    node.vlmc("snapshot", "good", "snap")
    before = state(node)
    for size in BAD_SIZES:
        for words in (("create", "new", f"--size={size}"), ("create", "new", "--snap", "snap", f"--size={size}"), ("resize", "good", f"--size={size}")):
            if size == "" and words[0] == "create" and "--snap" in words:
                continue  # as if it were not there
            node.vlmc(*words, code=None).complains(2)
        node.hook("create", "new", code=None, VOL_SIZE=size).complains(2, "VOL_SIZE")
        node.hook("grow", "good", code=None, VOL_SIZE="8", VOL_NEW_SIZE=size).complains(2, "VOL_NEW_SIZE")
    for size in ("1G", "1.5", "8 ", " "):  # Ganeti gives whole MiB
        node.hook("create", "new", code=None, VOL_SIZE=size).complains(2, "VOL_SIZE")
    node.hook("create", "new", code=None).complains(2, "VOL_SIZE")
    node.vlmc("resize", "good", "--size", "4", code=None).complains(2, "good", "shrink")
    node.vlmc("create", "new", "--snap", "snap", "--size", "4", code=None).complains(2, "snap")
    equal(state(node), before, "the store after refused sizes")
    node.vlmc("create", "huge", "--size", "64T")
    equal(node.vlmc("info", "--json", "huge").json()["size"], 64 << 40, "size of the largest volume")
    device = node.attach("huge")
    with open(device, "r+b", buffering=0) as f:
        f.seek((64 << 40) - 4096)
        f.write(b"e" * 4096)
    node.hook("detach", "huge")


def test_grow_never_shrinks(node):
    node.vlmc("create", "good", "--size", "8")
    node.hook("grow", "good", code=None, VOL_SIZE="8", VOL_NEW_SIZE="4")
    equal(node.vlmc("info", "--json", "good").json()["size"], 8 * MIB, "size after a grow to less")


def test_origins(node):
    node.vlmc("create", "volume", "--size", "8")
    before = state(node)
    for origin, code in (("missing", 4), ("volume", 2), ("new", 4)):
        node.vlmc("create", "new", "--snap", origin, code=None).complains(code, origin)
        node.hook("create", "new", code=None, VOL_SIZE="8", EXTP_ORIGIN=origin).complains(code, origin)
    node.hook("create", "new", code=None, VOL_SIZE="8", EXTP_ORIGIN="").complains(2)
    equal(state(node), before, "the store after refused origins")


def test_clones_of_other_sizes(node):
    """Larger: zeros past the origin's end, also where that is in the middle of a block. Smaller: refused, and nothing is left."""
    for mib in (5, 8):
        name, data = f"disk{mib}", random.Random(mib).randbytes(mib * MIB)
        node.hook("create", name, VOL_SIZE=str(mib))
        device = node.attach(name)
        with open(device, "r+b", buffering=0) as f:
            f.write(data)
        node.hook("snapshot", name, VOL_SNAPSHOT_NAME=name + "-snap")
        node.hook("detach", name)
        before = state(node)
        for size in (1, mib - 1):
            node.hook("create", "small", code=None, VOL_SIZE=str(size), EXTP_ORIGIN=name + "-snap").complains(2, name + "-snap", str(mib * MIB))
        equal(state(node), before, "the store after refused clones")
        for size in (mib, mib + 1, 21):
            clone = f"clone{mib}-{size}"
            node.hook("create", clone, VOL_SIZE=str(size), EXTP_ORIGIN=name + "-snap")
            device, expected = node.attach(clone), data + bytes((size - mib) * MIB)
            with open(device, "r+b", buffering=0) as f:
                check(f.read(size * MIB + 1) == expected, f"{clone} is not its origin and zeros behind")
                f.seek(mib * MIB - 1000)
                f.write(b"w" * min(3000, (size - mib) * MIB + 1000))
            node.hook("detach", clone)
            expected = (expected[:mib * MIB - 1000] + b"w" * 3000 + expected[mib * MIB + 2000:])[:size * MIB]
            node.vlmc("export", clone, node.files + "/out")
            with open(node.files + "/out", "rb") as f:
                check(f.read() == expected, f"{clone} is not what was written over its origin's end")
        node.vlmc("export", name + "-snap", node.files + "/out")
        with open(node.files + "/out", "rb") as f:
            check(f.read() == data, f"{name}-snap has changed")


def test_names_that_are_taken(node):
    image = sparse_image(node.files + "/image", MIB, pieces=1, seed=1)
    node.vlmc("create", "one", "--size", "8")
    node.vlmc("create", "two", "--size", "8")
    node.vlmc("snapshot", "one", "snap")
    node.vlmc("map", "one")
    before = state(node)
    for words in (("create", "one", "--size", "8"), ("create", "snap", "--snap", "snap"), ("snapshot", "two", "one"), ("snapshot", "one", "snap"),
                  ("snapshot", "one", "one"), ("rename", "two", "snap"), ("import", image, "two")):
        node.vlmc(*words, code=None).complains(6, words[2] if words[0] != "create" else words[1])
    node.hook("create", "one", code=None, VOL_SIZE="8").complains(6, "one")
    node.hook("snapshot", "two", code=None, VOL_SNAPSHOT_NAME="snap").complains(6, "snap")
    after = state(node)
    equal([p for p, _ in after[0] if "/vol-" in p], [p for p, _ in before[0] if "/vol-" in p], "volumes after refused names")
    node.vlmc("unmap", "one")


def test_mapped_volumes_stay(node):
    node.vlmc("create", "disk", "--size", "8")
    device = node.attach("disk")
    with open(device, "r+b", buffering=0) as f:
        f.write(b"x" * 4096)
    node.vlmc("remove", "disk", code=None).complains(5, "disk", device)
    node.hook("remove", "disk", code=None).complains(5, "disk", device)
    node.vlmc("rename", "disk", "other", code=None).complains(5, "disk", device)
    with open(device, "rb", buffering=0) as f:
        equal(f.read(4096), b"x" * 4096, "data after a refused removal")
        node.hook("detach", "disk", code=None).complains(5, device, most=3)  # somebody has it open
        node.vlmc("unmap", "disk", code=None).complains(5, device, most=3)
    node.hook("detach", "disk")


def test_snapshots_cannot_be_written(node):
    node.vlmc("create", "disk", "--size", "8")
    node.vlmc("snapshot", "disk", "snap")
    for words in (("resize", "snap", "--size", "16"), ("open", "snap")):
        node.vlmc(*words, code=None).complains(1, "snap")
    device = node.attach("snap")
    try:
        with open(device, "r+b", buffering=0) as f:
            f.write(b"x" * 4096)
            os.fsync(f.fileno())
        check(False, "a snapshot's device was written")
    except OSError:
        pass
    node.hook("detach", "snap")


def test_parameters(node):
    node.hook("create", "new", code=None, VOL_SIZE="8", EXTP_ORIGN="x").complains(2, "orign", "did you mean origin")
    node.hook("create", "new", code=None, VOL_SIZE="8", EXTP_REPLICAS="3").complains(2, "replicas", "origin")
    equal(node.volumes(), [], "volumes")
    node.hook("create", "new", VOL_SIZE="8", EXTP_PROVIDER="archipelago", EXTP_ACCESS="userspace")
    node.hook("attach", "new", EXTP_ORIGN="x", EXTP_REPLICAS="3")  # they stay on the disk for ever: create alone looks at them
    node.hook("open", "new", code=None, VOL_OPEN_EXCLUSIVE="yes").complains(2, "VOL_OPEN_EXCLUSIVE")
    node.hook("open", "new", code=None).complains(2, "VOL_OPEN_EXCLUSIVE")
    node.hook("setinfo", "new", VOL_METADATA="originstname+" + "x" * 5000 + "\x1b[31m\n")
    check("\x1b" not in node.vlmc("info", "new").out, "info prints control characters")
    node.hook("detach", "new")


def test_missing_volumes(node):
    for words in (("info",), ("map",), ("open",), ("lock",), ("mapinfo",), ("remove",), ("snapshot", "--", "missing", "s"), ("rename", "--", "missing", "s"),
                  ("resize", "--size", "9"), ("export", "--", "missing", "/dev/null")):
        node.vlmc(*words, *([] if "--" in words else ["missing"]), code=None).complains(4, "missing")
    for action, orders in (("attach", {}), ("grow", {"VOL_NEW_SIZE": "16"}), ("setinfo", {"VOL_METADATA": "x"}),
                           ("open", {"VOL_OPEN_EXCLUSIVE": "True"}), ("snapshot", {"VOL_SNAPSHOT_NAME": "s"})):
        node.hook(action, "missing", code=None, **orders).complains(4, "missing")
    node.hook("detach", "missing")
