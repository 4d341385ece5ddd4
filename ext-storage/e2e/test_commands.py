# SPDX-License-Identifier: BSD-2-Clause
"""The command line: help, suggestions, tables, exit codes."""
import json
import os
import re
import shutil
import struct
import subprocess

from control import control, frames, last_code, read_all
from node import DIST, MIB, Node, SCRIPTS, await_, check, equal

NODE = {"endpoint": "none"}


def commands_of(text):
    """Names in a program's help: indented lines, two blanks before what the command does."""
    return re.findall(r"^  ([a-z]+)(?:, [a-z]+)*(?: [^ ]+)*  +[A-Z]", text, re.M)


def test_help_of_every_command(node):
    seen = {}
    for program in ("vlmc", "archipelago"):
        text = getattr(node, program)("--help").out
        check(text == getattr(node, program)("help").out == getattr(node, program)("-h").out, f"three helps of {program}")
        seen[program] = commands_of(text)
        for name in seen[program]:
            result = getattr(node, program)(name, "--help")
            equal(result.err, "", f"stderr of {result.words}")
            equal(getattr(node, program)("help", name).out, result.out, f"{program} help {name}")
            for must in (f"{program} {name}", "Exit codes", "--help", "--config"):
                check(must in result.out, f"{result.words} does not tell {must!r}")
            check(len(result.lines()) >= 15, f"{result.words} tells little: {result}")
            check(all(len(line) <= 100 for line in result.lines()), f"wide lines in {result.words}")
    expected = ("showmapped map unmap create snapshot remove info open close lock unlock list resize rename import export "
                "mapinfo du").split()
    equal(sorted(set(expected) - set(seen["vlmc"])), [], "commands that vlmc's help lacks")
    equal(sorted(set("start stop restart status config".split()) - set(seen["archipelago"])), [], "commands that archipelago's help lacks")
    for action in SCRIPTS:
        result = node.call([f"{DIST}/extstorage/archipelago/{action}", "--help"]).must(0)
        check(action in result.out and len(result.lines()) >= 10, f"help of the script {action}: {result}")
    check("origin" in node.call([DIST + "/extstorage/archipelago/create", "--help"]).out, "create's help does not tell of origin")


def test_suggestions(node):
    for words, code, meant in (("vlmc creat x", 2, "create"), ("vlmc shomapped", 2, "showmapped"), ("vlmc remvoe x", 2, "remove"),
                               ("vlmc create x --siez 1", 2, "--size"), ("vlmc list -o nam", 2, "name"),
                               ("archipelago strat", 2, "start"), ("archipelago statsu", 2, "status"),
                               ("archipelago start blockrb", 4, "blockerb")):
        program, *rest = words.split()
        getattr(node, program)(*rest, code=None).complains(code, f"did you mean {meant}")
    node.vlmc("zzzzzz", code=None).complains(2, "--help")
    node.vlmc(code=None).complains(2, "--help")
    for words, says in ((("create",), "VOLUME"), (("list", "a", "b"), "'b'"), (("create", "x"), "--size"), (("resize", "x"), "--size"),
                        (("create", "x", "--size"), "--size"), (("unmap", "x", "y"), "'y'"), (("info", "--nonsense", "x"), "--nonsense")):
        node.vlmc(*words, code=None).complains(2, says)


def test_tables(node):
    node.vlmc("create", "disk", "--size", "1.5G")
    node.vlmc("create", "other", "--size", "512")
    node.vlmc("snapshot", "disk", "snap")
    node.vlmc("map", "disk")
    listed = {v["name"]: v for v in node.vlmc("list", "--json").json()["volumes"]}
    equal(sorted(listed), ["disk", "other", "snap"], "names in list --json")
    equal([listed["disk"]["size"], listed["snap"]["type"], listed["other"]["device"]], [1536 * MIB, "snapshot", None], "list --json")
    equal([line.split()[0] for line in node.vlmc("ls", "o").lines()], ["NAME", "other"], "list PREFIX")
    equal(node.vlmc("list", "-o", "size,name", "--noheadings").lines()[0].split(), ["1.5G", "disk"], "list -o size,name")
    equal(node.vlmc("list", "-n", "-b", "-o", "name,size").lines()[1].split(), ["other", str(512 * MIB)], "list --bytes")
    equal(list(node.vlmc("list", "--json", "-o", "name,size").json()["volumes"][0]), ["name", "size"], "columns in JSON")
    usual, more = node.vlmc("list").lines()[0].split(), node.vlmc("list", "-o", "+created,id").lines()[0].split()
    equal(more, usual + ["CREATED", "ID"], "list -o +created,id")
    check(len(node.vlmc("list", "-o", "all").lines()[0].split()) > len(usual), "list -o all")
    node.vlmc("list", "-o", "colour", code=None).complains(2, "colour", "name")
    info = node.vlmc("info", "--json", "disk").json()
    equal([info["name"], info["size"], info["blocksize"]], ["disk", 1536 * MIB, 4 * MIB], "info --json")
    equal(node.vlmc("info", "--bytes", "-o", "size", "disk").out.split(), ["size:", str(1536 * MIB)], "info --bytes -o size")
    mapped = node.vlmc("showmapped", "--json").json()["mapped"]
    equal([(m["id"], m["volume"], m["socket"]) for m in mapped], [(1, "disk", node.socket("disk"))], "showmapped --json")
    equal(node.vlmc("showmapped", "-n", "-o", "volume,state").out.split(), ["disk", "attached"], "showmapped -o")
    map_ = node.vlmc("mapinfo", "--json", "disk").json()
    equal([map_["size"], map_["blocks"], map_["zero"]], [1536 * MIB, 384, 384], "mapinfo --json")
    check("384" in node.vlmc("mapinfo", "disk").out, "mapinfo")
    status = node.archipelago("status", "--json").json()
    equal([status["running"], status["mapped"], status["pid"]], [True, 1, node.pid()], "status --json")
    equal({r["role"]: r["state"] for r in status["roles"]}, dict.fromkeys(("blockerb", "blockerm", "mapperd", "vlmcd"), "running"),
          "roles in status --json")
    check("blockerb" in node.archipelago("status", "blockerb").out, "status of one role")
    node.archipelago("status", "nosuch", code=None).complains(4, "nosuch")
    node.vlmc("unmap", "disk")


def test_user_space_only(node):
    """-u, before a command or behind it: on one that runs it changes nothing."""
    pid = node.pid()
    for words in (("status", "-u"), ("-u", "status"), ("status", "--user", "vlmcd"), ("start", "-u"), ("-u", "start")):
        result = node.archipelago(*words)
        equal(result.err, "", f"stderr of {result.words}")
        check(str(pid) in result.out or "running" in result.out, f"it does not tell that it runs: {result}")
    node.archipelago("restart", "-u")
    check(node.running() and node.pid() != pid, "restart -u has not restarted it")
    node.archipelago("stop", "-u")
    check(not node.running(), "it still runs after stop -u")
    node.archipelago("start", "-u")
    node.vlmc("list", "-u", code=None).complains(2, "-u")


def test_kernel_module(node):
    """One that ENDPOINT names and that cannot be loaded: told before anything is stopped, or left alone with -u."""
    with open(node.conf) as f:
        conf = f.read()
    check("devices       none (ENDPOINT)" in node.archipelago("status").out, "status without devices")
    equal(json.loads(node.archipelago("status", "--json").out)["driver"], "none", "driver in status --json")
    pid = node.pid()
    for driver in ("xsegbd", "nbd"):
        if os.path.exists(f"/sys/module/{driver}") or subprocess.run(["modprobe", "-n", "-q", driver], check=False).returncode == 0:
            continue  # it can be loaded here, and is not ours to load
        node.configure(conf.replace("ENDPOINT = 'none'", f"ENDPOINT = '{driver}'"))
        for command in ("start", "restart"):
            node.archipelago(command, code=None).complains(1, driver, "modprobe", "ENDPOINT = 'auto'", "start -u")
            equal(node.pid(), pid, "the daemon's process")
        node.archipelago("restart", "-u")
        check(f"made by {driver}, which this kernel does not have: modprobe {driver}" in node.archipelago("status").out, "status")
        node.vlmc("create", "v", "--size", "1M")
        node.vlmc("map", "v", code=None).complains(1, "v", "modprobe " + driver)
        equal(node.vlmc("showmapped").out, "No volumes mapped\n", "mapped")
        node.vlmc("remove", "v")
        pid = node.pid()
    node.configure(conf)
    node.archipelago("restart")


def test_exit_codes(node):
    """Each that the help documents, but those of the daemon's own long waits."""
    vlmc = [DIST + "/bin/vlmc"]
    documented = {int(c) for c in re.findall(r"^ +(\d+)  ", node.vlmc("--help").out.split("Exit codes")[1], re.M)}
    equal(documented, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 75}, "documented exit codes")
    node.vlmc("create", "disk", "--size", "8")
    node.vlmc("map", "disk")
    node.vlmc("export", "disk", "/proc/no", code=1)
    node.vlmc("create", "bad name", "--size", "8", code=None).complains(2, "bad name")
    node.vlmc("info", "missing", code=None).complains(4, "missing")
    node.vlmc("remove", "disk", code=None).complains(5, "disk", "unmap")
    node.archipelago("stop", code=None).complains(5, "disk", "--force")
    node.vlmc("create", "disk", "--size", "8", code=None).complains(6, "disk")
    node.vlmc("unmap", "disk")
    node.vlmc("unmap", "disk", code=None).complains(4, "disk")
    # 64, 69, 70, 74, 77: the client itself; see also test_without_daemon and test_bad_store for 3, 7, 8, 9, 70, 75
    node.call(vlmc + ["list"] + ["x"] * 300).complains(64, "256")
    node.call(vlmc + ["list"], env={"ARCHIPELAGO_ROOT": "/tmp/" + "x" * 100}).complains(64, "107")
    with open("/dev/full", "w") as full:
        child = subprocess.run(vlmc + ["list"], env=node.env, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    equal(child.returncode, 74, f"exit code where the output is lost ({child.stderr.decode()})")
    unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    node.call(unprivileged + vlmc + ["list"]).complains(77, "root")


def test_broken_installation():
    with Node() as node:
        shutil.copytree(DIST + "/bin", node.root + "/d/bin", symlinks=True)
        os.makedirs(node.root + "/d/lib/archipelago")
        shutil.copy(DIST + "/lib/archipelago/client", node.root + "/d/lib/archipelago/client")
        node.call([node.root + "/d/bin/vlmc", "list"]).complains(69, "install")


def test_clients_of_the_control_socket(node):
    """Who says too much, or nonsense, is told so and sent away; however many say nothing, others are served."""
    for hostile in (b"GET / HTTP/1.0\r\n\r\n", b"ARCTL001" + b"\xff" * 64, frames(b"P", b"vlmc") + b"P\1\0\0" + bytes(64),
                    b"ARCTL001" + b"A\0\0\0" + struct.pack("<I", 1 << 31), frames(*[b"A", b"x" * 65536] * 20),
                    frames(b"P", b"nosuchprogram", b"G", b""), frames(b"G", b"")):
        code, said = answer(node, hostile)
        check(code == 2 and said, f"{hostile[:40]!r} is answered with {code}, {said!r}")
    many = [control(node) for _ in range(300)]
    await_(lambda: node.vlmc("list", code=None).code in (0, 75), "an answer with 300 clients that say nothing")
    for client in many:
        client.close()
    await_(lambda: node.vlmc("list", code=None).code == 0, "an answer after 300 clients")


def answer(node, sent):
    with control(node) as client:
        try:
            client.sendall(sent)
        except OSError:
            pass  # it has had enough
        data = read_all(client)
    return last_code(data), data[8:-12].decode(errors="replace")


def test_xseg_tool(node):
    """The xseg tool finds the daemon's segment sound."""
    name = os.path.basename([p for p in node.shared_memory() if ".bell" not in p][0])
    xseg = [DIST + "/bin/xseg", "-g", name]
    node.call(xseg + ["verify"]).must(0)
    check(len(node.call(xseg + ["reportall"]).must(0).lines()) >= 4, "xseg reportall tells of less than four ports")


def test_bench(node):
    """A peer of the kind bench, in a process of its own."""
    node.vlmc("create", "measured", "--size", "16")
    for words, depths in (([], [1]), (["--write", "--depth", "8,3", "--block", "65536"], [8, 3])):
        lines = node.archipelago("bench", "measured", "--seconds", "1", *words).lines()
        rows = [[int(cell) for cell in line.split()] for line in lines[1:]]
        check([row[0] for row in rows] == depths, f"what bench tells: {lines}")
        check(all(rate > 0 and 0 < p50 <= p99 <= p999 for _, rate, p50, p99, p999 in rows), f"what bench tells: {lines}")
    node.archipelago("bench", "measured", "--port", "99999", code=None).complains(2, "99999")
    node.archipelago("bench", "nothing", code=None).complains(4, "nothing")
    node.archipelago("bench", "measured", "--role", "nobody", code=None).complains(4, "nobody", "vlmcd")
    node.archipelago("bench", "measured", "--depth", "0", code=None).complains(2, "depth")
    node.vlmc("remove", "measured")
