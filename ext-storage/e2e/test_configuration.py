# SPDX-License-Identifier: BSD-2-Clause
"""archipelago.conf with each kind of error, by `archipelago config check` and by a start."""
import os
import re

from node import DIST, Node, check, equal

FINDING = re.compile(r"^[^:]+\.conf(:\d+){0,2}: .+; allowed: .+")


def refused(node, text, *expected, words=("config", "check")):
    """Each of the expected texts stands in a finding of its own: file, line, setting, value, what is allowed; exit code 9."""
    node.configure(text)
    result = node.archipelago(*words, code=None)
    result.must(9)
    lines = [line for line in result.err.splitlines() if ": warning: " not in line and "warning: there is no user" not in line]
    for line in lines:
        check(FINDING.match(line.removeprefix("archipelago: ")), f"a finding without file, line or what is allowed: {line!r}")
    for fragment in expected:
        check(any(fragment in line for line in lines), f"no finding with {fragment!r}: {result}")
    equal(result.out, "", "stdout")
    return lines


def edited(node, *changes):
    """The node's configuration with some texts replaced."""
    with open(node.conf) as f:
        text = f.read()
    for old, new in changes:
        check(old in text, f"the test's own: no {old!r} in the configuration")
        text = text.replace(old, new)
    return text


def test_settings():
    """Everything that is wrong is told at once."""
    with Node() as node:
        text = edited(node, ("'mapperd', 'mapperd')", "'mapperd', 'mapprd')"),
                      ("'portno_start': 1002, 'portno_end': 1002", "'portno_start': 1000, 'portno_end': 1000, 'nr_ops': 100, 'fdcache': 4"),
                      (node.store + "/maps", node.store + "/blocks"))
        lines = refused(
            node, "SEGMENT_SIZE = 0\nREACTOR = 4\nSPIN_US = 'long'\nSEGMENT_TYPE = 'segdev'\nNBD_BUFFERS = 1 << 4\n" + text,
            ".conf:5:17: '<<'")  # syntax comes first
        check(len(lines) == 1, f"settings looked at although the syntax is wrong: {lines}")
        refused(
            node, "SEGMENT_SIZE = 0\nREACTOR = 4\nSPIN_US = 'long'\nSEGMENT_TYPE = 'segdev'\nLEASE_S = 4\nLEASE_S = 20\n" + text,
            ".conf:1: SEGMENT_SIZE = 0", "did you mean REACTORS", "SPIN_US = 'long'", "SEGMENT_TYPE = 'segdev'", "LEASE_S = 4",
            ".conf:6", "mapprd", "blockerm.nr_ops = 100", "blockerm.portno_start = 1000: the ports 1000-1000 overlap",
            "blockerm.archip_dir", "blockerm.fdcache = 4")


def test_more_settings():
    with Node() as node:
        refused(node, edited(
            node, ("'portno_start': 500", "'portno_start': 999999"), ("'portno_start': 1001, ", ""), ("'mapper_port': 1001", "'mapper_prt': 1001"),
            ("ENDPOINT = 'auto'", "ENDPOINT = 'usb'"), ("GROUP = 'archipelago'", "GROUP = 'a b'"), ("'blockerb_port': 1000", "'blockerb_port': -1"),
            (node.store + "/maps'", node.store + "/maps', 'nr_threads': 513, 'direct': 'yes', 'log_level': 9")),
            "999999", "mapperd", "mapper_prt", "ENDPOINT = 'usb'", "GROUP = 'a b'", "blockerb_port = -1", "nr_threads = 513",
            "direct = 'yes'", "log_level = 9")


def test_syntax():
    with Node() as node:
        good = edited(node)
        node.configure("X = __import__('os').system('touch " + node.files + "/executed')\n" + good)
        node.archipelago("config", "check", code=9)
        check(not os.path.exists(node.files + "/executed"), "the configuration was executed")
        refused(node, "A = 1.5\n  B = 2\nC = [1, 2\n", ".conf:1:5:")
        refused(node, "A = 'no end\n" + good, ".conf:1")
        refused(node, "A = " + "[" * 100 + "\n", ".conf:1")
        with open(node.conf, "wb") as f:
            f.write(b"# \xff\xfe no UTF-8\n" + good.encode())
        node.archipelago("config", "check", code=9)

        refused(node, "\n", "roles")


def test_host():
    """What depends on the host: the stores' folders, memory."""
    with Node() as node:
        os.rmdir(node.store + "/blocks")
        with open(node.store + "/blocks", "w"):
            pass
        os.rmdir(node.store + "/maps")
        refused(node, edited(node) + "SEGMENT_SIZE = 1048576\n", "not a folder", "does not exist",
                "SEGMENT_SIZE = 1048576")
        os.unlink(node.store + "/blocks")
        os.makedirs(node.store + "/blocks")
        os.makedirs(node.store + "/maps")
        small = re.sub(r"(?m)^SEGMENT_SIZE = .*", "SEGMENT_SIZE = 8", edited(node))
        refused(node, small, "SEGMENT_SIZE = 8: too small")
        refused(node, small, "SEGMENT_SIZE = 8: too small", words=("start",))
        refused(node, edited(node, (", ('vlmcd', 'vlmcd')", "")), "roles: none of type vlmcd")


def test_what_another_user_cannot_use():
    if not readable_for_all():
        return
    with Node() as node:
        unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", DIST + "/bin/archipelago", "config", "check"]
        os.chmod(node.root, 0o755)
        os.chmod(node.store, 0o755)
        os.chmod(node.store + "/blocks", 0o555)
        result = node.call(unprivileged)
        result.must(9)
        check(f"'{node.store}/blocks': not writable" in result.err, f"a folder that cannot be written: {result}")
        os.chmod(node.conf, 0)
        node.call(unprivileged).complains(9, node.conf, "permission denied")


def test_start_refuses_the_same():
    with Node() as node:
        good = edited(node)
        refused(node, good.replace("'blocker_port': 1000", "'blocker_port': 77"), "vlmcd.blocker_port = 77", words=("start",))
        check(not node.running(), "it runs")
        node.configure(good.replace(node.store + "/maps", node.store + "/nowhere"))
        node.archipelago("start", code=None).complains(9, "nowhere", "does not exist")
        os.unlink(node.conf)
        node.archipelago("start", code=None).complains(9, node.conf)
        node.vlmc("list", code=None).complains(9, node.conf)
        node.configure(good)
        node.start()
        node.configure("SEGMENT_SIZE = 0\n" + good)
        node.archipelago("restart", code=9)
        check(node.running(), "restart stopped the daemon, and its configuration is wrong")
        node.vlmc("list")
        node.configure(good)


def test_show_default_and_other_file():
    with Node() as node:
        shown = node.archipelago("config", "show").out
        check(f"'{node.segment}'" in shown and "NBD_BUFFERS" in shown, f"config show: {shown}")
        node.configure(shown)
        check("OK" in node.archipelago("config", "check").out, "what config show prints is not sound")
        check("# " in node.archipelago("config", "default").out, "config default has no comments")
        with open(node.files + "/other.conf", "w") as f:
            f.write("LEASE_S = 1\n")
        node.archipelago("config", "check", "other.conf", cwd=node.files, code=None).must(9)
        node.archipelago("config", "chekc", code=None).complains(2, "check")


def test_unprivileged_daemon():
    """The daemon runs as the configured user; devices work, and what commands make alone is that user's too."""
    with Node(user="nobody", group="nogroup") as node:
        if not readable_for_all():
            return
        node.vlmc("create", "alone", "--size", "8")
        node.start()
        with open(f"/proc/{node.pid()}/status") as f:
            equal(next(line for line in f if line.startswith("Uid:")).split()[1:], ["65534"] * 4, "user of archipelagod")
        node.vlmc("create", "disk", "--size", "8")
        device = node.attach("disk")
        with open(device, "r+b", buffering=0) as f:
            f.write(b"x" * 4096)
        node.vlmc("map", "alone")
        equal({os.stat(p).st_uid for p in node.objects()}, {65534}, "owners of the objects")
        for folder in ("log", "data", "run"):
            check(os.stat(f"{node.root}/{folder}").st_mode & 0o007 == 0, f"others may look into {folder}")
        check(os.stat(node.root + "/run/control.sock").st_mode & 0o007 == 0, "others may use the control socket")
        for socket in (node.socket("disk"), node.image_socket("disk")):
            check(os.stat(socket).st_mode & 0o007 == 0, f"others may use {socket}")
        node.vlmc("unmap", "alone")
        node.hook("detach", "disk")


def readable_for_all():
    from node import note
    path = os.path.realpath(DIST)
    while path != "/":
        if not os.stat(path).st_mode & 0o001:
            note(f"not tested: other users cannot enter {path}")
            return False
        path = os.path.dirname(path)
    return True
