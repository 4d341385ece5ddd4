# SPDX-License-Identifier: BSD-2-Clause
"""vlmc import and export."""
import os
import pty
import random
import subprocess
import time

from images import allocated, file_sum, sparse_image
from node import DIST, MIB, Node, await_, check, equal, note, tool

GIB = 1 << 30


def stored(node):
    return sum(allocated(path) for path in node.objects())


def test_raw_there_and_back(node):
    """A sparse image: the contents agree, and holes stay holes in the store and in the export."""
    image, back = node.files + "/image", node.files + "/back"
    sparse_image(image, GIB + 7 * 512, pieces=24, seed=random.random())
    node.vlmc("import", image, "image")
    info = node.vlmc("info", "--json", "image").json()
    equal(info["type"], "snapshot", "type of what was imported")
    check(GIB + 7 * 512 <= info["size"] <= GIB + 4096, f"size of what was imported: {info['size']}")
    node.expect_clean(lambda: [v for v in node.volumes() if v.startswith("@")], "by the import")
    check(stored(node) < allocated(image) + 6 * MIB, f"the store takes {stored(node)} bytes for an image of {allocated(image)}")
    node.vlmc("export", "image", back)
    equal(file_sum(back, GIB + 7 * 512), file_sum(image), "sum of the export")
    check(allocated(back) < allocated(image) + 6 * MIB, f"the export takes {allocated(back)} bytes, the image {allocated(image)}")


def test_export_passes_over_what_is_empty(node):
    """The time of an export is that of the data, not of the volume's size; the guests' socket cannot tell what is empty."""
    tib, back, places = 1 << 40, node.files + "/back", (0, (1 << 39) + 8 * MIB)
    node.vlmc("create", "large", "--size", "1T")
    node.vlmc("map", "large")
    writes = [word for at in places for word in ("-c", f"write -P 7 {at} 4M")]
    tool("qemu-io", "-f", "raw", *writes, "nbd:unix:" + node.socket("large"))
    extents = [tool("qemu-img", "map", "-f", "raw", "--output=json", "nbd:unix:" + socket).json()
               for socket in (node.socket("large"), node.image_socket("large"))]
    equal([(e["start"], e["length"]) for e in extents[0] if e["data"]], [(0, tib)], "data as the guests' socket tells it")
    equal([(e["start"], e["length"]) for e in extents[1] if e["data"]], [(at, 4 * MIB) for at in places], "data as the images' socket tells it")
    begun = time.monotonic()
    node.vlmc("export", "large", back)
    took = time.monotonic() - begun
    note(f"export of 1 TiB with 8 MiB of data: {took:.1f} s")
    check(took < 30, f"the export took {took:.0f} s")
    equal(os.stat(back).st_size, tib, "size of the export")
    check(allocated(back) < 16 * MIB, f"the export takes {allocated(back)} bytes")
    with open(back, "rb") as f:
        for at in places:
            f.seek(at)
            check(f.read(4 * MIB) == b"\7" * 4 * MIB, f"the export has other data at {at}")
    node.vlmc("unmap", "large")


def test_qcow2_there_and_back(node):
    raw, image, back = node.files + "/raw", node.files + "/image.qcow2", node.files + "/back.qcow2"
    sparse_image(raw, 256 * MIB, pieces=16, seed=random.random())
    tool("qemu-img", "convert", "-O", "qcow2", "-c", raw, image)
    node.vlmc("import", image, "image")
    node.vlmc("export", "image", back, "--format", "qcow2")
    tool("qemu-img", "compare", raw, back)
    tool("qemu-img", "check", back)
    check(allocated(back) < allocated(raw) + 6 * MIB, f"the export takes {allocated(back)} bytes, the image {allocated(raw)}")
    node.vlmc("create", "clone", "--snap", "image")
    node.vlmc("export", "clone", node.files + "/clone")
    tool("qemu-img", "compare", raw, node.files + "/clone")


def test_vmdk_and_vpc(node):
    """A vmdk of one file; a vpc of fixed size, which looks raw."""
    raw, vpc = sparse_image(node.files + "/raw", 16 * MIB, pieces=4, seed=3), node.files + "/fixed.vpc"
    node.vlmc("import", raw, "image")
    node.vlmc("export", "image", node.files + "/image.vmdk", "--format", "vmdk")
    node.vlmc("import", node.files + "/image.vmdk", "vmdk")
    tool("qemu-img", "convert", "-O", "vpc", "-o", "subformat=fixed,force_size=on", raw, vpc)
    node.vlmc("import", "--format", "vpc", vpc, "vpc")
    for name in ("vmdk", "vpc"):
        node.vlmc("export", name, node.files + "/back")
        equal(file_sum(node.files + "/back", 16 * MIB), file_sum(raw), f"sum of what was a {name}")


def test_import_is_an_origin_that_cannot_change(node):
    image = sparse_image(node.files + "/image", 8 * MIB, pieces=4, seed=1)
    node.vlmc("import", image, "image")
    node.vlmc("create", "clone", "--snap", "image")
    node.vlmc("map", "clone")
    tool("qemu-io", "-f", "raw", "-c", "write -P 7 0 8M", "nbd:unix:" + node.socket("clone"))
    device = node.vlmc("map", "image").out.strip()
    equal(tool("blockdev", "--getro", device).out.strip(), "1", "read-only flag of a snapshot's device")
    equal(file_sum(device), file_sum(image), "sum of the snapshot after its clone was written")
    for volume in ("image", "clone"):
        node.vlmc("unmap", volume)


def test_refusals(node):
    files = node.files
    sparse_image(files + "/base", 4 * MIB, pieces=1, seed=1)
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", files + "/base", files + "/overlay.qcow2")
    tool("qemu-img", "create", "-q", "-f", "qcow2", files + "/disk.qcow2", "4M")
    open(files + "/empty", "w").close()
    for name, head in (("/flat.vmdk", "version=1\nCID=ffffffff"), ("/odd.vmdk", "CID=ffffffff\nversion=1")):  # odd: looks raw
        with open(files + name, "w") as f:
            f.write(f'# Disk DescriptorFile\n{head}\nparentCID=ffffffff\ncreateType="monolithicFlat"\n\nRW 64 FLAT "{files}/base" 0\n\n'
                    'ddb.adapterType = "ide"\n')
    node.vlmc("import", files + "/base", "taken")
    before = node.volumes()
    for words, code, says in (
            (("import", files + "/missing", "new"), None, "missing"),
            (("import", files + "/base", "taken"), 6, "taken"),
            (("import", files + "/overlay.qcow2", "new"), None, "base"),
            (("import", files + "/flat.vmdk", "new"), 1, files + "/base"),
            (("import", "--format", "vmdk", files + "/flat.vmdk", "new"), 1, files + "/base"),
            (("import", "--format", "vmdk", files + "/odd.vmdk", "new"), 2, "raw"),
            (("import", "--format", "raw", files + "/disk.qcow2", "new"), 2, "qcow2"),
            (("import", "--format", "zip", files + "/base", "new"), 2, "zip"),
            (("import", files + "/empty", "new"), 2, "empty"),
            (("export", "missing", files + "/out"), 4, "missing"),
            (("export", "taken", files + "/no/such/folder/out"), None, "folder"),
            (("export", "--format", "zip", "taken", files + "/out"), 2, "zip")):
        result = node.vlmc(*words, code=None)
        check(result.code not in (0, 75), f"succeeded, or may be repeated: {result}")
        result.complains(result.code if code is None else code, says, most=3)
        equal(node.volumes(), before, f"volumes after {result.words}")


def test_import_into_a_full_store():
    """Nothing of it stays, though its volume cannot even be closed."""
    with Node(endpoint="none", store_mib=24) as node:
        node.start()
        node.vlmc("create", "other", "--size", "4M")
        image = node.files + "/image"
        with open(image, "wb") as f:
            f.write(random.randbytes(64 * MIB))
        node.vlmc("import", image, "image", code=None).must(1, 7)
        equal(node.volumes(), ["other"], "volumes after an import that found no space")
        node.vlmc("import", sparse_image(node.files + "/small", 4 * MIB, pieces=2, seed=1), "small")


def test_killed_daemon():
    """What an import and an export had for a moment goes when the daemon starts again."""
    with Node(endpoint="none") as node:
        node.start()
        image = node.files + "/image"
        with open(image, "wb") as f:
            f.write(random.randbytes(128 * MIB))
        node.vlmc("create", "disk", "--size", "512M")
        for words in (("import", image, "image"), ("export", "disk", node.files + "/out")):
            child = node.child([DIST + "/bin/vlmc", *words], stderr=subprocess.DEVNULL)
            await_(lambda: os.listdir(node.root + "/run/nbd") or child.poll() is not None, "the socket of an image's volume", pause=0.001)
            node.kill()
            child.wait()
            node.start()
            for folder in ("nbd", "img"):
                node.expect_clean(lambda at=f"{node.root}/run/{folder}": os.listdir(at), f"in run/{folder} by {words[0]}")
            node.expect_clean(lambda: [v for v in node.volumes() if v.startswith("@")], f"by {words[0]}")


def test_progress_on_a_terminal_only(node):
    """A terminal gets a progress bar, a file or pipe does not."""
    progress(node)


def test_progress_without_daemon():
    with Node(endpoint="none") as node:
        progress(node)


def progress(node):
    image, out = sparse_image(node.files + "/image", 64 * MIB, pieces=40, seed=2), node.files + "/out"
    for words, again in ((["import", image, "one"], ["import", image, "two"]), (["export", "one", out], ["export", "one", out])):
        piped = node.vlmc(*words)
        check("%" not in piped.out + piped.err, f"a progress bar in a pipe: {piped}")
        code, shown = on_terminal(node, again)
        equal(code, 0, f"exit code of {words[0]} on a terminal: {shown!r}")
        check(b"100.00/100%" in shown, f"no progress bar of {words[0]} on a terminal: {shown!r}")
    equal(node.volumes(), ["one", "two"], "volumes")
    equal(file_sum(out), file_sum(image), "sum of the export")


def on_terminal(node, words):
    """vlmc's exit code, and what it shows."""
    parent, terminal = pty.openpty()
    child = node.child([DIST + "/bin/vlmc", *words], stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    while True:
        try:
            shown += os.read(parent, 65536)
        except OSError:  # the other end is closed
            break
        if not shown:
            break
    os.close(parent)
    await_(lambda: child.poll() is not None, f"the end of {words}")
    return child.returncode, shown
