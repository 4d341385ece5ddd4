"""What is done with volumes: the first write to a clone, and the scripts that Ganeti calls."""
import os
import time

from .common import MIB, allocated, run, say
from .disks import RANDOM_WRITE, fill
from .loads import fio
from .results import LOWER
from .servers import Archipelago, StorageDaemon

BIG_IMAGE_GIB = 10
QCOW2, EXTENDED = StorageDaemon.name, StorageDaemon.extended_name
ALLOCATED = ": allocated / written"

# name, fio's arguments, bytes that are written at most, the least ratio to others
CLONE_CASES = [
    ("first 4k write on a clone, depth 1", ["--iodepth=1"], 1024 * MIB, {QCOW2: 1.0, EXTENDED: 0.8}),
    ("first 4k write on a clone, depth 32", ["--iodepth=32"], 1024 * MIB, {QCOW2: 1.0, EXTENDED: 0.8}),
    ("first 4k write + fsync on a clone", ["--iodepth=1", "--fsync=1"], 8 * MIB, {QCOW2: 1.5}),
]


def measure_clone(work, options, archipelago, results):
    """The first 4 KiB written to each place of a clone, and what it takes on disk."""
    overlays = list(StorageDaemon.OVERLAYS)
    names = ([Archipelago.name] if archipelago else []) + overlays
    results.group("clone", names, [(Archipelago.name, overlay) for overlay in overlays])
    base = StorageDaemon(work, options.size)
    fill(base.uri, options.size)
    base.close()
    if archipelago:
        archipelago.start("none")
        fill(archipelago.volume("bench-base", options.size), options.size)
        archipelago.snapshot("bench-base", "bench-snap")
        first_writes(Archipelago.name, base, options.size, archipelago,
                     [*RANDOM_WRITE, "--iodepth=32", "--size=%d" % options.size, "--io_size=%d" % (32 * MIB)])    # it warms up
    order = list(names)
    for number in range(options.rounds):
        say("clones, round %d of %d" % (number + 1, options.rounds))
        for case, more, size, _ in CLONE_CASES:
            written = min(size, options.clone_bytes)
            order.append(order.pop(0))
            for name in order:
                iops, grown = first_writes(name, base, options.size, archipelago,
                                           [*RANDOM_WRITE, *more, "--size=%d" % options.size, "--io_size=%d" % written])
                results.add("clone", case, name, "iops", iops)
                results.add("clone", case + ALLOCATED, name, "ratio", grown / written)
    for case, _, _, limits in CLONE_CASES:
        for other, least in limits.items():
            results.require("clone", case, Archipelago.name, least, other)
        results.require("clone", case + ALLOCATED, Archipelago.name, 1.3, sense=LOWER)
    if archipelago:
        archipelago.drop("bench-snap", "bench-base")


def first_writes(name, base, size, archipelago, arguments):
    """Writes to a new clone or overlay; (operations a second, bytes that it takes on disk)."""
    os.sync()       # nobody pays for what another has left unwritten
    if name == Archipelago.name:
        before = allocated(archipelago.store)
        iops = fio(archipelago.clone("bench-snap", "bench-clone", size), arguments).iops
        grown = allocated(archipelago.store) - before
        archipelago.drop("bench-clone")
    else:
        overlay = StorageDaemon(os.path.dirname(base.file), backing=base.file, overlay=name)
        before = allocated(overlay.file)
        iops = fio(overlay.uri, arguments).iops
        grown = allocated(overlay.file) - before
        overlay.close()
        os.remove(overlay.file)
    return iops, grown


def measure_hooks(work, options, archipelago, results):
    """Each script as a process of its own, on clones of a 10 GiB image."""
    if not archipelago:
        return
    results.group("hooks", [Archipelago.name])
    image = work + "/big.raw"
    with open(image, "wb") as f:
        f.truncate(BIG_IMAGE_GIB << 30)
        for at in range(BIG_IMAGE_GIB):
            f.seek(at << 30)
            f.write(os.urandom(4 * MIB))
    archipelago.start("none")
    say("importing an image of %d GiB, most of it empty" % BIG_IMAGE_GIB)
    archipelago.vlmc("import", image, "bench-image")
    os.remove(image)
    mib = str(BIG_IMAGE_GIB << 10)
    grown = str((BIG_IMAGE_GIB + 1) << 10)
    for endpoint, label in (("none", "URI alone"), ("loop", "with loop device")):
        archipelago.start(endpoint)
        say("hooks, %s" % label)
        for number in range(options.hook_rounds + 1):
            volume, snapshot = "bench-hook-%d" % number, "bench-hook-%d.snap" % number
            began = time.perf_counter()
            run(["/bin/true"])
            times = {"(a process that does nothing)": time.perf_counter() - began}
            for action, more in (("create", dict(VOL_SIZE=mib, EXTP_ORIGIN="bench-image")), ("attach", {}),
                                 ("setinfo", dict(VOL_METADATA="originstname+bench")), ("open", dict(VOL_OPEN_EXCLUSIVE="True")),
                                 ("attach again", {}), ("snapshot", dict(VOL_SNAPSHOT_NAME=snapshot, VOL_SNAPSHOT_SIZE=mib)),
                                 ("grow", dict(VOL_SIZE=mib, VOL_NEW_SIZE=grown)), ("verify", {}),
                                 ("close", {}), ("detach", {}), ("remove", {})):
                _, times[action] = archipelago.hook(action.split()[0], volume, **more)
            archipelago.hook("remove", snapshot)
            times["create + attach"] = times["create"] + times["attach"]
            if number:      # the first one warms up
                for action, seconds in times.items():
                    results.add("hooks", "%s: %s" % (label, action), Archipelago.name, "ms", seconds * 1000)
    archipelago.drop("bench-image")


def measure_usage(work, options, archipelago, results):
    """vlmc du of clones of three images, each with 20 blocks of its own."""
    if not archipelago:
        return
    results.group("usage", [Archipelago.name])
    archipelago.start("none")
    image = work + "/image.raw"
    for number in range(3):
        with open(image, "wb") as f:
            f.truncate(BIG_IMAGE_GIB << 30)
            for at in range(0, BIG_IMAGE_GIB << 30, 64 * MIB):
                f.seek(at)
                f.write(os.urandom(64 << 10))
        archipelago.vlmc("import", image, "bench-image-%d" % number)
    os.remove(image)
    say("making %d clones" % options.usage_volumes)
    writes = [word for block in range(20) for word in ("-c", "write -q %d 64k" % (block * 100 * MIB))]
    names = ["bench-clone-%d" % number for number in range(options.usage_volumes)]
    for number, name in enumerate(names):
        archipelago.vlmc("create", name, "--snap", "bench-image-%d" % (number % 3))
        run(["qemu-io", "-f", "raw", *writes, "nbd+unix:///?socket=" + archipelago.attach(name)])
        archipelago.hook("detach", name)
    for number in range(options.rounds + 1):
        began = time.perf_counter()
        archipelago.vlmc("du", "--total")
        results.add("usage", "du of %d volumes%s" % (options.usage_volumes, "" if number else ", the first"), Archipelago.name, "s",
                    time.perf_counter() - began)
    results.require("usage", "du of 1000 volumes, the first", Archipelago.name, 5, sense=LOWER)
    archipelago.drop(*names, *["bench-image-%d" % number for number in range(3)])
