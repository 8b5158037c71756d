"""Counts what a process spends between two moments."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

from . import processes

_events = None


def perf_events():
    """Of the events wanted, those that this machine counts."""
    global _events
    if _events is None:
        _events = []
        perf = shutil.which("perf")
        for event in ("instructions:u", "instructions:k", "raw_syscalls:sys_enter") if perf else ():
            run = subprocess.run([perf, "stat", "-x", ";", "-e", event, "true"], capture_output=True, text=True)
            if run.returncode == 0 and re.match(r"\d", run.stderr.strip()):
                _events.append(event)
    return _events


def cpu(pid):
    """Seconds of processor, and the kernel's share of them. The sum is exact, the split goes by the clock's tick."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    user, system = int(fields[11]), int(fields[12])
    return total / 1e9, user / os.sysconf("SC_CLK_TCK"), system / os.sysconf("SC_CLK_TCK")


class Perf:
    """perf stat on a running process, for the events that this machine counts."""

    def __init__(self, pid):
        self.counts = {}
        self._process = None
        if perf_events():
            self._process = subprocess.Popen(
                ["perf", "stat", "-x", ";", "-e", ",".join(perf_events()), "-p", str(pid)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            time.sleep(0.25)

    def end(self):
        if self._process:
            self._process.send_signal(signal.SIGINT)
            text = self._process.communicate(timeout=20)[1]
            for line in text.splitlines():
                fields = line.split(";")
                if len(fields) > 2 and fields[0].isdigit():
                    self.counts[fields[2]] = int(fields[0])
        return self.counts


class Strace:
    """System calls by ptrace, where perf cannot count them. It slows the process so much that batches get larger."""

    def __init__(self, pid):
        self._path = os.path.join(processes.scratch, f"strace-{pid}-{time.monotonic_ns()}")
        self._process = subprocess.Popen(
            ["strace", "-c", "-f", "-o", self._path, "-p", str(pid)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)

    def end(self):
        self._process.send_signal(signal.SIGINT)
        self._process.wait(20)
        with open(self._path) as file:
            for line in file:
                fields = line.split()
                if fields and fields[-1] == "total":
                    return {"raw_syscalls:sys_enter": int(fields[3] if len(fields) > 4 else fields[2])}
        return {}


def callgrind_is_here():
    return bool(shutil.which("valgrind") and shutil.which("callgrind_control"))


class Callgrind:
    """User instructions of a process that runs under valgrind."""

    # Fair: valgrind runs one thread at a time, and two workers are to have equal shares of it.
    PREFIX = ["valgrind", "--tool=callgrind", "--fair-sched=try", "--instr-atstart=no",
              "--callgrind-out-file=callgrind.%p", "--dump-instr=no", "-q"]

    def __init__(self, pid):
        self._pid = pid
        self._dumps = self._files()
        self._control("-i", "on")

    def end(self):
        self._control("-i", "off")
        self._control("-d")
        new = sorted(self._files() - self._dumps)
        total = 0
        for name in new:
            with open(os.path.join(processes.scratch, name)) as file:
                for line in file:
                    if line.startswith("totals:"):
                        total += int(line.split()[1])
        return total

    def _control(self, *arguments):
        # Not through pipes: vgdb, its child, may hang, and would hold them open past the timeout.
        subprocess.run(
            ["callgrind_control", *arguments, str(self._pid)], cwd=processes.scratch, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)

    def _files(self):
        return {name for name in os.listdir(processes.scratch) if name.startswith(f"callgrind.{self._pid}")}


def resident(pid):
    """Resident KiB."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def idle_connections(port, count):
    """So many silent connections; close them yourself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 100:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 100), hard))
    return [socket.create_connection(("127.0.0.1", port), 5.0) for _ in range(count)]
