# SPDX-License-Identifier: BSD-2-Clause
"""qemu-io as an NBD client that waits while the daemon is away: writes blocks all the time, and never flushes."""
import random
import re
import subprocess
import threading
import time

from node import PATIENCE, Failed, await_, check, waits_for

BLOCK, DEPTH = 4096, 8


class QemuWriter:
    """Keeps some writes under way, each to a place of its own; the pattern of write n of a block is n % 255 + 1."""

    def __init__(self, node, socket, places, reconnect=110):
        self.places, self.rng = places, random.Random(random.random())
        self.numbers = dict.fromkeys(places, 0)
        self.under_way, self.acknowledged, self.last, self.errors, self.checked, self.reading = set(), 0, 0.0, [], 0, False
        self.running, self.room, self.typing = True, threading.Condition(), threading.Lock()
        options = f"driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={socket},file.reconnect-delay={reconnect}"
        self.child = node.child(["qemu-io", "--image-opts", options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, bufsize=1)
        threading.Thread(target=self.listen, daemon=True).start()
        threading.Thread(target=self.nudge, daemon=True).start()
        self.writer = threading.Thread(target=self.write, daemon=True)
        self.writer.start()

    def send(self, command):
        with self.typing:
            self.child.stdin.write(command + "\n")
            self.child.stdin.flush()

    def nudge(self):
        """qemu-io tells of what has ended when the next line comes, and may sit on a line that came with another."""
        try:
            while self.child.poll() is None:
                time.sleep(0.004)
                if self.under_way or self.reading:
                    self.send("")
        except (OSError, ValueError):
            pass  # it has ended

    def listen(self):
        for line in self.child.stdout:
            wrote, read = re.search(r"wrote (\d+)/\1 bytes at offset (\d+)", line), re.search(r"read (\d+)/\1 bytes", line)
            with self.room:
                if wrote:
                    self.under_way.discard(int(wrote[2]))
                    self.acknowledged, self.last = self.acknowledged + 1, time.monotonic()
                elif read:
                    self.checked += 1
                elif re.search(r"fail|error|wrong", line, re.I):
                    self.errors.append(line.strip())
                self.room.notify_all()

    def write(self):
        try:
            while self.running:
                with self.room:
                    self.room.wait_for(lambda: len(self.under_way) < DEPTH or not self.running, 1)
                    free = [p for p in self.rng.sample(self.places, DEPTH + 1) if p not in self.under_way]
                    if len(self.under_way) >= DEPTH or not self.running:
                        continue
                    place = free[0]
                    self.under_way.add(place)
                    self.numbers[place] += 1
                self.send(f"aio_write -P {self.pattern(place)} {place} {BLOCK}")
        except OSError as e:
            self.errors.append(f"qemu-io is gone: {e}")

    def pattern(self, place):
        return self.numbers[place] % 255 + 1

    def head(self):
        """(acknowledged, when the last one was, what went wrong)"""
        return self.acknowledged, self.last, "; ".join(self.errors)

    def pause(self):
        """No more writes; those under way end."""
        self.running = False
        self.writer.join(PATIENCE)
        check(not self.writer.is_alive(), f"qemu-io takes no commands: it waits for {waits_for(self.child.pid)}")
        await_(lambda: not self.under_way or self.errors, "the end of the writes of qemu-io")

    def check(self, when):
        """While it is paused: reads all that was written, through the same connection."""
        written = [place for place in self.places if self.numbers[place]]
        before, self.reading = self.checked, True
        for place in written:
            self.send(f"read -P {self.pattern(place)} {place} {BLOCK}")
        await_(lambda: self.errors or self.checked == before + len(written) or self.child.poll() is not None, "what qemu-io reads back")
        self.reading = False
        if self.errors or self.child.poll() is not None:
            raise Failed(f"NBD client, {when}: {'; '.join(self.errors[:3]) or 'qemu-io has ended'}")
        return len(written)

    def resume(self):
        self.running = True
        self.writer = threading.Thread(target=self.write, daemon=True)
        self.writer.start()

    def close(self):
        self.send("quit")
        with self.typing:
            self.child.stdin.close()  # it may sit on that line, too, as long as nothing comes after it
        await_(lambda: self.child.poll() is not None, "the end of qemu-io")
