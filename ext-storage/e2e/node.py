# SPDX-License-Identifier: BSD-2-Clause
"""A node to test: Archipelago below a folder of its own, its commands, Ganeti's calls, and what it left behind."""
import concurrent.futures
import glob
import json
import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
DIST = os.path.normpath(os.path.join(HERE, "..", "..", "target", "dist"))
SCRIPTS = "create attach detach remove grow setinfo verify snapshot open close".split()
MIB = 1 << 20
PATIENCE = 120  # seconds; what takes longer hangs


NOTES = []  # of the test that runs


def note(text):
    """Something to be printed with the test's result."""
    NOTES.append(text)


class Failed(Exception):
    """The product did not do what it should."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def equal(seen, expected, what):
    check(seen == expected, f"{what}: {seen!r}, and {expected!r} was expected")


def shorten(text, most=3000):
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


class Result:
    """How a command ended."""

    def __init__(self, words, code, out, err, seconds):
        self.words, self.code, self.out, self.err, self.seconds = words, code, out, err, seconds

    def __str__(self):
        return (f"{shorten(self.words, 200)} -> {self.code} in {self.seconds:.2f} s\n  stdout: {shorten(self.out.strip())}"
                f"\n  stderr: {shorten(self.err.strip())}")

    def must(self, *codes):
        check(self.code in codes, f"exit code {self.code}, expected {' or '.join(map(str, codes))}: {self}")
        return self

    def lines(self):
        return self.out.splitlines()

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as e:
            raise Failed(f"no JSON ({e}): {self}") from e

    def complains(self, code, *words, most=2):
        """It failed with this code and a clear message: one or two lines on stderr, with these words in them."""
        self.must(code)
        lines = [line for line in self.err.splitlines() if "warning: there is no user" not in line]
        check(1 <= len(lines) <= most, f"{len(lines)} lines of complaint: {self}")
        check(all(len(line) < 700 for line in lines), f"an endless complaint: {self}")
        check(not re.search(r"Exception|\tat |null|[\x00-\x09\x0b-\x1f\x7f]", self.err), f"not for people: {self}")
        for word in words:
            check(word in self.err, f"the complaint does not say {word!r}: {self}")
        return self


def run(words, env=None, timeout=PATIENCE, cwd=None, stdin=subprocess.DEVNULL, shown=None):
    """Runs a program to its end; one that takes too long is ended, and has failed."""
    begun = time.monotonic()
    child = subprocess.Popen(words, env=env, cwd=cwd, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        place = waits_for(child.pid)
        child.kill()
        raise Failed(f"hangs, was ended after {timeout} s: {shown or ' '.join(words)}; it waited for {place}") from None
    return Result(shown or " ".join(words), child.returncode, out.decode(errors="replace"), err.decode(errors="replace"),
                  time.monotonic() - begun)


def tool(*words, code=0):
    """A program of the host's, not to be tested."""
    return run(list(words)).must(code)


def await_(condition, what, seconds=PATIENCE, pause=0.02):
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < until, f"not within {seconds} s: {what}")
        time.sleep(pause)


def in_thread(function, *arguments, **options):
    """Calls it in a thread; returns what waits for its result."""
    return concurrent.futures.ThreadPoolExecutor(1).submit(function, *arguments, **options).result


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def waits_for(pid):
    """Where in the kernel each thread of a process is."""
    places = []
    for path in glob.glob(f"/proc/{pid}/task/*/stack"):
        try:
            with open(path) as f:
                places.append(f.readline().strip())
        except OSError:
            pass
    return ", ".join(places) or "nothing"


def user_exists(name):
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False


class Node:
    """An ARCHIPELAGO_ROOT. with Node() as node: ends it, and fails where something is left."""

    def __init__(self, endpoint="auto", user="archipelago", group="archipelago", processes=(), settings="", store_mib=0, store=None):
        """store_mib: the store is a file system of its own, of that size, or of blocks and of maps each; store: that of another node."""
        self.root = "/tmp/a" + uuid.uuid4().hex[:7]  # short: a socket's path has 107 bytes, a volume's name up to 80
        os.mkdir(self.root)
        os.chmod(self.root, 0o755)
        self.segment = "e2e-" + uuid.uuid4().hex[:8]
        self.owner = user if user_exists(user) else None
        self.store = store or self.root + "/srv"
        self.files = self.root + "/files"  # for the tests
        self.file_systems = []
        for below, mib in zip(("/blocks", "/maps"), store_mib) if isinstance(store_mib, tuple) else [("", store_mib)] if store_mib else []:
            os.makedirs(self.store + below)
            tool("mount", "-t", "tmpfs", "-o", f"size={mib}M", "e2e", self.store + below)
            self.file_systems.append(self.store + below)
        for folder in (self.root + "/etc", self.files, self.store + "/blocks", self.store + "/maps"):
            os.makedirs(folder, exist_ok=True)
        self.give(self.store + "/blocks", self.store + "/maps")
        self.conf = self.root + "/etc/archipelago.conf"
        self.configure(self.configuration(endpoint, user, group, dict(processes), settings))
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "ARCHIPELAGO_ROOT": self.root}
        self.children = []

    def give(self, *paths):
        for path in paths if self.owner else ():
            shutil.chown(path, self.owner)

    def configuration(self, endpoint, user, group, processes, settings):
        roles = [("blockerb", "file_blocker", 1000, 1000, {"archip_dir": self.store + "/blocks"}),
                 ("blockerm", "file_blocker", 1002, 1002, {"archip_dir": self.store + "/maps"}),
                 ("mapperd", "mapperd", 1001, 1001, {"blockerb_port": 1000, "blockerm_port": 1002}),
                 ("vlmcd", "vlmcd", 500, 999, {"blocker_port": 1000, "mapper_port": 1001})]
        if "dummy" in processes:
            roles.append(("dummy", "dummy", 1023, 1023, {}))
        text = [f"SEGMENT_NAME = '{self.segment}'", f"ENDPOINT = '{endpoint}'", f"USER = '{user}'", f"GROUP = '{group}'", settings,
                "roles = " + repr([(name, kind) for name, kind, *_ in roles])]
        for name, _, first, last, own in roles:
            process = {"process": processes[name]} if name in processes else {}
            text.append(f"{name} = {({'portno_start': first, 'portno_end': last, **own, **process})}")
        return "\n".join(text) + "\n"

    def configure(self, text):
        with open(self.conf, "w") as f:
            f.write(text)

    # ---- commands

    def call(self, words, timeout=PATIENCE, env=(), cwd=None, **options):
        return run(words, env={**self.env, **dict(env)}, timeout=timeout, cwd=cwd or self.root, **options)

    def vlmc(self, *words, code=0, **options):
        result = self.call([DIST + "/bin/vlmc", *words], shown="vlmc " + " ".join(words), **options)
        return result if code is None else result.must(code)

    def archipelago(self, *words, code=0, **options):
        result = self.call([DIST + "/bin/archipelago", *words], shown="archipelago " + " ".join(words), **options)
        return result if code is None else result.must(code)

    def hook_env(self, volume, orders=()):
        """What ganeti-noded passes on: its own environment, whatever that is, and the orders."""
        return {**self.env, "TERM": "linux", "SSH_CLIENT": "192.0.2.1 22 22", "LC_ALL": "C", "EXTP_PROVIDER": "archipelago",
                "EXTP_ACCESS": "kernelspace", "VOL_CNAME": "disk", "VOL_UUID": "0d4f8a6e-0000-4000-8000-000000000001",
                **({} if volume is None else {"VOL_NAME": volume}), **dict(orders)}

    def hook(self, action, volume, code=0, timeout=PATIENCE, **orders):
        """A provider's script as Ganeti calls it."""
        script = DIST + "/extstorage/archipelago/" + action
        result = run([script], env=self.hook_env(volume, orders), timeout=timeout, cwd=os.path.dirname(script),
                     shown=" ".join([f"{name}={value}" for name, value in orders.items()] + [f"VOL_NAME={volume}", action]))
        return result if code is None else result.must(code)

    def attach(self, volume):
        """The device that the script attach prints, checked; None where it prints an empty line."""
        lines = self.hook("attach", volume).lines()
        equal(len(lines), 2, f"lines of attach {volume}")
        check(lines[1].startswith(f"kvm:nbd:unix:{self.socket(volume)}"), f"second line of attach {volume}: {lines[1]!r}")
        if not lines[0]:
            return None
        check(is_block_device(lines[0]), f"attach {volume} printed {lines[0]!r}, which is no block device")
        return lines[0]

    def child(self, words, env=(), **options):
        """A program that runs beside the test; it is ended with the node at the latest."""
        child = subprocess.Popen(words, env={**self.env, **dict(env)}, cwd=self.root, **options)
        self.children.append(child)
        return child

    # ---- the daemon

    def start(self):
        self.archipelago("start")
        return self

    def stop(self):
        self.archipelago("stop")

    def pid(self):
        with open(self.root + "/run/archipelagod.pid") as f:
            return int(f.read())

    def running(self):
        try:
            return alive(self.pid())
        except (OSError, ValueError):
            return False

    def kill(self, number=signal.SIGKILL):
        """Ends the daemon without a word to it; returns when it is gone."""
        pid = self.pid()
        handle = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(handle, number)
            check(select.select([handle], [], [], PATIENCE)[0], f"archipelagod, process {pid}, does not end by signal {number}")
        finally:
            os.close(handle)

    def name(self):
        """What messages call the daemon by, beside the host's name."""
        with open(self.root + "/data/identity") as f:
            return f"daemon {f.read()[:8]}"

    def holder(self, volume):
        """Who may write it, as this node sees it; an empty text where nobody holds it."""
        return self.vlmc("info", "-o", "holder", volume).out.split(":", 1)[1].strip()

    def socket(self, volume):
        return f"{self.root}/run/nbd/{volume}.sock"

    def image_socket(self, volume):
        return f"{self.root}/run/img/{volume}.sock"

    def volumes(self):
        return [v["name"] for v in self.vlmc("list", "--json", "--all").json()["volumes"]]

    def objects(self):
        """Paths of all files of the store that are no housekeeping of its own."""
        return sorted(path for path in glob.glob(self.store + "/*/**", recursive=True)
                      if os.path.isfile(path) and os.path.basename(path) != "archipelago.store")

    def log(self):
        with open(self.root + "/log/archipelagod.log", errors="replace") as f:
            return f.read()

    # ---- what is there of it on the host

    def processes(self):
        """Of this root, other than the test's own children."""
        return {pid: name for pid, name in processes_of(self.root).items() if pid not in [c.pid for c in self.children]}

    def loop_devices(self, volume=None):
        """Devices whose file lies below the root: of all volumes, or of one."""
        found = []
        for backing in glob.glob("/sys/block/loop*/loop/backing_file"):
            try:
                with open(backing) as f:
                    file = f.read().strip()
            except OSError:
                continue
            if file.startswith(self.root + "/") and (volume is None or file == f"{self.root}/run/loop/{volume}.file"):
                found.append("/dev/" + backing.split("/")[3])
        return sorted(found)

    def mounts(self):
        with open("/proc/self/mountinfo") as f:
            places = [line.split()[4] for line in f]
        return [p for p in places if p.startswith(self.root + "/") and p not in self.file_systems]

    def sockets(self):
        with open("/proc/net/unix") as f:
            return sorted({line.split()[-1] for line in f if self.root + "/" in line})

    def shared_memory(self):
        return glob.glob(f"/dev/shm/{self.segment}*")

    def mapped_left(self):
        """What is left of mappings, in words; an empty list where all is clean."""
        left = [f"loop device {d}" for d in self.loop_devices()] + [f"mount {m}" for m in self.mounts()]
        left += [f"process {pid} ({name})" for pid, name in self.processes().items() if "archipelago-loop" in name or "qemu" in name]
        for folder in ("nbd", "img", "mapped", "loop"):
            left += glob.glob(f"{self.root}/run/{folder}/*")
        return left

    def all_left(self):
        left = self.mapped_left() + [f"process {pid} ({name})" for pid, name in self.processes().items()]
        left += [f"socket {s}" for s in self.sockets()] + self.shared_memory()
        return sorted(set(left))

    def expect_clean(self, left, when):
        """What is on its way out gets a moment."""
        until = time.monotonic() + 10
        while left() and time.monotonic() < until:
            time.sleep(0.05)
        check(not left(), f"left {when}: " + ", ".join(left()))

    def sweep(self):
        """After a test: nothing is mapped; all volumes go."""
        self.end_children()
        self.expect_clean(self.mapped_left, "after the test")
        while True:
            names = self.volumes()
            if not names:
                return
            for name in names:
                self.vlmc("remove", name)

    def tell(self):
        """What may help to understand a failure: its processes, and the ends of its logs."""
        for pid, name in processes_of(self.root).items():
            note(f"process {pid} ({name}) waits for {waits_for(pid)}")
        for path in [self.root + "/log/archipelagod.log", *glob.glob(self.root + "/run/loop/*.log")]:
            try:
                with open(path, errors="replace") as f:
                    note(f"the end of {path}:\n  " + "  ".join(line[:300] for line in f.readlines()[-20:]))
            except OSError:
                pass

    # ---- its end

    def end_children(self):
        """One that waits for a device ends with that device, or when a daemon answers."""
        for child in self.children:
            child.kill()
        for child in self.children:
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                raise Failed(f"process {child.pid} ({child.args[0]}) does not end: it waits for {waits_for(child.pid)}") from None
        self.children.clear()

    def close(self):
        """Stops it in order; fails where that fails, or something is left."""
        try:
            self.end_children()
            if self.running():
                self.stop()
            self.expect_clean(self.all_left, "after the stop")
        finally:
            self.destroy()

    def destroy(self):
        """Takes away whatever there is of it, by force. Processes first: who serves a device lets those go who wait for it."""
        if sys.exc_info()[0]:
            self.tell()
        until = time.monotonic() + 10
        while processes_of(self.root) and time.monotonic() < until:
            for pid in processes_of(self.root):
                kill(pid)
            time.sleep(0.05)
        for mount in reversed(self.mounts()):
            if "/run/loop/" not in mount:
                subprocess.run(["umount", "-l", mount], stderr=subprocess.DEVNULL, check=False)
        for device in self.loop_devices():
            subprocess.run(["losetup", "-d", device], stderr=subprocess.DEVNULL, check=False)
        for mount in reversed(self.mounts()):
            subprocess.run(["umount", "-l", mount], stderr=subprocess.DEVNULL, check=False)
        for place in self.file_systems:
            while os.path.ismount(place):
                subprocess.run(["umount", "-l", place], check=True)
        for path in self.shared_memory():
            os.unlink(path)
        self.end_children()
        subprocess.run(["rm", "-rf", "--one-file-system", self.root], check=False)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self.destroy()


def processes_of(root):
    """By their environment, which the commands and the daemon pass on."""
    wanted, found = f"ARCHIPELAGO_ROOT={root}".encode(), {}
    for folder in glob.glob("/proc/[0-9]*"):
        pid = int(folder[6:])
        try:
            with open(folder + "/environ", "rb") as f:
                ours = wanted in f.read().split(b"\0")
            if ours and pid != os.getpid() and alive(pid):
                with open(folder + "/cmdline", "rb") as f:
                    found[pid] = f.read().replace(b"\0", b" ").decode(errors="replace").strip()[-200:]
        except OSError:
            continue
    return found


def is_block_device(path):
    try:
        return os.stat(path).st_rdev > 0 and (os.stat(path).st_mode & 0o170000) == 0o060000
    except OSError:
        return False
