# SPDX-License-Identifier: BSD-2-Clause
"""Who may write a volume: two nodes over one store; when the lease is taken, given back, and broken."""
import contextlib
import os

import nbd
from node import MIB, Node, check, equal


@contextlib.contextmanager
def two_nodes(endpoint="none"):
    with Node(endpoint=endpoint) as one, Node(endpoint=endpoint, store=one.store) as other:
        one.start()
        other.start()
        one.vlmc("create", "disk", "--size", "16")
        yield one, other
        for node in (one, other):
            node.vlmc("unmap", "disk", code=None).must(0, 4)
        other.vlmc("unlock", "-f", "disk")
        other.vlmc("remove", "disk")


def write(node, text):
    with nbd.Client(node.socket("disk"), "disk") as client:
        client.write(0, text * 4096)
        client.flush()


def first_byte(node):
    with nbd.Client(node.socket("disk"), "disk") as client:
        return client.read(0, 1)


def test_one_writer():
    """A second node may read, and is refused all that changes the volume; whom it disturbs by force it is told."""
    with two_nodes() as (one, other):
        one.vlmc("map", "disk")
        write(one, b"1")
        equal([one.holder("disk"), other.holder("disk")], ["this node", os.uname().nodename], "holder, as both see it")
        other.vlmc("map", "disk")
        equal(first_byte(other), b"1", "what the other node reads")
        for words in (("open", "disk"), ("snapshot", "disk", "snap"), ("resize", "disk", "--size", "32")):
            other.vlmc(*words, code=None).complains(5, one.name(), "unlock -f")
        other.hook("open", "disk", code=None, VOL_OPEN_EXCLUSIVE="True").complains(5, one.name())
        try:
            write(other, b"2")
            check(False, "both nodes write")
        except nbd.NbdError as e:
            equal(e.number, 1, "error of a write that the lease forbids")
        other.vlmc("close", "disk")  # what it has not opened
        other.vlmc("unlock", "disk")
        equal(one.holder("disk"), "this node", "holder after close and unlock on the other node")
        write(one, b"3")

        equal(one.vlmc("unlock", "-f", "disk").err, "", "said by unlock -f of what this node holds itself")
        equal(one.holder("disk"), "this node", "holder after its own unlock -f")
        broken = other.vlmc("unlock", "-f", "disk").err.splitlines()
        check(len(broken) == 1 and "broke the hold of node" in broken[0] and one.name() in broken[0], f"unlock -f does not say whom it broke: {broken}")
        equal(one.holder("disk"), "", "holder after unlock -f")
        other.vlmc("open", "disk")
        one.vlmc("open", "disk", code=None).complains(5, other.name())
        write(other, b"4")
        one.vlmc("close", "disk")
        equal([other.holder("disk"), first_byte(one)], ["this node", b"4"], "the new holder, and what the former one reads")


def test_administrators_lock():
    """It keeps the other node away, open or not, and goes by unlock alone."""
    with two_nodes() as (one, other):
        one.vlmc("lock", "disk")
        one.vlmc("lock", "disk")
        for node in (other, one):
            node.vlmc("close", "disk")
        for words in (("lock", "disk"), ("unlock", "disk"), ("open", "disk"), ("remove", "disk")):
            other.vlmc(*words, code=None).complains(5, "locked", one.name(), "unlock -f disk")
        other.vlmc("map", "disk")
        try:
            write(other, b"2")
            check(False, "a node writes what another one's administrator has locked")
        except nbd.NbdError as e:
            equal(e.number, 1, "error of a write that the lock forbids")
        one.vlmc("open", "disk")
        one.vlmc("close", "disk")
        check("this node" in one.vlmc("info", "-o", "lock", "disk").out, "close has taken the lock away")
        one.stop()
        broken = other.vlmc("unlock", "-f", "disk").err.splitlines()
        check(len(broken) == 1 and "broke the lock of node" in broken[0] and one.name() in broken[0], f"unlock -f does not say whom it broke: {broken}")
        equal(other.vlmc("unlock", "-f", "disk").err, "", "said by unlock -f of nothing")
        write(other, b"2")
        one.start()
        one.vlmc("lock", "disk")  # of what the other has open: it holds from the next time on
        write(other, b"3")
        other.vlmc("close", "disk")
        other.vlmc("open", "disk", code=None).complains(5, "locked", one.name())
        other.vlmc("unlock", "missing", code=None).complains(4, "missing")


def test_taken_by_the_first_write():
    """Not by attach, and not by a read through the device; given back by close and by detach."""
    with Node() as node:
        node.start()
        node.vlmc("create", "disk", "--size", "16")
        device = node.attach("disk")
        equal(node.holder("disk"), "", "holder after attach")
        with open(device, "rb", buffering=0) as f:
            check(f.read(MIB) == bytes(MIB), "a new volume is not empty")
        equal(node.holder("disk"), "", "holder after a read")
        for end in ("close", "detach"):
            with open(device, "r+b", buffering=0) as f:
                f.write(b"x" * 4096)
            node.call(["blockdev", "--flushbufs", device]).must(0)
            equal(node.holder("disk"), "this node", "holder after a write")
            node.hook(end, "disk")
            equal(node.holder("disk"), "", f"holder after {end}")
