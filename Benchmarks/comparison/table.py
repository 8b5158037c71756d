"""The results as Markdown tables, and Drover's as ratios to its peers."""

import os
import platform


def number(value, places=1):
    return "–" if value is None else f"{value:.{places}f}"


def cell(values):
    """Kilo-instructions (user part), system calls. What this machine cannot count is a question mark."""
    if not values:
        return "–"
    user = values.get("user", values.get("callgrind"))
    total = number(values["total"]) if "total" in values else "?"
    syscalls = number(values["syscalls"], 2) if "syscalls" in values else "?"
    return f"{total} ({'?' if user is None else number(user, 2)}), {syscalls}"


def time_cell(values):
    if not values or "cpu" not in values:
        return "–"
    return f"{values['cpu']:.2f} ({values['cpu_user']:.2f}), {values['rate'] / 1000:.0f}k/s"


def ratio_cell(ours, theirs):
    if not ours or not theirs:
        return "–"
    parts = []
    for name, keys in (("instructions", ("total",)), ("user", ("user", "callgrind")), ("syscalls", ("syscalls",)),
                       ("cpu", ("cpu",))):
        mine, other = (next((values[key] for key in keys if key in values), None) for values in (ours, theirs))
        if mine is not None and other:
            parts.append(f"{name} {mine / other:.2f}")
    return ", ".join(parts) or "–"


def grid(corner, titles, rows):
    widths = [max(len(str(row[index])) for row in [[corner, *titles], *rows]) for index in range(len(titles) + 1)]
    def line(cells):
        first = str(cells[0]).ljust(widths[0])
        return "| " + " | ".join([first] + [str(c).rjust(w) for c, w in zip(cells[1:], widths[1:])]) + " |"
    rule = "| " + " | ".join(["-" * widths[0]] + ["-" * (w - 1) + ":" for w in widths[1:]]) + " |"
    return "\n".join([line([corner, *titles]), rule, *map(line, rows)])


def markdown(peers, loads, results, memory, methods, command):
    """`results[peer key][load key]` is what was counted, `memory[peer key]` KiB."""
    titles = [peer.title for peer in peers]

    def rows(render):
        return [[load.title, *(render(results.get(peer.key, {}).get(load.key)) for peer in peers)] for load in loads]

    parts = [f"Made by `{command}` on {os.cpu_count()} cores of {processor()}, Linux {platform.release()}."]
    if loads:
        parts += [
            "Kilo-instructions per request (user part), system calls of the peer per request:",
            grid("load", titles, rows(cell)),
        ]
    if any("cpu" in values for its_loads in results.values() for values in its_loads.values()):
        parts += [
            "Microseconds of processor per request (user part), requests per second:",
            grid("load", titles, rows(time_cell)),
        ]
    ours = next((peer for peer in peers if loads and peer.key == "drover" and results.get("drover")), None)
    if ours:
        others = [peer for peer in peers if peer is not ours and results.get(peer.key)]
        parts += [
            "Drover's figure over the peer's; below 1 is less than the peer:",
            grid("load", [peer.title for peer in others], [
                [load.title, *(ratio_cell(results["drover"].get(load.key), results[peer.key].get(load.key))
                               for peer in others)] for load in loads]),
        ]
    names = (("start", "MiB after start"), ("idle", "KiB a silent connection"), ("load", "MiB after the loads"))
    measured = [peer for peer in peers if peer.key in memory]
    if measured:
        parts += ["Resident memory:", grid("", [peer.title for peer in measured], [
            [title, *(number(memory[peer.key].get(key), 2) for peer in measured)] for key, title in names])]
    notes = [f"{peer.title}, {load.title}: {text}" for peer in peers for load in loads
             if (text := (results.get(peer.key, {}).get(load.key) or {}).get("trouble"))]
    absent = [peer.title for peer in peers if not peer.binary]
    if absent:
        notes.append("not on this machine: " + ", ".join(absent))
    parts.append("\n".join(f"- {line}" for line in methods + notes))
    return "\n\n".join(parts) + "\n"


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?")
    except OSError:
        return "?"
