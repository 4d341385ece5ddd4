"""What is asked about all volumes at a time: vlmc list, and vlmc du."""
import time
from concurrent.futures import ThreadPoolExecutor

from .common import MIB, BenchError, say
from .loads import fio
from .results import LOWER
from .servers import Archipelago

SIZE = 64 * MIB         # of each volume
MAKERS = 8              # at a time
LIST_S, DU_S = 1.0, 5.0


def measure_catalog(_work, options, archipelago, results):
    """vlmc list of many volumes; vlmc du of clones that share blocks."""
    if not archipelago:
        return
    results.group("catalog", [Archipelago.name])
    archipelago.start("none")
    fio(archipelago.volume("bench-base", SIZE), ["--rw=write", "--bs=1M", "--size=%d" % SIZE])
    archipelago.snapshot("bench-base", "bench-snap")
    clones = each(archipelago, options.du_volumes, "clone", "create", EXTP_ORIGIN="bench-snap")
    timed(archipelago, options, results, "vlmc du of %d volumes that share blocks" % options.du_volumes, DU_S, "du", "--json")
    volumes = each(archipelago, options.list_volumes, "volume", "create")
    timed(archipelago, options, results, "vlmc list of %d volumes" % options.list_volumes, LIST_S, "list")
    say("removing them")
    for names in (clones, volumes, ["bench-snap"]):
        with ThreadPoolExecutor(MAKERS) as makers:
            list(makers.map(lambda name: archipelago.hook("remove", name), names))
    archipelago.drop("bench-base")


def each(archipelago, count, label, action, **more):
    """Makes many volumes, several at a time; their names."""
    say("making %d %ss" % (count, label))
    names = ["bench-%s-%05d" % (label, number) for number in range(count)]
    with ThreadPoolExecutor(MAKERS) as makers:
        list(makers.map(lambda name: archipelago.hook(action, name, VOL_SIZE=str(SIZE // MIB), **more), names))
    return names


def timed(archipelago, options, results, case, limit, *command):
    """A command, several times, after one that warms up."""
    for number in range(options.rounds + 1):
        began = time.perf_counter()
        try:
            archipelago.vlmc(*command)
        except BenchError as e:
            if "there is no command" not in str(e):
                raise
            say("%s: vlmc has no %s" % (case, command[0]))
            return
        if number:
            results.add("catalog", case, Archipelago.name, "s", time.perf_counter() - began)
    results.require("catalog", case, Archipelago.name, limit, sense=LOWER)
