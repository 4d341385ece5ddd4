"""What is asked about all volumes at a time: vlmc list. That of vlmc du is among the life cycle's."""
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
    say("making %d volumes" % options.list_volumes)
    names = ["bench-volume-%05d" % number for number in range(options.list_volumes)]
    each(names, lambda name: archipelago.hook("create", name, VOL_SIZE=str(SIZE // MIB)))
    case = "vlmc list of %d volumes" % options.list_volumes
    for number in range(options.rounds + 1):
        began = time.perf_counter()
        archipelago.vlmc("list")
        if number:      # the first one warms up
            results.add("catalog", case, Archipelago.name, "s", time.perf_counter() - began)
    results.require("catalog", case, Archipelago.name, LIST_S, sense=LOWER)
    say("removing them")
    each(names, lambda name: archipelago.hook("remove", name))


def each(names, what):
    """Does something with each of many volumes, several at a time."""
    with ThreadPoolExecutor(MAKERS) as makers:
        list(makers.map(what, names))
