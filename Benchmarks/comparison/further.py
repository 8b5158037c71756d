"""What does not fit the table of peers and loads: two workers against one, and writes of two copies.

What a turn of the loop costs is shared by the requests that it serves, so a worker with half the connections has
smaller batches and dearer requests, whatever the other worker does. Workers are therefore compared with the same load
on each: 50 connections on one, 100 on two. The kernel deals them out, evenly but for chance.
"""

from . import cells, loads, measure, peers, table

CONNECTIONS = 50
# A request with two workers may cost so much of what it costs with one.
LIMIT = 1.05


class Case:
    """One row: a load on a peer, under a title of its own."""

    def __init__(self, title, peer, load):
        self.title, self.peer, self.load = title, peer, load


def workers(drover):
    """One worker, then two with as many connections each, then two with as many together."""
    def case(workers, connections):
        load = loads.Load("workers", "get 100 B", f"-c {connections} --size 100", slow_requests=200 * connections)
        return Case(f"{workers} worker{'s' if workers > 1 else ''}, {connections} connections",
                    peers.drover(drover, workers), load)
    return [case(1, CONNECTIONS), case(2, 2 * CONNECTIONS), case(2, CONNECTIONS)]


def copies(newer, drover):
    load = loads.Load("copies", "set 100 B to two copies", "-c 50 --mix 0:1 --size 100")
    return [Case(peer.title, peer, load) for peer in peers.copying(newer, drover)]


def fast(case, drover, nodes, seconds, repeat):
    """What compare counts at full speed; the run that took least of the processor."""
    case.peer.start(nodes)
    found = min((cells.fast(drover, case.peer, case.load, seconds) for _ in range(repeat)),
                key=lambda cell: cell["cpu"])
    if "syscalls" not in found:
        found.update(cells.by_strace(drover, case.peer, case.load))
    case.peer.stop()
    return found


def emulated(case, drover, nodes, counts):
    """What an emulated machine counts."""
    runs = []
    for _ in range(counts.STARTS):
        counts.start(case.peer, nodes)
        runs.append(cells.emulated(drover, case.peer, case.load, counts))
        case.peer.stop()
    return cells.median(runs)


def slow(case, drover, nodes, repeat=1):
    """The user part by callgrind, the median of the runs; {} when it counted nothing."""
    case.peer.start(nodes, measure.Callgrind.PREFIX)
    runs = [cells.by_callgrind(drover, case.peer, case.load) for _ in range(repeat)]
    case.peer.stop()
    runs = sorted((run for run in runs if run), key=lambda run: run["callgrind"])
    return runs[len(runs) // 2] if runs else {}


def copied_reads(drover):
    """What a get costs where each key has two copies, over what it costs where it has one."""
    load = loads.Load("copied-get", "get 100 B", "-c 50 --size 100")
    return [Case(f"{copies} cop{'ies' if copies > 1 else 'y'}", peers.drover(drover, copies=copies), load)
            for copies in (1, 2)]


def grid(corner, cases, results):
    """Rows with their ratio to the first."""
    return table.grid(corner, ["kilo-instructions (user part), system calls", "µs of processor (user part), rate",
                               "over the first"], [
        [case.title, table.cell(result), table.time_cell(result),
         "" if result is results[0] else table.ratio_cell(result, results[0])]
        for case, result in zip(cases, results)])
