"""What emulation/counts.c counts, as the emulated machine sees it."""

import os
import struct
import time


class Counts:
    """Of one process at a time, all its threads: instructions outside of the kernel and in it, and system calls."""

    PATH = "/run/shared/counts"
    # How often each peer is started: how its threads and the others' take turns on the processors differs more from one
    # start to the next than from run to run.
    STARTS = 5

    def __init__(self):
        self._generation = 0

    def start(self, peer, nodes):
        """Starts a peer so that its threads are those that are counted: alone on the second processor at first."""
        self._generation += 1
        _confine({0})
        before = self._words()[1]
        self._write(self._generation * 2 + 1)
        pid = peer.start(nodes, launcher=["taskset", "-c", "1"])
        self._await_threads(pid, before)
        self._write(self._generation * 2)
        _confine({0, 1})
        return pid

    def read(self):
        words = self._words()
        return [one + other for one, other in zip(words[8:11], words[16:19])]

    def _await_threads(self, pid, before):
        """Some begin after the peer listens."""
        for _ in range(20):
            time.sleep(1)
            marked, threads = self._words()[1] - before, len(os.listdir(f"/proc/{pid}/task"))
            # Some are gone already.
            if marked >= threads:
                return
        raise RuntimeError(f"{marked} of {threads} threads can be counted")

    def _words(self):
        with open(self.PATH, "rb") as file:
            return struct.unpack("<24Q", file.read(192))

    def _write(self, number):
        with open(self.PATH, "r+b", buffering=0) as file:
            file.write(struct.pack("<Q", number))


def _confine(processors):
    """Each thread outside of the kernel that runs now, and what it starts later."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            # Threads of the kernel have no program.
            os.readlink(f"/proc/{process}/exe")
            for thread in os.listdir(f"/proc/{process}/task"):
                os.sched_setaffinity(int(thread), processors)
        except OSError:
            continue
