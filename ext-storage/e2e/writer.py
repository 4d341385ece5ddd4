# SPDX-License-Identifier: BSD-2-Clause
"""A program that writes and never flushes: writer.py FILE BLOCKS SEED RECORD

Writes blocks of 4 KiB at random places of FILE past the page cache, from several threads, until its stdin ends. RECORD is a shared
array of two u32 a block: which write of the block was begun last, and which was acknowledged last; before them u64: how many writes were
acknowledged, when the last one was (CLOCK_MONOTONIC, ns), the errno of a failure. Block b of write n holds what page(seed, b, n) says.
"""
import mmap
import os
import random
import struct
import sys
import threading
import time

BLOCK, HEAD, THREADS = 4096, 24, 4


def page(seed, block, number):
    """What write number n puts into a block; 0: what is there before."""
    if number == 0:
        return None
    return random.Random(f"{seed} {block} {number}").randbytes(BLOCK - 16) + struct.pack("<QQ", block, number)


class Record:
    def __init__(self, path, blocks, make=False):
        with open(path, "w+b" if make else "r+b") as f:
            if make:
                f.truncate(HEAD + 8 * blocks)
            self.map = mmap.mmap(f.fileno(), HEAD + 8 * blocks)

    def head(self):
        """(acknowledged, when the last one was, errno)"""
        return struct.unpack_from("<QQQ", self.map, 0)

    def of(self, block):
        """(begun, acknowledged)"""
        return struct.unpack_from("<II", self.map, HEAD + 8 * block)

    def begin(self, block, number):
        struct.pack_into("<I", self.map, HEAD + 8 * block, number)

    def acknowledge(self, block, number):
        struct.pack_into("<I", self.map, HEAD + 8 * block + 4, number)
        struct.pack_into("<QQ", self.map, 0, self.head()[0] + 1, time.monotonic_ns())

    def fail(self, error):
        struct.pack_into("<Q", self.map, 16, error.errno or 255)


def read_direct(fd, block, buffer):
    equal = os.preadv(fd, [buffer], block * BLOCK) == BLOCK
    return bytes(buffer) if equal else b""


def differences(path, record, blocks, seed, first):
    """Reads all back; describes blocks that do not hold their last acknowledged write (or one begun after it)."""
    fd, buffer, wrong = os.open(path, os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, BLOCK), []
    try:
        for block in range(blocks):
            begun, acknowledged = record.of(block)
            data = read_direct(fd, block, buffer)
            allowed = [page(seed, block, n) or first(block) for n in {begun, acknowledged}]
            if data not in allowed:
                found = next((n for n in range(begun + 1) if (page(seed, block, n) or first(block)) == data), None)
                wrong.append(f"block {block}: begun {begun}, acknowledged {acknowledged}, found "
                             + ("something else" if found is None else f"write {found}"))
    finally:
        os.close(fd)
    return wrong


def write(fd, record, blocks, seed, thread, stop):
    buffer, rng = mmap.mmap(-1, BLOCK), random.Random(f"{seed} {thread} {time.monotonic_ns()}")
    numbers = {}
    while not stop.is_set():
        block = rng.randrange(blocks // THREADS) * THREADS + thread
        number = numbers.get(block, record.of(block)[0]) + 1
        buffer[:] = page(seed, block, number)
        record.begin(block, number)
        try:
            if os.pwritev(fd, [buffer], block * BLOCK) != BLOCK:
                raise OSError(5, "written in part")
        except OSError as error:
            record.fail(error)
            return
        numbers[block] = number
        with lock:
            record.acknowledge(block, number)


lock = threading.Lock()


def main():
    path, blocks, seed, record_path = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    fd, record, stop = os.open(path, os.O_RDWR | os.O_DIRECT), Record(record_path, blocks), threading.Event()
    threads = [threading.Thread(target=write, args=(fd, record, blocks, seed, i, stop)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    os.close(fd)  # and no fsync


if __name__ == "__main__":
    main()
