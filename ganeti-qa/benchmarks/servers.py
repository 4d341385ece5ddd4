"""What is measured: Archipelago's daemon, and the others that serve disks over NBD."""
import os
import re
import shutil
import subprocess
import time

from .common import MIB, await_, run


class Nbdkit:
    """nbdkit's file plugin on a raw file."""
    name = "nbdkit file"

    def __init__(self, work, size):
        self.file, self.socket = work + "/nbdkit.raw", work + "/nbdkit.sock"
        run(["truncate", "-s", str(size), self.file])
        self.process = subprocess.Popen(["nbdkit", "-f", "-U", self.socket, "file", self.file])
        await_(lambda: os.path.exists(self.socket), self.socket, self.process)
        self.uri = "nbd+unix:///?socket=" + self.socket

    def pids(self):
        return [self.process.pid]

    def close(self):
        self.process.terminate()
        self.process.wait()


class StorageDaemon:
    """qemu-storage-daemon on a qcow2 file, maybe an overlay, or on a raw one."""
    name, raw_name, extended_name = "qemu qcow2", "qemu raw", "qcow2 extended_l2"
    OVERLAYS = {name: "cluster_size=64k", extended_name: "extended_l2=on,cluster_size=128k"}    # what qemu-img calls them
    number = 0

    def __init__(self, work, size=None, backing=None, form="qcow2", overlay=name):
        StorageDaemon.number += 1
        self.name = self.raw_name if form == "raw" else overlay
        self.file = "%s/qsd-%d.%s" % (work, StorageDaemon.number, form)
        self.socket = self.file + ".sock"
        if backing:
            run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", self.OVERLAYS[overlay], "-F", "qcow2", "-b", backing, self.file])
        else:
            run(["qemu-img", "create", "-q", "-f", form, self.file, str(size)])
        self.process = subprocess.Popen([
            "qemu-storage-daemon",
            "--blockdev", "driver=%s,node-name=disk,file.driver=file,file.filename=%s" % (form, self.file),
            "--nbd-server", "addr.type=unix,addr.path=" + self.socket,
            "--export", "type=nbd,id=export,node-name=disk,name=disk,writable=on"])
        await_(lambda: os.path.exists(self.socket), self.socket, self.process)
        self.uri = "nbd+unix:///disk?socket=" + self.socket

    pids = Nbdkit.pids
    close = Nbdkit.close


class Archipelago:
    """A daemon of the staged tree with a root of its own."""
    name = "archipelago"
    COMPOSER, DUMMY, FREE = 500, 1023, 499      # ports of its segment

    def __init__(self, work, dist):
        self.root, self.dist = work + "/archipelago", dist
        self.scripts = dist + "/extstorage/archipelago"
        self.segment = "bench-%d" % os.getpid()
        self.environment = dict(os.environ, ARCHIPELAGO_ROOT=self.root)
        self.store = self.root + "/srv"
        for folder in ("etc", "srv/blocks", "srv/maps"):
            os.makedirs(os.path.join(self.root, folder))
        self.give(self.store)
        self.running = None
        self.endpoint = "none"

    @staticmethod
    def give(folder):
        """The store belongs to the daemon's user, if there is one."""
        try:
            for path in (folder, folder + "/blocks", folder + "/maps"):
                shutil.chown(path, "archipelago", "archipelago")
        except LookupError:
            pass

    def start(self, endpoint, direct=False, spin=50):
        """The daemon, with block devices (`loop`) or without (`none`); direct: past the page cache. It has a dummy role, too."""
        if self.running == (endpoint, direct, spin):
            return
        self.stop()
        with open(self.dist + "/etc/archipelago.conf") as f:
            text = f.read()
        text = text.replace("/srv/archip/", self.store + "/")
        text = re.sub(r"(?m)^SEGMENT_NAME = .*", "SEGMENT_NAME = '%s'" % self.segment, text)
        text = re.sub(r"(?m)^ENDPOINT = .*", "ENDPOINT = '%s'" % endpoint, text)
        text = re.sub(r"(?m)^SPIN_US = \d+", "SPIN_US = %d" % spin, text)
        text = re.sub(r"'direct': \w+", "'direct': %s" % direct, text, count=1)     # the first is the data's
        text = text.replace("roles = [", "roles = [\n    ('dummy', 'dummy'),", 1)
        text += "\ndummy = {'portno_start': %d, 'portno_end': %d}\n" % (self.DUMMY, self.DUMMY)
        with open(self.root + "/etc/archipelago.conf", "w") as f:
            f.write(text)
        self.archipelago("start")
        self.running, self.endpoint = (endpoint, direct, spin), endpoint

    def stop(self):
        if self.running:
            self.running = None
            self.archipelago("stop", "--force")

    def log(self):
        """The end of what the daemon has to say."""
        lines = []
        for name in ("archipelagod.log", "archipelagod.out"):
            try:
                with open(os.path.join(self.root, "log", name)) as f:
                    lines += ["%s: %s" % (name, line) for line in f.read().splitlines()[-5:]]
            except OSError:
                pass
        return "\n".join(lines)

    close = stop

    def archipelago(self, *argv):
        return run([self.dist + "/bin/archipelago", *argv], env=self.environment)

    def vlmc(self, *argv):
        return run([self.dist + "/bin/vlmc", *argv], env=self.environment)

    def hook(self, action, volume, **more):
        """Calls a script as Ganeti does; (what it printed, its seconds)."""
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "ARCHIPELAGO_ROOT": self.root, "VOL_NAME": volume,
                       "VOL_UUID": "bench", "EXTP_PROVIDER": "archipelago",
                       "EXTP_ACCESS": "userspace" if self.endpoint == "none" else "kernelspace", **more}
        began = time.perf_counter()
        out = run([self.scripts + "/" + action], env=environment, cwd=self.scripts)
        return out, time.perf_counter() - began

    def attach(self, volume, **more):
        """The path of the NBD socket of a volume that it attaches."""
        out, _ = self.hook("attach", volume, **more)
        return re.search(r"(?m)^kvm:nbd:unix:([^,\n]*)", out).group(1)

    def volume(self, name, size):
        """The URI for fio of a volume that it makes."""
        self.hook("create", name, VOL_SIZE=str(size // MIB))
        return "nbd+unix:///?socket=" + self.attach(name)

    def snapshot(self, volume, name):
        self.hook("snapshot", volume, VOL_SNAPSHOT_NAME=name, VOL_SNAPSHOT_SIZE="0")

    def clone(self, snapshot, name, size):
        """The URI for fio of a clone that it makes."""
        self.hook("create", name, VOL_SIZE=str(size // MIB), EXTP_ORIGIN=snapshot)
        return "nbd+unix:///?socket=" + self.attach(name)

    def drop(self, *names):
        for name in names:
            self.hook("detach", name)
            self.hook("remove", name)

    def segment_file(self):
        """Name in /dev/shm: the configured one and the node's identity."""
        return next(f for f in os.listdir("/dev/shm") if f.startswith(self.segment) and ".bell." not in f)

    def processes(self):
        """(those of the daemon, those of its helpers)."""
        mark = ("ARCHIPELAGO_ROOT=" + self.root).encode()
        daemon, helpers = [], []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/environ" % pid, "rb") as f:
                    ours = mark in f.read().split(b"\0")
                with open("/proc/%s/cmdline" % pid) as f:
                    helper = f.read().startswith("archipelago-loop")
            except OSError:
                continue
            if ours:
                (helpers if helper else daemon).append(int(pid))
        return daemon, helpers

    def pids(self):
        return sum(self.processes(), [])
