"""What the daemon takes: memory, CPU while nobody asks for anything, and heap while everybody does."""
import os
import re
import threading
import time

from . import common, loads
from .common import MIB, run, say
from .loads import Segment, fio, fio_all
from .results import LOWER
from .servers import Archipelago

VOLUMES = 20
VOLUME_SIZE = 256 * MIB
OURS = Archipelago.name
UNITS = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def used_volumes(archipelago, count=VOLUMES):
    """{name: URI} of volumes that are attached, and have been used."""
    uris = {}
    for number in range(count):
        name = "bench-used-%d" % number
        uris[name] = archipelago.volume(name, VOLUME_SIZE)
        fio(uris[name], ["--rw=randrw", "--bs=64k", "--iodepth=16", "--size=%d" % VOLUME_SIZE, "--io_size=16M"])
    return uris


def measure_memory(_work, _options, archipelago, results):
    """What the daemon, its helpers and the segment take with twenty volumes attached and used."""
    if not archipelago:
        return
    results.group("memory", [OURS])
    for endpoint, label in (("none", "URI alone"), ("loop", "with loop devices")):
        archipelago.start(endpoint)
        say("memory, %s" % label)
        uris = used_volumes(archipelago)
        daemon, helpers = (sum(whole - shared for whole, shared in map(common.pss, pids)) for pids in archipelago.processes())
        segment = os.stat("/dev/shm/" + archipelago.segment_file()).st_blocks * 512
        for what, value in (("daemon", daemon), ("segment", segment), ("helpers", helpers),
                            ("in all", daemon + segment + helpers)):
            results.add("memory", "%d volumes, %s: %s" % (VOLUMES, label, what), OURS, "MiB", value / MIB)
        archipelago.drop(*uris)


def measure_idle(_work, options, archipelago, results):
    """CPU with twenty volumes attached, used before, each with a client that asks for nothing."""
    if not archipelago:
        return
    results.group("idle", [OURS])
    for endpoint, label in (("none", "each with an NBD client"), ("loop", "with loop devices")):
        archipelago.start(endpoint)
        uris = used_volumes(archipelago)
        clients = [loads.connected(uri.split("socket=")[1]) for uri in uris.values()] if endpoint == "none" else []
        time.sleep(5)       # the kernel writes back, and partitions are looked for
        for number in range(options.rounds):
            say("idle, %s, round %d of %d" % (label, number + 1, options.rounds))
            before = [common.cpu_seconds(pids) for pids in archipelago.processes()]
            began = time.monotonic()
            time.sleep(options.idle_seconds)
            seconds = time.monotonic() - began
            for who, pids, then in zip(("daemon", "helpers"), archipelago.processes(), before):
                if pids:
                    case = "%d volumes, %s: %s" % (VOLUMES, label, who)
                    results.add("idle", case, OURS, "% of a core", (common.cpu_seconds(pids) - then) * 100 / seconds)
        results.require("idle", "%d volumes, %s: daemon" % (VOLUMES, label), OURS, 0.5, sense=LOWER)
        for client in clients:
            client.sock.close()
        archipelago.drop(*uris)


def heap_taken(pid):
    """Bytes that each thread of a JVM has allocated since its start, by name."""
    threads = re.findall(r'(?m)^"([^"]*)".* allocated=(\d+)([BKMG]) ', run(["jcmd", str(pid), "Thread.print", "-e"]))
    return {name: int(number) * UNITS[unit] for name, number, unit in threads}


def measure_heap(_work, options, archipelago, results):
    """What the reactors allocate while they are busy; the JVM shows that in steps of 1 KiB."""
    if not archipelago:
        return
    results.group("heap", [OURS])
    archipelago.start("none")
    uris = used_volumes(archipelago, 2)
    mixed = ["--rw=randrw", "--bs=4k", "--iodepth=32", "--size=%d" % VOLUME_SIZE]
    segment = Segment(archipelago)

    def through_nbd(seconds):
        return fio_all(uris.values(), mixed, seconds).iops

    def through_segment(seconds):
        return segment.c(Archipelago.COMPOSER, next(iter(uris)), [32], seconds)[32].rate

    for label, drive in (("NBD", through_nbd), ("the segment", through_segment)):
        say("heap, requests through %s for %d s" % (label, options.heap_seconds))
        drive(5)
        busy(drive, label, archipelago.processes()[0][0], options.heap_seconds, results)
    archipelago.drop(*uris)


def busy(drive, label, pid, seconds, results):
    """The load goes on for longer than is looked at, so that neither its begin nor its end counts."""
    rate = []
    load = threading.Thread(target=lambda: rate.append(drive(seconds + 4)))
    load.start()
    time.sleep(2)
    before, began = heap_taken(pid), time.monotonic()
    time.sleep(seconds)
    after, took = heap_taken(pid), time.monotonic() - began
    load.join()
    grown = {name: (bytes_ - before.get(name, 0)) * 60 / took / 1024 for name, bytes_ in after.items()}
    reactors = [kib for name, kib in grown.items() if re.fullmatch(r"archipelagod-\d+", name)]
    results.add("heap", "through %s: requests meanwhile" % label, OURS, "a minute", rate[0] * 60)
    case = "through %s: the reactor that allocates most" % label
    results.add("heap", case, OURS, "KiB a minute", max(reactors))
    results.add("heap", "through %s: all threads" % label, OURS, "KiB a minute", sum(grown.values()))
    most = sorted(grown, key=grown.get)[-3:]
    say("most was allocated by " + ", ".join("%s (%.0f KiB a minute)" % (name, grown[name]) for name in reversed(most)))
    results.require("heap", case, OURS, 1024, sense=LOWER)
