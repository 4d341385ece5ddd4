"""What all of it uses: programs that are run, and what processes cost."""
import os
import re
import subprocess
import sys
import time

MIB = 1 << 20


class BenchError(Exception):
    pass


def say(text):
    print("[%4d s] %s" % (time.monotonic() - say.start, text), file=sys.stderr)


say.start = time.monotonic()


def run(argv, env=None, timeout=300, cwd=None):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=env, timeout=timeout, cwd=cwd)
    if done.returncode:
        raise BenchError("%s ended with %d: %s" % (" ".join(argv), done.returncode, (done.stderr or done.stdout).strip()[-500:]))
    return done.stdout


def await_(condition, what, process, seconds=10):
    """Waits for something that a process is to bring about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchError("%s: %s is not there after %d s" % (process.args[0], what, seconds))
        time.sleep(0.02)


def allocated(path):
    """Bytes that a file, or all files below a folder, take on disk."""
    if os.path.isfile(path):
        return os.stat(path).st_blocks * 512
    return sum(os.lstat(os.path.join(folder, name)).st_blocks * 512
               for folder, _, names in os.walk(path) for name in names)


def cpu_seconds(pids):
    """User and system time that processes have used, with all their threads."""
    ticks = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid) as f:
            ticks += sum(map(int, f.read().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def pss(pid):
    """(all, shared memory) in bytes."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        text = f.read()

    def field(name):
        return int(re.search(r"(?m)^%s:\s+(\d+) kB" % name, text).group(1)) * 1024
    return field("Pss"), field("Pss_Shmem")
