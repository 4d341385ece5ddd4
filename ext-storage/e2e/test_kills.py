# SPDX-License-Identifier: BSD-2-Clause
"""archipelagod dies, again and again, under a mounted loop device and under an NBD client, both writing and neither flushing: no I/O
error, and every acknowledged write is there."""
import os
import random
import signal
import statistics
import subprocess
import sys
import time

import writer
from images import sparse_image
from node import HERE, MIB, PATIENCE, Node, alive, await_, check, equal, note, tool
from qemu_writer import QemuWriter

KILLS = 20
BLOCKS = 4096  # of the file that is written, 16 MiB


class FileWriter:
    """writer.py on a file of a mounted volume."""

    def __init__(self, node, path, original):
        self.node, self.path, self.original, self.seed = node, path, original, str(random.random())
        self.record = writer.Record(node.files + "/record", BLOCKS, make=True)
        self.resume()

    def resume(self):
        self.child = self.node.child([sys.executable, "-B", HERE + "/writer.py", self.path, str(BLOCKS), self.seed,
                                      self.node.files + "/record"], stdin=subprocess.PIPE)

    def head(self):
        acknowledged, last, error = self.record.head()
        return acknowledged, last / 1e9, os.strerror(error) if error else ""

    def pause(self):
        self.child.stdin.close()
        await_(lambda: self.child.poll() is not None, "the end of the writer on the mounted device")
        equal(self.child.returncode, 0, "exit code of the writer")

    def first(self, block):
        return self.original[block * writer.BLOCK:(block + 1) * writer.BLOCK]

    def check(self, when):
        wrong = writer.differences(self.path, self.record, BLOCKS, self.seed, self.first)
        check(not wrong, f"mounted device, {when}: {len(wrong)} of {BLOCKS} blocks are wrong: {'; '.join(wrong[:5])}")
        return sum(self.record.of(b)[1] > 0 for b in range(BLOCKS))


class Outages:
    """How long each writer had to wait."""

    def __init__(self, writers):
        self.writers, self.waits = writers, {name: [] for name in writers}

    def errors(self):
        for name, w in self.writers.items():
            check(not w.head()[2], f"{name}: I/O error: {w.head()[2]}")

    def busy(self, least=20):
        """All of them get on."""
        marks = {name: w.head()[0] for name, w in self.writers.items()}
        for name, w in self.writers.items():
            await_(lambda w=w, mark=marks[name]: w.head()[2] or w.head()[0] >= mark + least, f"progress of the {name}")
        self.errors()

    def end(self, begun):
        for name, w in self.writers.items():
            await_(lambda w=w: w.head()[1] > begun or w.head()[2], f"the next write of the {name}", pause=0.003)
            self.waits[name].append(w.head()[1] - begun)
        self.errors()

    def note(self):
        for name, waits in self.waits.items():
            note(f"outage of the {name}: median {statistics.median(waits):.2f} s, longest {max(waits):.2f} s; "
                 + " ".join(f"{wait:.1f}" for wait in waits))


class Writers:
    """Two clones of one image: one mounted and written by a program, one written by an NBD client."""

    def __init__(self, **node):
        self.arguments = node

    def __enter__(self):
        self.node = Node(**self.arguments)
        try:
            self.begin(self.node.start())
        except BaseException:
            self.node.destroy()
            raise
        return self

    def begin(self, node):
        folder = node.files + "/d"
        os.mkdir(folder)
        original = random.Random(1).randbytes(BLOCKS * writer.BLOCK)
        with open(folder + "/data", "wb") as f:
            f.write(original)
        tool("mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1", "-d", folder, node.files + "/fs", "40M")
        node.vlmc("import", node.files + "/fs", "fs")
        node.vlmc("import", sparse_image(node.files + "/raw", 32 * MIB, pieces=30, seed=2), "raw")
        for volume, origin in (("mounted", "fs"), ("guest", "raw")):
            node.hook("create", volume, VOL_SIZE="40", EXTP_ORIGIN=origin)
        self.mount(node)
        node.attach("guest")
        places = [block * 65536 + 4096 * (block % 16) for block in range(500)]
        self.writers = {"mounted device": FileWriter(node, node.root + "/mnt/data", original),
                        "NBD client": QemuWriter(node, node.socket("guest"), places)}
        self.outages = Outages(self.writers)
        self.outages.busy()

    def mount(self, node):
        os.makedirs(node.root + "/mnt", exist_ok=True)
        self.device = node.attach("mounted")
        tool("mount", "-o", "nobarrier,noatime", self.device, node.root + "/mnt")  # so that the file system does not flush either

    def check(self, when):
        """Through the same devices; then they go on."""
        written = {}
        for name, w in self.writers.items():
            w.pause()
            self.outages.errors()
            written[name] = w.check(when)
        with open(f"/sys/fs/ext4/{os.path.basename(self.device)}/errors_count") as f:
            equal(f.read().strip(), "0", "errors of the mounted file system")
        for w in self.writers.values():
            w.resume()
        self.outages.busy()
        return written

    def __exit__(self, kind, *_):
        if kind is not None:
            self.node.destroy()
            return
        try:
            for w in self.writers.values():
                w.pause()
            self.writers["NBD client"].check("at the end")
            self.writers["NBD client"].close()
            tool("umount", self.node.root + "/mnt")
            self.node.hook("detach", "guest")
            self.node.hook("detach", "mounted")
            self.mount(self.node)
            self.writers["mounted device"].check("after detach and attach")
            tool("umount", self.node.root + "/mnt")
            self.node.hook("detach", "mounted")
        except BaseException:
            self.node.destroy()
            raise
        self.node.close()


def kill_the_starting_one(node):
    """Kills a daemon that is not ready yet; its start says so."""
    former = node.pid()
    child = node.child([__import__("node").DIST + "/bin/archipelago", "start"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    await_(lambda: child.poll() is not None or os.path.exists(node.root + "/run/archipelagod.pid") and node.pid() != former and node.running(),
           "a new daemon", pause=0.002)
    time.sleep(random.random() * 0.4)
    node.kill()
    child.communicate(timeout=PATIENCE)


def test_kill_9():
    with Writers() as writers:
        node, outages = writers.node, writers.outages
        for i in range(KILLS):
            outages.busy()
            time.sleep(random.random() * 0.2)
            begun = time.monotonic()
            node.kill()
            if i % 7 == 3:
                kill_the_starting_one(node)
            node.start()
            outages.end(begun)
            if i == KILLS // 2:
                writers.check(f"after {i + 1} kills")
        written = writers.check(f"after {KILLS} kills")
        outages.note()
        note("acknowledged writes: " + ", ".join(f"{name} {w.head()[0]} to {written[name]} blocks" for name, w in writers.writers.items()))


def test_stop_and_start():
    """In order: refused while volumes are mapped; forced, or by a signal, or as a restart, it costs the writers nothing but time."""
    with Writers() as writers:
        node, outages = writers.node, writers.outages
        refused = node.archipelago("stop", code=None).complains(5, "mounted", "guest", writers.device, "--force")
        check(node.running(), f"it stopped: {refused}")
        outages.busy()
        for how in ("--force", "SIGTERM", "restart", "-f"):
            begun, pid = time.monotonic(), node.pid()
            if how == "restart":
                node.archipelago("restart")
            else:
                node.kill(signal.SIGTERM) if how == "SIGTERM" else node.archipelago("stop", how)
                await_(lambda: not alive(pid), "the end of the daemon")
                check(not node.shared_memory(), f"the segment is left after a stop by {how}")
                status = node.archipelago("status", "--json", code=3).json()
                equal([status["running"], status["mapped"], {r["state"] for r in status["roles"]}], [False, 2, {"stopped"}],
                      f"status after a stop by {how}")
                node.start()
            outages.end(begun)
            outages.busy()
        writers.check("after four stops")
        outages.note()


def test_processes_of_roles_die():
    """Whoever dies, or lives no more without being dead, has a successor soon, and nobody had to ask for it."""
    processes = {"blockerb": "data", "blockerm": "maps", "mapperd": "volumes", "vlmcd": "volumes"}
    with Writers(processes=processes) as writers:
        node, outages = writers.node, writers.outages

        def roles():
            return {r["role"]: r for r in node.archipelago("status", "--json", code=None).json()["roles"]}

        kills = ["blockerb", "blockerm", "vlmcd"] * 2
        random.shuffle(kills)
        for signal_, role in [(signal.SIGKILL, role) for role in kills] + [(signal.SIGSTOP, "blockerb")]:
            outages.busy()
            begun, pid = time.monotonic(), roles()[role]["pid"]
            os.kill(pid, signal_)
            outages.end(begun)
            await_(lambda: roles()[role]["pid"] not in (0, pid) and all(r["state"] == "running" for r in roles().values()),
                   f"a successor of {role}")
            check(not alive(pid), f"process {pid} of {role} still lives")
        for role, deaths in (("blockerb", 3), ("blockerm", 2), ("mapperd", 2)):
            check(f"died {deaths} times" in roles()[role]["why"], f"status does not tell of {deaths} deaths: {roles()[role]}")
        writers.check("after all deaths")
        outages.note()
