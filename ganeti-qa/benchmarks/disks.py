"""Disks over NBD: beside other servers, past the page cache, and many at a time."""
import os
import shutil
import time

from . import common, loads
from .common import MIB, say
from .loads import Segment, fio, fio_all
from .servers import Archipelago, Nbdkit, StorageDaemon

KIT, QCOW2, RAW = Nbdkit.name, StorageDaemon.name, StorageDaemon.raw_name
RANDOM_READ = ["--rw=randread", "--bs=4k"]
RANDOM_WRITE = ["--rw=randwrite", "--bs=4k"]

# name, fio's arguments, what it is measured in, the least ratio to others
CASES = [
    ("4k random read, depth 1", [*RANDOM_READ, "--iodepth=1"], "iops", {KIT: 1.2, QCOW2: 1.2}),
    ("4k random read, depth 32", [*RANDOM_READ, "--iodepth=32"], "iops", {KIT: 1.5, QCOW2: 2.5}),
    ("4k random write, depth 1", [*RANDOM_WRITE, "--iodepth=1"], "iops", {KIT: 1.1, QCOW2: 1.2}),
    ("4k random write, depth 32", [*RANDOM_WRITE, "--iodepth=32"], "iops", {KIT: 1.0, QCOW2: 1.5}),
    ("1M read, depth 4", ["--rw=read", "--bs=1M", "--iodepth=4"], "MB/s", {KIT: 1.4, QCOW2: 1.5}),
    ("1M write, depth 4", ["--rw=write", "--bs=1M", "--iodepth=4"], "MB/s", {KIT: 1.0, QCOW2: 1.5}),
    ("4k random write + fsync", [*RANDOM_WRITE, "--iodepth=1", "--fsync=1"], "iops", {QCOW2: 2.0}),
]
MANY, MANY_DEPTH = 64, 32
ALONE, TOGETHER = "one volume, the best depth", "%d volumes, depth %d each" % (MANY, MANY_DEPTH)
BLANK, ALLOCATED, CACHED = "blank", "allocated", "allocated and cached"
IO_URING, SEGMENT_PATH, NBD_PATH = "fio io_uring", "volume over the segment", "volume over NBD"


def fill(uri, size):
    fio(uri, ["--rw=write", "--bs=1M", "--iodepth=4", "--size=%d" % size])


def measure_io(work, options, archipelago, results):
    """Archipelago beside the others: operations, what their processes cost in CPU, and the slowest hundredth."""
    servers = [Nbdkit(work, options.size), StorageDaemon(work, options.size), StorageDaemon(work, options.size, form="raw")]
    targets = {server.name: (server, server.uri) for server in servers}
    if archipelago:
        archipelago.start("none")
        targets = {archipelago.name: (archipelago, archipelago.volume("bench", options.size)), **targets}
    ours = Archipelago.name
    results.group("io", list(targets), [(ours, other) for other in (KIT, QCOW2, RAW)])
    try:
        for name, (_, uri) in targets.items():
            say("filling the disk of %s" % name)
            fill(uri, options.size)
            fio(uri, ["--rw=randrw", "--bs=4k", "--iodepth=32", "--size=%d" % options.size], options.seconds)    # it warms up
        for case, _, _, least in CASES:
            for other, limit in least.items():
                results.require("io", case, ours, limit, other)
        order = list(targets)
        for number in range(options.rounds):
            say("round %d of %d" % (number + 1, options.rounds))
            for case, arguments, unit, _ in CASES:
                order.append(order.pop(0))      # nobody is always first
                os.sync()                       # nobody pays for what another has left unwritten
                for name in order:
                    one_io(results, case, unit, name, *targets[name], [*arguments, "--size=%d" % options.size], options.seconds)
    finally:
        for server in servers:
            server.close()
    if archipelago:
        archipelago.drop("bench")


def one_io(results, case, unit, name, server, uri, arguments, seconds):
    if "--fsync=1" in arguments:
        fio(uri, [*arguments, "--number_ios=2"])    # what the cases before have written is not this one's to sync
    pids = server.pids()
    before = common.cpu_seconds(pids)
    done = fio(uri, arguments, seconds)
    used = common.cpu_seconds(pids) - before
    results.add("io", case, name, unit, done.iops if unit == "iops" else done.bandwidth / 1e6)
    results.add("io", case + ": CPU of the server", name, "us/op", used * 1e6 / (done.iops * (seconds + loads.RAMP)))
    results.add("io", case + ": 99 % within", name, "us", done.p99)


def measure_blank(work, options, archipelago, results):
    """Sequential writes of 1M to a blank volume, and once more over all of it, out of the page cache and in it; to files alone, too."""
    if not archipelago:
        return
    results.group("blank", [BLANK, ALLOCATED, CACHED], [(BLANK, ALLOCATED), (BLANK, CACHED)])
    archipelago.start("none")
    case = "1M write, depth 4"
    for number in range(options.rounds + 1):
        say("blank volumes, round %d of %d" % (number, options.rounds))
        uri = archipelago.volume("bench-blank", options.size)
        files = ObjectFiles(work + "/files", options.size)
        for name in (BLANK, ALLOCATED, CACHED):
            os.sync()
            if name == ALLOCATED:
                evict(archipelago.store)
                evict(files.folder)
            done = fio(uri, ["--rw=write", "--bs=1M", "--iodepth=4", "--size=%d" % options.size]).bandwidth
            alone = files.write()
            if number:      # the first ones warm up
                results.add("blank", case, name, "MB/s", done / 1e6)
                results.add("blank", "1M pwrite to files of 4 MiB, by one thread", name, "MB/s", alone / 1e6)
        archipelago.drop("bench-blank")
        shutil.rmtree(files.folder)
    results.require("blank", case, BLANK, 0.9, ALLOCATED)


def evict(folder):
    """Takes files, which are on disk, out of the page cache."""
    for where, _, names in os.walk(folder):
        for name in names:
            fd = os.open(os.path.join(where, name), os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


class ObjectFiles:
    """Files as a volume consists of: what the kernel can do with them is the most that a volume can."""

    def __init__(self, folder, size):
        self.folder, self.count, self.data = folder, size // (4 * MIB), os.urandom(MIB)
        os.mkdir(folder)

    def write(self):
        """Bytes a second."""
        began = time.perf_counter()
        for number in range(self.count):
            fd = os.open("%s/%d" % (self.folder, number), os.O_RDWR | os.O_CREAT)
            os.truncate(fd, 4 * MIB)
            for at in range(0, 4 * MIB, MIB):
                os.pwrite(fd, self.data, at)
            os.close(fd)
        return self.count * 4 * MIB / (time.perf_counter() - began)


def measure_direct(work, options, archipelago, results):
    """Reads past the page cache, beside fio on the very files that the volume consists of."""
    if not archipelago:
        return
    results.group("direct", [SEGMENT_PATH, NBD_PATH, IO_URING], [(SEGMENT_PATH, IO_URING), (NBD_PATH, IO_URING)])
    archipelago.start("none", direct=True)
    uri = archipelago.volume("bench-direct", options.size)
    fill(uri, options.size)
    os.sync()
    objects = work + "/objects"
    link_objects(archipelago.store + "/blocks", objects)
    files = ["--ioengine=io_uring", "--direct=1", "--opendir=" + objects, "--file_service_type=random"]
    segment = Segment(archipelago)
    for depth in (32, 1):
        case = "4k random read, O_DIRECT, depth %d" % depth
        runs = [
            (SEGMENT_PATH, lambda: segment.c(Archipelago.COMPOSER, "bench-direct", [depth], options.seconds)[depth].rate),
            (NBD_PATH, lambda: fio(uri, [*RANDOM_READ, "--iodepth=%d" % depth, "--size=%d" % options.size], options.seconds).iops),
            (IO_URING, lambda: fio(files, [*RANDOM_READ, "--iodepth=%d" % depth], options.seconds).iops),
        ]
        for number in range(options.rounds):
            say("%s, round %d of %d" % (case, number + 1, options.rounds))
            runs.append(runs.pop(0))
            for name, measure in runs:
                results.add("direct", case, name, "iops", measure())
    results.require("direct", "4k random read, O_DIRECT, depth 32", SEGMENT_PATH, 0.7, IO_URING)
    shutil.rmtree(objects)
    archipelago.drop("bench-direct")


def link_objects(store, folder):
    """Other names of a volume's files, for fio, which is to read these and no others."""
    os.mkdir(folder)
    for where, _, names in os.walk(store):
        for name in names:
            if os.path.getsize(os.path.join(where, name)) == 4 * MIB:
                os.link(os.path.join(where, name), os.path.join(folder, name))


def measure_many(_work, options, archipelago, results):
    """Many volumes driven at a time, beside the best that one of them does."""
    if not archipelago:
        return
    results.group("many", [ALONE, TOGETHER], [(TOGETHER, ALONE)])
    archipelago.start("none")
    size = options.size // 32
    names = ["bench-many-%d" % number for number in range(MANY)]
    uris = [archipelago.volume(name, size) for name in names]
    say("filling %d volumes" % MANY)
    fio_all(uris, ["--rw=write", "--bs=1M", "--iodepth=1", "--size=%d" % size])
    for case, mode in (("4k random read", "randread"), ("4k random write", "randwrite")):
        arguments = ["--rw=" + mode, "--bs=4k", "--size=%d" % size]
        for number in range(options.rounds):
            say("%s, %d volumes, round %d of %d" % (case, MANY, number + 1, options.rounds))
            alone = max(fio(uris[number], [*arguments, "--iodepth=%d" % depth], options.seconds).iops for depth in (16, 32, 64))
            together = fio_all(uris, [*arguments, "--iodepth=%d" % MANY_DEPTH], 2 * options.seconds)
            results.add("many", case, ALONE, "iops", alone)
            results.add("many", case, TOGETHER, "iops", together.iops)
            share = case + ": the slowest volume's part of a fair share"
            results.add("many", share, TOGETHER, "ratio", min(together.jobs) * MANY / together.iops)
        results.require("many", case, TOGETHER, 0.9, ALONE)
        results.require("many", share, TOGETHER, 0.5)
    archipelago.drop(*names)
