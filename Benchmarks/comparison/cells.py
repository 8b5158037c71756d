"""One cell of the table: one load on one peer, counted while the generator stands still before and after."""

import json
import shutil

from . import measure, processes


class Step:
    """`drover bench --stepwise`: started, warmed up, and waiting to be let through the counted part."""

    def __init__(self, drover, port, load, extra):
        command = [drover, "bench", f"127.0.0.1:{port}", *load.options.split(), *extra, "--stepwise", "--json",
                   "--quiet"]
        self._process = processes.start(command, "generator", pipes=True)
        self._expect("waiting before")

    def count(self):
        self._go()
        self._expect("waiting after")

    def result(self):
        self._go()
        line = self._process.stdout.readline()
        processes.stop(self._process, 20.0)
        result = json.loads(line)
        result["code"] = self._process.returncode
        return result

    def _go(self):
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def _expect(self, text):
        line = self._process.stdout.readline().strip()
        if line != text:
            processes.stop(self._process)
            raise RuntimeError(f"the generator ended with '{line}' instead of '{text}'")


def trouble(result):
    """What must not be hidden in a number: errors, misses, lost answers."""
    parts = [f"{count} × {text}" for text, count in result["errors"].items()]
    for field in ("misses", "mismatched", "malformed", "lost", "unanswered"):
        if result[field]:
            parts.append(f"{result[field]} {field}")
    if not result.get("prefill_clean", True):
        parts.append("prefill failed in part")
    return ", ".join(parts)


def fast(drover, peer, load, seconds):
    """Processor time, system calls and, where the machine counts them, instructions per request."""
    pid = peer.process.pid
    step = Step(drover, peer.port, load, [
        "--keys", str(load.keys), "--warmup", "500ms", "--duration", f"{seconds}s"])
    perf = measure.Perf(pid)
    total, user, system = measure.cpu(pid)
    step.count()
    total_after, user_after, system_after = measure.cpu(pid)
    counts = perf.end()
    result = step.result()
    requests = max(result["requests"], 1)
    ticks = max(user_after - user + system_after - system, 1e-9)
    spent = (total_after - total) * 1e6 / requests
    cell = {
        "requests": result["requests"],
        "rate": result["requests_per_second"],
        "cpu": spent,
        "cpu_user": spent * (user_after - user) / ticks,
        "busy": (total_after - total) / max(result["seconds"], 1e-9),
        "trouble": trouble(result),
    }
    if "raw_syscalls:sys_enter" in counts:
        cell["syscalls"] = counts["raw_syscalls:sys_enter"] / requests
    if "instructions:u" in counts and "instructions:k" in counts:
        cell["user"] = counts["instructions:u"] / requests / 1000
        cell["total"] = cell["user"] + counts["instructions:k"] / requests / 1000
    return cell


def median(cells):
    """By the instructions: how many requests a turn finds waiting is a matter of chance."""
    cells = sorted(cells, key=lambda cell: cell["total"])
    wrong = [cell["trouble"] for cell in cells if cell["trouble"]]
    return {**cells[len(cells) // 2], "trouble": ", ".join(wrong)}


def emulated(drover, peer, load, counts):
    """Instructions and system calls per request, where an emulated machine counts them."""
    step = Step(drover, peer.port, load, [
        "--keys", str(load.slow_keys), "--warmup", str(load.slow_requests // 4),
        "--requests", str(2 * load.slow_requests)])
    before = counts.read()
    step.count()
    after = counts.read()
    result = step.result()
    user, kernel, syscalls = ((new - old) / max(result["requests"], 1) for old, new in zip(before, after))
    return {"requests": result["requests"], "user": user / 1000, "total": (user + kernel) / 1000, "syscalls": syscalls,
            "trouble": trouble(result)}


def by_strace(drover, peer, load):
    """System calls per request, where perf does not count them."""
    if not shutil.which("strace"):
        return {}
    step = Step(drover, peer.port, load, [
        "--keys", str(load.keys), "--no-prefill", "--warmup", "100", "--requests", str(load.slow_requests)])
    strace = measure.Strace(peer.process.pid)
    step.count()
    counts = strace.end()
    result = step.result()
    return {"syscalls": value / max(result["requests"], 1) for value in counts.values()}


def by_callgrind(drover, peer, load):
    """Kilo-instructions in user mode per request; the peer runs under valgrind."""
    step = Step(drover, peer.port, load, [
        "--keys", str(load.slow_keys), "--warmup", str(load.slow_requests // 4),
        "--requests", str(load.slow_requests)])
    callgrind = measure.Callgrind(peer.process.pid)
    step.count()
    instructions = callgrind.end()
    result = step.result()
    if not instructions or not result["requests"]:
        return {}
    return {"callgrind": instructions / result["requests"] / 1000, "trouble": trouble(result)}
