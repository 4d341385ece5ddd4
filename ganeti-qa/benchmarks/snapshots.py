"""Snapshots and clones of small and of huge volumes: how long a live one holds I/O up, and what a clone costs."""
import os
import subprocess
import tempfile
import time
from collections import namedtuple

from .common import MIB, say
from .disks import RANDOM_WRITE, fill
from .loads import fio, outcome
from .results import LOWER
from .servers import Archipelago

SMALL, HUGE = 1 << 30, 1 << 40
BLOCK = 4 * MIB
START, WARM_UP, SETTLE = 1.0, 1.0, 0.5      # seconds until fio is at work, of load before a snapshot, and after it
PAUSE_MS, CLONE_MS = 50, 20
CLONES = 10                     # of each snapshot in a round

# when a request was answered, by time.time(), and how long that took, seconds
Answer = namedtuple("Answer", "at latency")


def measure_snapshot(_work, options, archipelago, results):
    """The longest that a write waits while its volume is snapshot, and clones of both, 1 GiB and 1 TiB."""
    if not archipelago:
        return
    results.group("snapshot", [Archipelago.name])
    archipelago.start("none")
    sizes = {"1 GiB": SMALL, "1 TiB, %d blocks" % options.huge_blocks: HUGE}
    uris = {}
    for label, size in sizes.items():
        say("filling a volume of %s" % label)
        uris[label] = archipelago.volume(volume_of(size), size)
        if size == SMALL:
            fill(uris[label], size)
        else:
            spread(uris[label], size, options.huge_blocks)
    for number in range(options.rounds):
        say("snapshots, round %d of %d" % (number + 1, options.rounds))
        for label, size in sizes.items():
            pause, usual = snapshot_under_load(archipelago, uris[label], size, "bench-snap-%d" % number)
            case = "write under a snapshot, " + label
            results.add("snapshot", case + ": waits at most", Archipelago.name, "ms", 1000 * pause)
            results.add("snapshot", case + ": in the second before", Archipelago.name, "ms", 1000 * usual)
            archipelago.hook("remove", "bench-snap-%d" % number)
    for label in sizes:
        results.require("snapshot", "write under a snapshot, %s: waits at most" % label, Archipelago.name, PAUSE_MS, sense=LOWER)
    measure_clones(options, archipelago, results, sizes)
    archipelago.drop(*map(volume_of, sizes.values()))


def volume_of(size):
    return "bench-%dg" % (size >> 30)


def spread(uri, size, blocks):
    """One unit in each of many blocks, all over the volume."""
    step = size // blocks
    fio(uri, ["--rw=write:%d" % (step - 4096), "--bs=4k", "--iodepth=32", "--size=%d" % size, "--io_size=%d" % (4096 * blocks)])


def snapshot_under_load(archipelago, uri, size, name):
    """(the longest wait of a write while the snapshot was made, the longest in the time before), seconds."""
    with tempfile.TemporaryDirectory(prefix="archipelago-bench-log.") as logs:
        load = subprocess.Popen(
            ["fio", "--name=x", "--output-format=json", "--randrepeat=0", "--ioengine=nbd", "--uri=" + uri, *RANDOM_WRITE, "--iodepth=8",
             "--size=%d" % size, "--norandommap", "--time_based", "--runtime=60",
             "--write_lat_log=" + logs + "/x", "--log_unix_epoch=1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(START + WARM_UP)
            began = time.time()
            archipelago.snapshot(volume_of(size), name)
            ended = time.time()
            time.sleep(SETTLE)
        finally:
            load.send_signal(2)     # fio ends in order, and writes its logs
            out, _ = load.communicate(timeout=60)
        outcome(out)
        answers = list(log(logs + "/x_lat.1.log"))
    during = [a.latency for a in answers if a.at >= began and a.at - a.latency <= ended]
    before = [a.latency for a in answers if began - WARM_UP <= a.at < began]
    return max(during, default=ended - began), max(before, default=0)


def log(path):
    """What fio writes of each request: milliseconds of the clock, nanoseconds that it took, and more."""
    with open(path) as f:
        for line in f:
            at, latency, *_ = line.split(",")
            yield Answer(int(at) / 1e3, int(latency) / 1e9)


def measure_clones(options, archipelago, results, sizes):
    """Clones of a snapshot of each, one after the other."""
    case = "clone of a snapshot, "
    for label, size in sizes.items():
        archipelago.snapshot(volume_of(size), "bench-origin-" + volume_of(size))
    for number in range(options.rounds):
        say("clones of small and huge snapshots, round %d of %d" % (number + 1, options.rounds))
        seconds = {label: [] for label in sizes}
        for _ in range(CLONES):
            for label, size in sizes.items():
                _, took = archipelago.hook("create", "bench-clone", VOL_SIZE=str(size // MIB), EXTP_ORIGIN="bench-origin-" + volume_of(size))
                seconds[label].append(took)
                archipelago.hook("remove", "bench-clone")
        medians = {label: 1000 * sorted(took)[CLONES // 2] for label, took in seconds.items()}
        for label, took in medians.items():
            results.add("snapshot", case + label, Archipelago.name, "ms", took)
        small, huge = (medians[label] for label in sizes)
        results.add("snapshot", case + "what 1 TiB costs more than 1 GiB", Archipelago.name, "ms", huge - small)
    results.require("snapshot", case + "what 1 TiB costs more than 1 GiB", Archipelago.name, CLONE_MS, sense=LOWER)
    for size in sizes.values():
        archipelago.hook("remove", "bench-origin-" + volume_of(size))
