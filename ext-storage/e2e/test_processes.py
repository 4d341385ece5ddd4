# SPDX-License-Identifier: BSD-2-Clause
"""Roles in processes of their own: everything goes through the segment's rings."""
import os
import random
import re
import signal
import threading

from images import file_sum, sparse_image
from node import MIB, Node, await_, check, equal, tool

PROCESSES = {"blockerb": "data", "blockerm": "maps", "mapperd": "mapper", "vlmcd": "mapper"}
EACH = {"blockerb": "data", "blockerm": "maps", "mapperd": "mapper", "vlmcd": "composer", "dummy": "nothing"}


def states(node):
    status = node.archipelago("status", "--json", code=None)
    return {r["role"]: r["state"] for r in status.json()["roles"]}, status.code


def pid_of(node, role):
    return next(r["pid"] for r in node.archipelago("status", "--json").json()["roles"] if r["role"] == role)


def everything(node, processes):
    node.start()
    status = node.archipelago("status", "--json").json()
    equal({r["role"]: r["process"] for r in status["roles"]}, processes, "processes in status")
    equal(len({r["pid"] for r in status["roles"]} | {status["pid"]}), len(set(processes.values())) + 1, "different processes")
    image = sparse_image(node.files + "/image", 64 * MIB, pieces=12, seed=random.random())
    node.vlmc("import", image, "image")
    node.vlmc("create", "disk", "--snap", "image", "--size", "80M")
    device = node.attach("disk")
    equal(file_sum(device, 64 * MIB), file_sum(image), "sum of the image through the device")
    uri = "nbd:unix:" + node.socket("disk")
    tool("qemu-io", "-f", "raw", "-c", "write -P 3 4k 12M", "-c", "flush", "-c", "discard 20M 8M", uri)
    node.vlmc("snapshot", "disk", "snap")
    tool("qemu-io", "-f", "raw", "-c", "write -P 4 4k 12M", uri)
    node.vlmc("resize", "disk", "--size", "96M")
    tool("qemu-io", "-f", "raw", "-c", "read -P 4 4k 12M", "-c", "read -P 0 20M 8M", "-c", "read -P 0 88M 8M", uri)
    node.vlmc("create", "clone", "--snap", "snap")
    node.vlmc("export", "clone", node.files + "/out")
    tool("qemu-io", "-f", "raw", "-c", "read -P 3 4k 12M", node.files + "/out")
    node.hook("detach", "disk")
    for name in ("clone", "snap", "disk", "image"):
        node.vlmc("remove", name)


def test_everything_through_the_rings():
    with Node(processes=PROCESSES) as node:
        everything(node, PROCESSES)


def test_each_role_by_itself():
    """And a role more; the segment is as small as the configuration's check allows."""
    with Node(processes=EACH, settings="SEGMENT_SIZE = 8") as node:
        least = re.search(r"SEGMENT_SIZE = 8: too small .*; allowed: at least (\d+) MiB", node.archipelago("config", "check", code=9).err)
        check(least, "the configuration's check does not tell how small a segment may be")
        with open(node.conf) as f:
            text = f.read()
        node.configure(text.replace("SEGMENT_SIZE = 8", f"SEGMENT_SIZE = {int(least[1]) - 1}"))
        node.archipelago("start", code=None).complains(9, "too small")
        node.configure(text.replace("SEGMENT_SIZE = 8", f"SEGMENT_SIZE = {least[1]}"))
        everything(node, EACH)


def test_stop_start_restart_of_a_role():
    with Node(endpoint="none", processes={"blockerb": "data", "blockerm": "maps"}) as node:
        node.archipelago("start", "blockerb", code=None).complains(3, "archipelagod is not running")
        node.start()
        node.vlmc("create", "disk", "--size", "16")
        node.vlmc("map", "disk")
        uri = "nbd:unix:" + node.socket("disk")
        tool("qemu-io", "-f", "raw", "-c", "write -P 3 0 8M", uri)
        node.archipelago("stop", "mapperd", code=None).complains(2, "mapperd", "process")
        node.archipelago("stop", "blockerb", code=None).complains(5, "disk", "--force")
        for role in ("blockerb", "blockerm"):
            node.archipelago("stop", role, "--force")
            seen, code = states(node)
            equal([seen[role], seen["vlmcd"], code], ["stopped", "running", 3], f"status without {role}")
            result = node.vlmc("create", "new", "--size", "8", code=None) if role == "blockerm" else None
            check(result is None or result.code not in (0, 70) and result.seconds < 70, f"without blockerm: {result}")
            node.archipelago("start", role)
            equal(states(node)[1], 0, f"status with {role} again")
            tool("qemu-io", "-f", "raw", "-c", "read -P 3 0 8M", "-c", "write -P 3 1M 1M", uri)
        former = pid_of(node, "blockerb")
        node.archipelago("restart", "blockerb")
        check(pid_of(node, "blockerb") != former, "restart left the process")
        tool("qemu-io", "-f", "raw", "-c", "read -P 3 0 8M", "-c", "write -P 5 8M 8M", uri)
        node.vlmc("unmap", "disk")


def test_killed_daemon_takes_its_processes_along():
    with Node(endpoint="none", processes={"blockerb": "data"}) as node:
        node.start()
        node.vlmc("create", "disk", "--size", "8")
        node.kill()
        await_(lambda: not node.processes(), "the end of the role's process after archipelagod's")
        node.start()
        equal(node.volumes(), ["disk"], "volumes")
        node.archipelago("stop", "blockerb")
        node.archipelago("restart")
        equal(states(node)[1], 0, "status after a restart")


def test_user_who_is_not_trusted():
    """Root follows no link of the daemon's user, and gives away nothing that this user has moved."""
    with Node(endpoint="none", user="nobody", group="nogroup") as node:
        node.start()
        check(os.stat(f"/proc/{node.pid()}").st_uid != 0, "the daemon runs as root")
        node.stop()
        secret, output = node.files + "/secret", node.root + "/log/archipelagod.out"
        os.chmod(node.files, 0o700)
        with open(secret, "w") as f:
            f.write("root's")
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        tool(*as_user, "rm", "-f", output)
        tool(*as_user, "ln", "-s", secret, output)
        os.mkdir(node.root + "/run/loop", 0o700)
        tool(*as_user, "rmdir", node.root + "/run/nbd")
        tool(*as_user, "mv", node.root + "/run/loop", node.root + "/run/nbd")
        node.archipelago("start", code=None)
        equal(os.stat(node.root + "/run/nbd").st_uid, 0, "owner of a folder of root's that the user has moved")
        os.rmdir(node.root + "/run/nbd")
        if not node.running():
            node.start()
        with open(secret) as f:
            equal(f.read(), "root's", "a file of root's behind a link in the log folder")
        check(os.readlink(f"/proc/{node.pid()}/fd/1") == output and not os.path.islink(output), "where the daemon's output goes")
        node.vlmc("create", "disk", "--size", "4")
        node.vlmc("map", "disk")
        node.vlmc("unmap", "disk")


def test_hooks_during_restarts():
    """Each waits for the next daemon and succeeds."""
    with Node(endpoint="none") as node:
        node.start()
        node.vlmc("create", "disk", "--size", "4")
        over, failed, done = threading.Event(), [], []

        def hooks(*calls):
            while not over.is_set():
                for action, orders in calls:
                    result = node.hook(action, "disk", code=None, **orders)
                    (failed if result.code else done).append(result)
        users = [threading.Thread(target=hooks, args=a) for a in ([("setinfo", {"VOL_METADATA": "originstname+x"})],
                                                                  [("attach", {}), ("detach", {})], [("grow", {"VOL_NEW_SIZE": "4"})])]
        for user in users:
            user.start()
        for _ in range(4):
            node.archipelago("restart")
        over.set()
        for user in users:
            user.join()
        check(not failed, f"{len(failed)} hooks failed, {len(done)} did not: {failed[0] if failed else ''}")
        check(max(r.seconds for r in done) < 20, "a hook took long")
        node.hook("detach", "disk")
