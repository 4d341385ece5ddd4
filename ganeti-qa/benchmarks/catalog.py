<<<<<<< HEAD
"""What is asked about all volumes at a time: vlmc list."""
=======
"""What is asked about all volumes at a time: vlmc list. That of vlmc du is among the life cycle's."""
>>>>>>> perf
import time
from concurrent.futures import ThreadPoolExecutor

from .common import MIB, say
from .results import LOWER
from .servers import Archipelago

SIZE = 64 * MIB         # of each volume
MAKERS = 8              # at a time
LIST_S = 1.0


def measure_catalog(_work, options, archipelago, results):
    """vlmc list of many volumes."""
    if not archipelago:
        return
    results.group("catalog", [Archipelago.name])
    archipelago.start("none")
<<<<<<< HEAD
    volumes = each(archipelago, options.list_volumes, "volume", "create")
    timed(archipelago, options, results, "vlmc list of %d volumes" % options.list_volumes, LIST_S, "list")
    say("removing them")
    with ThreadPoolExecutor(MAKERS) as makers:
        list(makers.map(lambda name: archipelago.hook("remove", name), volumes))


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
        archipelago.vlmc(*command)
        if number:
=======
    say("making %d volumes" % options.list_volumes)
    names = ["bench-volume-%05d" % number for number in range(options.list_volumes)]
    each(names, lambda name: archipelago.hook("create", name, VOL_SIZE=str(SIZE // MIB)))
    case = "vlmc list of %d volumes" % options.list_volumes
    for number in range(options.rounds + 1):
        began = time.perf_counter()
        archipelago.vlmc("list")
        if number:      # the first one warms up
>>>>>>> perf
            results.add("catalog", case, Archipelago.name, "s", time.perf_counter() - began)
    results.require("catalog", case, Archipelago.name, LIST_S, sense=LOWER)
    say("removing them")
    each(names, lambda name: archipelago.hook("remove", name))


def each(names, what):
    """Does something with each of many volumes, several at a time."""
    with ThreadPoolExecutor(MAKERS) as makers:
        list(makers.map(what, names))
