# SPDX-License-Identifier: BSD-2-Clause
"""Snapshots of a volume under load: each is the volume at one moment, no writer waits long for it, and a killed daemon costs none."""
import struct
import threading
import time

import nbd
from node import Node, check, equal, note

BLOCK = 4096
BLOCKS = 2048  # that are written, 8 MiB in two blocks of the volume
SNAPSHOTS = 12


class Writer:
    """Writes the numbers 1, 2, 3 ... to one 4 KiB block after another, strided, one write at a time; flushes now and then."""

    def __init__(self, path, flush_every):
        self.path, self.flush_every = path, flush_every
        self.count, self.longest, self.error, self.stop = 0, 0.0, None, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            with nbd.Client(self.path, "disk") as client:
                while not self.stop:
                    begun = time.monotonic()
                    client.write(place(self.count + 1) * BLOCK, struct.pack("<Q", self.count + 1) * (BLOCK // 8))
                    self.longest = max(self.longest, time.monotonic() - begun)
                    self.count += 1
                    if self.count % self.flush_every == 0:
                        client.flush()
        except (OSError, nbd.NbdError) as e:
            self.error = e

    def end(self):
        self.stop = True
        self.thread.join(30)
        check(self.error is None, f"the writer failed: {self.error}")


def place(number):
    return number * 37 % BLOCKS


def moment(node, volume):
    """How many writes the volume has; it must have all before and none after."""
    held = {}
    with nbd.Client(node.socket(volume), volume) as client:
        for first in range(0, BLOCKS, 64):
            data = client.read(first * BLOCK, 64 * BLOCK)
            for i in range(64):
                block = data[i * BLOCK:(i + 1) * BLOCK]
                check(block == block[:8] * (BLOCK // 8), f"{volume}: block {first + i} is torn")
                held[first + i] = struct.unpack("<Q", block[:8])[0]
    last = max(held.values())
    for number in range(max(1, last - BLOCKS + 1), last + 1):
        equal(held[place(number)], number, f"write held by block {place(number)} of {volume}, whose last one is {last}")
    check(sum(number > 0 for number in held.values()) == min(last, BLOCKS), f"{volume} holds blocks that were not written yet")
    return last


def test_moments():
    """Snapshots in a row under a writer: each holds all writes up to one and none behind it."""
    with Node(endpoint="none") as node:
        node.start()
        node.vlmc("create", "disk", "--size", "64")
        node.vlmc("map", "disk")
        node.vlmc("open", "disk")
        writer = Writer(node.socket("disk"), 500)
        before = []
        for i in range(SNAPSHOTS):
            time.sleep(0.1)
            answered = writer.count
            node.vlmc("snapshot", "disk", f"s{i}")
            before.append((answered, writer.count))
        writer.end()
        note(f"{writer.count} writes across {SNAPSHOTS} snapshots, the longest took {writer.longest * 1000:.0f} ms")
        for i, (answered, after) in enumerate(before):
            node.vlmc("map", f"s{i}")
            last = moment(node, f"s{i}")
            check(answered <= last <= after + 1, f"s{i} has {last} writes; {answered} were answered before it began, {after} when it was made")
            node.vlmc("unmap", f"s{i}")
        equal(moment(node, "disk"), writer.count, "writes that the volume holds")
        node.kill()
        node.start()
        node.vlmc("map", "disk")
        equal(moment(node, "disk"), writer.count, "writes that the volume holds after a kill")
        node.vlmc("unmap", "disk")
        for volume in ["disk"] + [f"s{i}" for i in range(SNAPSHOTS)]:
            node.vlmc("remove", volume)
