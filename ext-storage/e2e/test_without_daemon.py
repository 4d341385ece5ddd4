# SPDX-License-Identifier: BSD-2-Clause
"""What works while archipelagod does not run, and how the rest says so."""
import contextlib
import os
import signal
import socket
import threading

from control import control, last_code, read_all
from images import file_sum, sparse_image
from node import DIST, MIB, Node, alive, await_, check, equal, in_thread, tool


def test_commands_by_themselves():
    """Without a daemon ever having run, and with the maps that one left; then it finds what they made."""
    with Node() as node:
        node.vlmc("create", "disk", "--size", "16M")
        node.vlmc("snapshot", "disk", "snap")
        node.start()
        node.vlmc("create", "clone", "--snap", "snap", "--size", "32M")
        device = node.vlmc("map", "clone").out.strip()
        with open(device, "r+b", buffering=0) as f:
            f.write(b"\x11" * MIB)
        written = file_sum(device)
        node.vlmc("unmap", "clone")
        node.stop()
        equal([(v["name"], v["size"]) for v in node.vlmc("list", "--json").json()["volumes"]],
              [("clone", 32 * MIB), ("disk", 16 * MIB), ("snap", 16 * MIB)], "list")
        equal(node.vlmc("info", "--json", "clone").json()["origin"], "snap", "origin of the clone")
        equal(node.vlmc("mapinfo", "--json", "clone").json()["blocks"], 8, "blocks in mapinfo")
        node.vlmc("export", "clone", node.files + "/out")
        equal(file_sum(node.files + "/out"), written, "sum of the export")
        node.vlmc("remove", "snap")
        node.vlmc("remove", "snap", code=None).complains(4, "snap")
        equal(node.volumes(), ["clone", "disk"], "volumes after a removal")
        node.expect_clean(node.all_left, "by commands that work alone")


def test_import_by_itself():
    with Node() as node:
        image = sparse_image(node.files + "/image", 32 * MIB, pieces=6, seed=1)
        node.vlmc("import", image, "image")
        equal(node.volumes(), ["image"], "volumes")
        node.start()
        equal(file_sum(node.attach("image")), file_sum(image), "sum of what was imported")
        node.hook("detach", "image")


def test_what_needs_the_daemon_says_so():
    with Node() as node:
        node.vlmc("map", "disk", code=None).complains(3, "not running", "archipelago start")
        node.hook("attach", "disk", code=None).complains(3, "not running", "archipelago start")
        node.hook("create", "disk", code=None, VOL_SIZE="8").complains(3, "not running", "archipelago start")
        result = node.archipelago("status", code=3)
        check("not running" in result.out and result.out.count("stopped") >= 4, f"status does not say that all is stopped: {result}")
        status = node.archipelago("status", "--json", code=3).json()
        equal([status["running"], {r["state"] for r in status["roles"]}], [False, {"stopped"}], "status --json")
        check("not running" in node.archipelago("stop").out, "stop of nothing")
        check("not running" in (lambda r: r.out + r.err)(node.hook("verify", "x", code=3)), "verify does not say that it is not running")


def test_killed_daemon():
    """Its mapped volumes stay mapped, and are safe from commands that work alone."""
    with Node() as node:
        node.start()
        node.vlmc("create", "disk", "--size", "16")
        device = node.attach("disk")
        node.kill()
        status = node.archipelago("status", "--json", code=3).json()
        equal({r["state"] for r in status["roles"]}, {"failed"}, "states of the roles after kill -9")
        check(all("died" in r["why"] for r in status["roles"]), f"status does not say why: {status['roles'][0]}")
        node.vlmc("remove", "disk", code=None).complains(5, "disk", device)
        equal(node.vlmc("showmapped", "-n", "-o", "device").out.split(), [device], "showmapped while it is dead")
        node.start()
        equal(node.attach("disk"), device, "device after the restart")
        node.hook("detach", "disk")


def test_two_at_once():
    """Commands that work alone wait for each other; a daemon that starts meanwhile, too, or they for it: then they are repeated."""
    with Node() as node:
        children = [node.child([DIST + "/bin/vlmc", "create", f"disk{i}", "--size", "8"]) for i in range(2)]
        node.start()
        for i, child in enumerate(children):
            await_(lambda c=child: c.poll() is not None, "the end of vlmc create")
            if child.returncode == 75:  # the daemon was faster
                node.vlmc("create", f"disk{i}", "--size", "8")
            else:
                equal(child.returncode, 0, "exit code")
        equal(node.volumes(), ["disk0", "disk1"], "volumes")


def test_second_daemon():
    """There is one; a second start says that it runs."""
    with Node() as node:
        node.start()
        pid = node.pid()
        check(str(pid) in node.archipelago("start").out, "the second start does not name the process")
        child = node.call([DIST + "/lib/archipelago/jvm", "archipelagod"])
        check(child.code != 0 and str(pid) in child.err, f"a second archipelagod does not name the first: {child}")
        check(node.pid() == pid and alive(pid), "the first one is gone")
        node.vlmc("list")


@contextlib.contextmanager
def listening(node, serve=None, backlog=8):
    """Something else at the place of the control socket; serve(connection) for each client."""
    os.makedirs(node.root + "/run", exist_ok=True)
    path = node.root + "/run/control.sock"
    listener, kept = socket.socket(socket.AF_UNIX), []
    listener.bind(path)
    listener.listen(backlog)

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            kept.append(connection)
            with contextlib.suppress(OSError):
                serve(connection)
    if serve:
        threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in kept:
            connection.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def test_control_socket_that_nobody_serves():
    """Left by a daemon that died: as good as none, and the next start replaces it."""
    with Node() as node:
        os.makedirs(node.root + "/run")
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(node.root + "/run/control.sock")
        dead.close()
        check(node.vlmc("list").out.startswith("NAME"), "list does not work by itself")
        node.vlmc("map", "x", code=None).complains(3, "not running")
        node.start()
        node.vlmc("create", "disk", "--size", "8")


def test_silence_at_the_control_socket():
    """A daemon that is stopped, something else that listens, accepts, or closes, and never says a word; a client that says nothing,
    or half of it: whoever waits does so for 10 s, or for a successor 20 s, and tells it in one line. All at the same time."""
    with contextlib.ExitStack() as stack:
        results, clients = {}, []
        stopped = stack.enter_context(Node(endpoint="none")).start()
        stack.callback(os.kill, stopped.pid(), signal.SIGCONT)
        os.kill(stopped.pid(), signal.SIGSTOP)
        cases = {"stopped": stopped}
        for case, (serve, backlog) in {"listens": (None, 8), "accepts": (lambda c: None, 8), "is full": (None, 0),
                                       "closes": (socket.socket.close, 8)}.items():
            cases[case] = stack.enter_context(Node())
            stack.enter_context(listening(cases[case], serve, backlog))
        for case, node in cases.items():
            results[case, "vlmc"] = in_thread(node.vlmc, "list", code=None, timeout=60)
            results[case, "attach"] = in_thread(node.hook, "attach", "x", code=None, timeout=60)
        running = stack.enter_context(Node(endpoint="none")).start()
        for words in (b"", b"ARCTL001P"):
            clients.append(stack.enter_context(control(running)))
            clients[-1].sendall(words)
        for case, wait in results.items():
            result = wait()
            result.complains(75, "archipelagod went away" if case[0] == "closes" else "archipelagod does not answer on ", most=1)
            check(result.seconds < 40, f"took {result.seconds:.0f} s, case {case}")
        for client in clients:
            equal(last_code(read_all(client)), 10, "exit code for a client that sends no request")
        running.vlmc("list")


def test_control_socket_that_talks_nonsense():
    with Node() as node:
        for nonsense, code in ((b"HTTP/1.1 400 Bad Request\r\n\r\n", 70), (b"O\0\0\0\x05\0\0\0hel", 75),
                               (b"X\0\0\0\x04\0\0\0\xff\xff\xff\xff", 70), (b"V\0\0\0\x0b\0\0\0rm\0-rf\0/etc", 70)):
            def serve(connection, text=nonsense):
                connection.recv(8)
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
            with listening(node, serve):
                result = node.vlmc("list", code=None, timeout=40)
                check(result.code == code and len(result.err.splitlines()) == 1, f"after {nonsense!r}, exit code {code} expected: {result}")


def test_terminated_daemon():
    """SIGTERM, as an init sends it, is a stop in order."""
    with Node() as node:
        node.start()
        node.vlmc("create", "disk", "--size", "16")
        node.vlmc("map", "disk")
        tool("qemu-io", "-f", "raw", "-c", "write -P 9 0 8M", "nbd:unix:" + node.socket("disk"))
        node.kill(signal.SIGTERM)
        check(not node.shared_memory(), "the segment is left")
        node.start()
        tool("qemu-io", "-f", "raw", "-c", "read -P 9 0 8M", "nbd:unix:" + node.socket("disk"))
        node.vlmc("unmap", "disk")
