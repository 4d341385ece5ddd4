"""The segment: what its rings alone do, between C and Java, and the way to a volume from another process."""
import os
import shutil
import tempfile

from .common import MIB, say
from .disks import fill
from .loads import Segment
from .servers import Archipelago

CC, CJ, JC, JJ = "C to C", "C to Java", "Java to C", "Java to Java"
C_VOLUME, JAVA_VOLUME, CC_FILE, ORIGINAL = "C to volume", "Java to volume", "C to C, reading", "original, tuned"
IPC_DEPTHS, VOLUME_DEPTHS = [1, 16, 64], [1, 32]
ORIGINAL_READS = {1: 3000, 32: 9600}        # operations a second of a random read, on such a machine
VOLUME = "bench-segment"


def measure_ipc(work, options, archipelago, results):
    """Requests that nothing is done for, there and back."""
    if not archipelago:
        return
    archipelago.start("none")
    segment = Segment(archipelago)
    results.group("ipc", [CC, CJ, JC, JJ], [(pair, CC) for pair in (CJ, JC, JJ)])
    server = segment.server()
    try:
        runs = [
            (CC, lambda: segment.alone(IPC_DEPTHS, options.seconds)),
            (CJ, lambda: segment.c(Archipelago.DUMMY, "x", IPC_DEPTHS, options.seconds)),
            (JC, lambda: segment.java(Archipelago.FREE, "x", IPC_DEPTHS, options.seconds)),
            (JJ, lambda: segment.java(Archipelago.DUMMY, "x", IPC_DEPTHS, options.seconds)),
        ]
        segment.c(Archipelago.DUMMY, "x", [64, 1], 2)       # it warms up
        for number in range(options.rounds):
            say("round trips, round %d of %d" % (number + 1, options.rounds))
            runs.append(runs.pop(0))
            for name, measure in runs:
                for depth, trips in measure().items():
                    results.add("ipc", "depth %d" % depth, name, "trips/s", trips.rate)
                    for part, within in (("50", trips.p50), ("99", trips.p99), ("99.9", trips.p999)):
                        results.add("ipc", "depth %d: %s %% within" % (depth, part), name, "us", within / 1e3)
    finally:
        server.kill()
        server.wait()


def measure_volume(_work, options, archipelago, results):
    """4 KiB of a volume whose store is in memory, asked for by another process."""
    if not archipelago:
        return
    results.group("volume", [C_VOLUME, JAVA_VOLUME, CC, CC_FILE, ORIGINAL], [(C_VOLUME, CC), (C_VOLUME, CC_FILE), (JAVA_VOLUME, CC_FILE)])
    archipelago.stop()
    work = tempfile.mkdtemp(prefix="archipelago-bench.", dir="/dev/shm")
    in_memory = Archipelago(work, archipelago.dist)
    try:
        in_memory.give(work)
        in_memory.start("none")
        fill(in_memory.volume(VOLUME, options.size // 4), options.size // 4)
        file = work + "/file"
        with open(file, "wb") as f:
            for _ in range(options.size // 4 // MIB):
                f.write(os.urandom(MIB))
        on_volume(Segment(in_memory), file, options, results)
        in_memory.drop(VOLUME)
    finally:
        in_memory.stop()
        shutil.rmtree(work)


def on_volume(segment, file, options, results):
    runs = [
        (CC, segment.alone),
        (CC_FILE, lambda *how: segment.alone(*how, file=file)),
        (C_VOLUME, lambda *how: segment.c(Archipelago.COMPOSER, VOLUME, *how)),
        (JAVA_VOLUME, lambda *how: segment.java(Archipelago.COMPOSER, VOLUME, *how)),
    ]
    for write in (False, True):
        work = "4k random %s, tmpfs" % ("write" if write else "read")
        segment.c(Archipelago.COMPOSER, VOLUME, VOLUME_DEPTHS, 2, write)        # it warms up
        for number in range(options.rounds):
            say("%s over the segment, round %d of %d" % (work, number + 1, options.rounds))
            runs.append(runs.pop(0))
            for name, measure in runs:
                if write and name == CC_FILE:
                    continue        # its server only reads
                for depth, trips in measure(VOLUME_DEPTHS, options.seconds, write).items():
                    case = "%s, depth %d" % (work, depth)
                    results.add("volume", case, name, "iops", trips.rate)
                    for part, within in (("50", trips.p50), ("99", trips.p99)):
                        results.add("volume", "%s: %s %% within" % (case, part), name, "us", within / 1e3)
        for depth in () if write else VOLUME_DEPTHS:
            case = "%s, depth %d" % (work, depth)
            results.add("volume", case, ORIGINAL, "iops", ORIGINAL_READS[depth])
            results.require("volume", case, C_VOLUME, 0.5, CC)
