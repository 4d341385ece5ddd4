"""What drives them: fio, and the bench commands, which go through the segment."""
import json
import os
import subprocess
import tempfile
from collections import namedtuple

from .common import BenchError, await_, run

RAMP = 0.3      # seconds that fio does not count

# operations and bytes a second, microseconds that 99 % of them stay below, operations a second of each job
Fio = namedtuple("Fio", "iops bandwidth p99 jobs")
Trips = namedtuple("Trips", "rate p50 p99 p999")        # a second, and nanoseconds


def p99(side):
    return max([values["percentile"]["99.000000"] for values in (side.get("clat_ns"), side.get("lat_ns"))
                if values and "percentile" in values] or [0]) / 1e3


def outcome(text):
    jobs = json.loads(text[text.index("{"):])["jobs"]
    failed = [job["jobname"] for job in jobs if job["error"]]
    if failed:
        raise BenchError("fio: errors of %s" % ", ".join(failed))
    sides = [[job[side] for side in ("read", "write") if job[side]["total_ios"]] for job in jobs]
    synced = [job["sync"] for job in jobs if job["sync"]["total_ios"]]
    return Fio(sum(side["iops"] for job in sides for side in job), sum(side["bw_bytes"] for job in sides for side in job),
               max(map(p99, synced or sum(sides, [])), default=0), [sum(side["iops"] for side in job) for job in sides])


def timed(seconds):
    return ["--time_based", "--runtime=%g" % seconds, "--ramp_time=%g" % RAMP] if seconds else []


def fio(target, arguments, seconds=None):
    """Runs one job on an NBD export, or with other arguments instead."""
    where = ["--ioengine=nbd", "--uri=" + target] if isinstance(target, str) else target
    return outcome(run(["fio", "--name=x", "--output-format=json", "--randrepeat=0", *where, *arguments, *timed(seconds)],
                       timeout=300 + (seconds or 0)))


def fio_all(uris, arguments, seconds=None):
    """One job on each of many exports at a time."""
    with tempfile.NamedTemporaryFile("w", suffix=".fio") as f:
        f.write("[global]\nioengine=nbd\nrandrepeat=0\nthread\n")
        f.writelines(argument.lstrip("-") + "\n" for argument in [*arguments, *timed(seconds)])
        f.writelines("[%d]\nuri=%s\n" % (number, uri) for number, uri in enumerate(uris))
        f.flush()
        return outcome(run(["fio", "--output-format=json", f.name], timeout=300 + (seconds or 0)))


def rows(text):
    """{depth: Trips} of what both bench commands print."""
    return {int(row[0]): Trips(*map(int, row[1:])) for row in map(str.split, text.splitlines()[1:])}


class Segment:
    """The bench commands, in C and in Java, on a daemon's segment."""

    def __init__(self, archipelago):
        self.archipelago = archipelago
        self.xseg = archipelago.dist + "/bin/xseg"

    @staticmethod
    def options(depths, seconds, write):
        return ["--depth", ",".join(map(str, depths)), "--seconds", str(seconds), *(["--write"] if write else [])]

    def alone(self, depths, seconds, write=False, file=None):
        """C to C, in a segment of its own; file: that the server reads."""
        return rows(run([self.xseg, "bench", *self.options(depths, seconds, write), *(["--file", file] if file else [])]))

    def c(self, port, target, depths, seconds, write=False):
        return rows(run([self.xseg, "-g", self.archipelago.segment_file(), "bench", "--target", target,
                         *self.options(depths, seconds, write), str(port)]))

    def java(self, port, target, depths, seconds, write=False):
        return rows(self.archipelago.archipelago("bench", target, "--port", str(port), *self.options(depths, seconds, write)))

    def server(self):
        """A server in C on the daemon's segment, to be killed."""
        name, port = self.archipelago.segment_file(), self.archipelago.FREE
        process = subprocess.Popen([self.xseg, "-g", name, "bench", "--serve", str(port)])
        await_(lambda: "process %d," % process.pid in run([self.xseg, "-g", name, "report", str(port)]), "port %d" % port, process)
        return process


def connected(path):
    """A connection to an NBD export that does nothing."""
    from nbdclient import Client    # of ../tools, for the suite's tests
    return Client(os.path.realpath(path))
