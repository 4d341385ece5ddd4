"""What is done with volumes: the first write to a clone, and the scripts that Ganeti calls."""
import os
import time

from .common import MIB, allocated, run, say
from .disks import fill
from .loads import fio
from .results import LOWER
from .servers import Archipelago, StorageDaemon

BIG_IMAGE_GIB = 10


def measure_clone(work, options, archipelago, results):
    """The first 4 KiB written to each place of a clone, and what it takes on disk."""
    names = ([Archipelago.name] if archipelago else []) + [StorageDaemon.name]
    results.group("clone", names, [(Archipelago.name, StorageDaemon.name)])
    base = StorageDaemon(work, options.size)
    fill(base.uri, options.size)
    base.close()
    if archipelago:
        archipelago.start("none")
        fill(archipelago.volume("bench-base", options.size), options.size)
        archipelago.hook("snapshot", "bench-base", VOL_SNAPSHOT_NAME="bench-snap", VOL_SNAPSHOT_SIZE=str(options.size // MIB))

    def one(name, depth):
        arguments = ["--rw=randwrite", "--bs=4k", "--iodepth=%d" % depth, "--size=%d" % options.size,
                     "--io_size=%d" % options.clone_bytes]
        if name == Archipelago.name:
            archipelago.hook("create", "bench-clone", VOL_SIZE=str(options.size // MIB), EXTP_ORIGIN="bench-snap")
            before = allocated(archipelago.store)
            iops = fio("nbd+unix:///?socket=" + archipelago.attach("bench-clone"), arguments).iops
            grown = allocated(archipelago.store) - before
            archipelago.drop("bench-clone")
        else:
            overlay = StorageDaemon(work, backing=base.file)
            before = allocated(overlay.file)
            iops = fio(overlay.uri, arguments).iops
            grown = allocated(overlay.file) - before
            overlay.close()
            os.remove(overlay.file)
        case = "first 4k write on a clone, depth %d" % depth
        results.add("clone", case, name, "iops", iops)
        results.add("clone", "%s: allocated / written" % case, name, "ratio", grown / options.clone_bytes)

    for number in range(options.rounds):
        say("clones, round %d of %d" % (number + 1, options.rounds))
        for depth in (1, 32):
            for name in names:
                one(name, depth)
    if archipelago:
        archipelago.drop("bench-snap", "bench-base")


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
