# SPDX-License-Identifier: BSD-2-Clause
"""Images to import, and the sums of what is in them."""
import hashlib
import os
import random

from node import MIB, tool


def sparse_image(path, size, pieces, seed):
    """A raw image with some random pieces of 64 KiB to 1 MiB in it, at any sector; the rest is a hole."""
    rng = random.Random(seed)
    with open(path, "wb") as f:
        f.truncate(size)
        for _ in range(pieces):
            length = rng.randrange(128, 2048) * 512
            f.seek(rng.randrange((size - length) // 512) * 512)
            f.write(rng.randbytes(length))
    return path


def file_system(path, mib, seed, files=40):
    """An ext4 file system of that size with real files in it; returns the sum of their names and contents."""
    rng, folder = random.Random(seed), path + ".d"
    for i in range(files):
        name = f"{folder}/folder{i % 5}/file {i}"
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "wb") as f:
            f.write(rng.randbytes(rng.randrange(1, 256 << 10)))
    tool("mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1,root_owner=0:0", "-d", folder, path, f"{mib}M")
    return tree_sum(folder)


def tree_sum(folder):
    """Of all files below a folder, by their names."""
    total = hashlib.sha256()
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f != "lost+found")
        for name in sorted(files):
            path = os.path.join(where, name)
            total.update(os.path.relpath(path, folder).encode() + b"\0" + file_sum(path).encode())
    return total.hexdigest()


def file_sum(path, length=None):
    """Of a file or device, or of its first bytes."""
    total = hashlib.sha256()
    with open(path, "rb") as f:
        left = length
        while left is None or left > 0:
            data = f.read(MIB if left is None else min(MIB, left))
            if not data:
                break
            total.update(data)
            left = None if left is None else left - len(data)
    return total.hexdigest()


def allocated(path):
    return os.stat(path).st_blocks * 512
