# SPDX-License-Identifier: BSD-2-Clause
"""Clients that die half way, or send garbage, while others are served."""
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time

import nbd
from images import sparse_image
from node import DIST, MIB, Node, await_, check, equal, note


def kill_half_way(child, longest, number=signal.SIGKILL):
    """Lets a client work for a moment, then ends it; tells whether it was still at work."""
    time.sleep(random.random() * longest)
    cut = child.poll() is None
    if cut:
        child.send_signal(number)
    await_(lambda: child.poll() is not None, "the end of a client that was killed")
    return cut


def script(node, action, volume, **orders):
    return node.child([f"{DIST}/extstorage/archipelago/{action}"], env=node.hook_env(volume, orders), stdout=subprocess.DEVNULL)


def test_killed_create(node):
    """The volume is there as a whole, or not at all; the next create says which."""
    cut = 0
    for i in range(20):
        cut += kill_half_way(script(node, "create", f"disk{i}", VOL_SIZE="8"), 0.012)
        again = node.hook("create", f"disk{i}", code=None, VOL_SIZE="8")
        again.must(0, 6)
        equal(node.vlmc("info", "--json", f"disk{i}").json()["size"], 8 * MIB, "size")
    note(f"{cut} of 20 killed at work")


def test_killed_attach_and_detach(node):
    """Whatever was cut off, the next call for the volume brings it to an end."""
    node.vlmc("create", "disk", "--size", "8")
    took = node.hook("attach", "disk").seconds
    node.hook("detach", "disk")
    cut = 0
    for _ in range(12):
        cut += kill_half_way(script(node, "attach", "disk"), 1.2 * took)
        check(len(node.loop_devices("disk")) <= 1, f"two devices of one volume: {node.loop_devices()}")
        if random.random() < 0.5:
            device = node.attach("disk")
            equal(node.loop_devices("disk"), [device], "devices of the volume")
        cut += kill_half_way(script(node, "detach", "disk"), 1.2 * took)
        if random.random() < 0.5:
            node.hook("detach", "disk")
            node.expect_clean(node.mapped_left, "after detach")
    device = node.attach("disk")
    with open(device, "r+b", buffering=0) as f:
        f.write(b"x" * 4096)
    node.hook("detach", "disk")
    note(f"{cut} of 24 killed at work")


def busy_image(node):
    return sparse_image(node.files + "/image", 192 * MIB, pieces=150, seed=1)


def test_killed_import(node):
    """Nothing of it stays, neither volume nor process."""
    image = busy_image(node)
    took = node.vlmc("import", image, "whole").seconds
    cut = 0
    for i in range(6):
        number = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[i % 3]
        if not kill_half_way(node.child([DIST + "/bin/vlmc", "import", image, "image"]), 0.8 * took, number):
            node.vlmc("remove", "image", code=None)
            continue
        cut += 1
        await_(lambda: node.volumes() in (["whole"], ["image", "whole"]), "the end of what was imported half", 30)
        node.vlmc("remove", "image", code=None)
    equal(node.volumes(), ["whole"], "volumes")
    note(f"{cut} of 6 killed at work")


def test_interrupted_import_without_daemon():
    """The command undoes its work before it ends, soon, though the signal does not reach its qemu-img."""
    with Node() as node:
        image = busy_image(node)
        for number in (signal.SIGINT, signal.SIGTERM):
            child = node.child([DIST + "/bin/vlmc", "import", image, "image"], stderr=subprocess.DEVNULL)
            qemu = await_(lambda c=child: [pid for pid, name in node.processes().items() if "convert" in name] or c.poll() is not None,
                          "qemu-img", pause=0.01)
            check(qemu is not True, "the import ended before its qemu-img was seen")
            os.kill(qemu[0], signal.SIGSTOP)  # it would be done too soon
            child.send_signal(number)
            await_(lambda: "SIGTERM" in pending(qemu[0]), "SIGTERM for qemu-img", 10)
            os.kill(qemu[0], signal.SIGCONT)
            await_(lambda c=child: c.poll() is not None, "the end of an interrupted import", 15)
            check(child.returncode != 0, "an interrupted import succeeded")
            equal(node.volumes(), [], "volumes after an interrupted import")
            node.expect_clean(node.processes, "by an interrupted import")


def pending(pid):
    """Names of the signals that wait for a process."""
    with open(f"/proc/{pid}/status") as f:
        masks = [int(line.split()[1], 16) for line in f if line.startswith(("SigPnd", "ShdPnd"))]
    return [s.name for s in signal.Signals if any(mask >> (s - 1) & 1 for mask in masks)]


def test_killed_export(node):
    node.vlmc("import", busy_image(node), "whole")
    for _ in range(3):
        kill_half_way(node.child([DIST + "/bin/vlmc", "export", "whole", node.files + "/out"]), 0.3)
        node.expect_clean(node.mapped_left, "by an export that was killed")
    node.vlmc("remove", "whole")


class Worker(threading.Thread):
    """A good client: writes and reads back, and notes its longest wait."""

    def __init__(self, node, volume):
        super().__init__(daemon=True)
        self.path, self.volume, self.stop, self.failure = node.socket(volume), volume, False, None
        self.count, self.longest = 0, 0.0

    def run(self):
        rng = random.Random(1)
        try:
            with nbd.Client(self.path, self.volume, timeout=60) as client:
                while not self.stop:
                    begun, at, data = time.monotonic(), rng.randrange(2000) * 4096, rng.randbytes(4096)
                    client.write(at, data)
                    if client.read(at, 4096) != data:
                        raise ValueError(f"read at {at} is not what was written")
                    self.count, self.longest = self.count + 1, max(self.longest, time.monotonic() - begun)
        except Exception as e:  # told by the main thread
            self.failure = e


def garbage(rng):
    """Things that a client should not send after the greeting, each with whether the handshake is done before."""
    half = nbd.go("disk")
    yield from ((rng.randbytes(rng.randrange(1, 5000)), False) for _ in range(8))
    yield b"", False
    yield half[:7], False
    yield nbd.option(nbd.GO, b"\xff\xff\xff\xff"), False
    yield nbd.option(nbd.GO, b""), False
    yield nbd.option(nbd.GO, struct.pack(">I", 3) + b"abc" + struct.pack(">H", 60000)), False
    yield struct.pack(">QII", nbd.OPTION_MAGIC, nbd.INFO, 0xffffffff) + b"x" * 100, False
    yield struct.pack(">QII", 1, nbd.GO, 0), False
    yield nbd.option(999, b"x" * 4000) * 50, False
    yield nbd.go("n" * 4000), False
    yield nbd.go("../../etc"), False
    yield nbd.option(nbd.EXPORT_NAME, b"no such"), False
    yield nbd.option(nbd.LIST) * 200, False
    yield nbd.option(nbd.STRUCTURED) * 200, False
    yield nbd.option(nbd.STRUCTURED, b"x") + nbd.option(nbd.STRUCTURED) + half, False
    yield nbd.option(nbd.ABORT), False
    yield b"GET / HTTP/1.0\r\n\r\n", True
    yield rng.randbytes(28), True
    yield struct.pack(">IHHQQI", nbd.REQUEST, 0, 77, 1, 0, 4096), True
    yield struct.pack(">IHHQQI", nbd.REQUEST, 0xffff, nbd.READ, 1, 0, 4096), True
    yield nbd.request(nbd.READ, (1 << 64) - 4096, 4096), True
    yield nbd.request(nbd.READ, 0, 0xffffffff), True
    yield nbd.request(nbd.READ, 1, 0), True
    yield nbd.request(nbd.WRITE, 0, 0xffffffff) + b"x" * 100, True
    yield nbd.request(nbd.WRITE, 100 * MIB, 4096) + b"x" * 1000, True
    yield nbd.request(nbd.TRIM, 0, 0xffffffff), True
    yield nbd.request(nbd.WRITE_ZEROES, 15 * MIB, 8 * MIB), True
    yield nbd.request(nbd.READ, 8 * MIB, 1 * MIB) * 60, True  # and never reads the answers


def let_in(path):
    """A client that has been greeted; None where there are too many, or there were just now."""
    try:
        return nbd.connect(path, timeout=10)
    except (EOFError, ConnectionError):
        return None


def connects(node):
    """A volume has a bounded number of clients."""
    try:
        nbd.Client(node.socket("disk"), "disk").close()
        return True
    except (EOFError, OSError):
        return False


def test_nbd_garbage(node):
    """A client of the same volume, and one of another, go on without an error or a long wait."""
    for volume in ("disk", "other"):
        node.vlmc("create", volume, "--size", "16")
        node.vlmc("map", volume)
    workers = [Worker(node, volume) for volume in ("disk", "other")]
    for worker in workers:
        worker.start()
    await_(lambda: all(w.failure or w.count > 10 for w in workers), "a good client's first rounds")
    kept, rng = [], random.Random(random.random())
    try:
        for sent, after in list(garbage(rng)):
            path = rng.choice((node.socket("disk"), node.image_socket("disk")))
            client = await_(lambda at=path: let_in(at), "room for a client after others have gone", 10)
            if after:
                client.sendall(nbd.go("disk"))
            try:
                client.sendall(sent)
            except OSError:
                pass  # it was sent away
            if rng.random() < 0.5 or len(kept) == 8:  # a volume has 16 clients at most
                client.close()
            else:
                kept.append(client)
        for _ in range(60):  # and those that say nothing at all
            client = socket.socket(socket.AF_UNIX)
            client.connect(node.socket("disk"))
            kept.append(client)
        before = [worker.count for worker in workers]
        await_(lambda: all(w.failure or w.count > b + 50 for w, b in zip(workers, before)), "progress of the good clients")
        for client in kept:
            client.close()
        await_(lambda: connects(node), "room for another client after all that has gone", 30)
        with nbd.Client(node.socket("disk"), "disk") as client:
            client.write(9 * MIB, b"z" * 4096)
            equal(client.read(9 * MIB, 4096), b"z" * 4096, "data of a client that came last")
            for offset, length in ((16 * MIB, 4096), (16 * MIB - 512, 4096), ((1 << 63), 4096)):
                for kind in (nbd.READ, nbd.WRITE, nbd.TRIM):
                    try:
                        client.command(kind, offset, length, data=bytes(length) if kind == nbd.WRITE else b"")
                        check(False, f"request {kind} at {offset} of a volume of 16 MiB succeeded")
                    except nbd.NbdError as e:
                        check(e.number in (22, 28), f"error {e.number} for request {kind} at {offset}")
            equal(client.read(9 * MIB, 4096), b"z" * 4096, "data after requests past the end")
    finally:
        for worker in workers:
            worker.stop = True
        for worker in workers:
            worker.join(70)
        for client in kept:
            client.close()
    for worker in workers:
        check(worker.failure is None, f"the good client of {worker.volume} failed: {worker.failure!r}")
        check(worker.longest < 10, f"the good client of {worker.volume} waited {worker.longest:.1f} s")
    note(f"good clients: {[w.count for w in workers]} rounds, longest {max(w.longest for w in workers) * 1000:.0f} ms")
    equal(node.archipelago("status").code, 0, "status")
    for volume in ("disk", "other"):
        node.vlmc("unmap", volume)


def test_nbd_names(node):
    """The export's name is the volume's, and the default export serves it too; no other."""
    node.vlmc("create", "disk", "--size", "16")
    node.vlmc("create", "other", "--size", "16")
    node.vlmc("map", "disk")
    for name in ("disk", ""):
        with nbd.Client(node.socket("disk"), name) as client:
            equal(client.size, 16 * MIB, f"size of export {name!r}")
    for name in ("other", "../disk", "disk/", "DISK", "d"):
        try:
            nbd.Client(node.socket("disk"), name).close()
            check(False, f"the socket of disk serves {name!r}")
        except nbd.NbdError as e:
            check(e.number > 1 << 31, f"answer to {name!r}: {e.number:#x}")
    check(not os.path.exists(node.socket("other")), "a socket of a volume that is not mapped")
    node.vlmc("unmap", "disk")
