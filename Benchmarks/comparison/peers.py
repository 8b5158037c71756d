"""What is compared, and how each of them is started with one worker in front of the same three nodes."""

import os
import shutil
import subprocess

from . import processes

NODES = 3


class Nodes:
    """Three memcached, one thread each, with room for everything that the loads store."""

    def __init__(self, memcached):
        self.ports = []
        for index in range(NODES):
            port = processes.free_port()
            name = f"node{index}"
            process = processes.start(memcached_command(memcached, port), name)
            processes.wait_for_port(port, process, name)
            self.ports.append(port)


def memcached_command(binary, port, connections=4096):
    return [binary, "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "1", "-m", "512",
            "-c", str(connections)]


class Peer:
    """One column of the table. `binary` is None when it is not on this machine."""

    def __init__(self, key, title, binary, prepare):
        self.key, self.title, self.binary, self._prepare = key, title, binary, prepare
        self.process = None
        self.port = None

    def start(self, nodes, prefix=(), environment=None, launcher=()):
        """Runs the peer, valgrind's `prefix` or another `launcher` before its command, with additions to the
        environment."""
        self.port = processes.free_port()
        binary = self._readable() if prefix else self.binary
        command = self._prepare(binary, self.port, nodes.ports)
        if prefix and self.key in ("lone", "mcproxy"):
            # memcached sets its limit of descriptors to what -c says, and valgrind lets it set what is the limit
            # already: the outer one less the 12 that valgrind keeps for itself.
            command = ["500" if part == "4096" else part for part in command]
            prefix = ["prlimit", "--nofile=512:512", *prefix]
        command = [*launcher, *prefix, *command]
        # A name of its own, so that the log of an earlier start is not taken for this one's.
        name = f"{self.key}-{self.port}"
        self.process = processes.start(command, name, {**os.environ, **(environment or {})})
        processes.wait_for_port(self.port, self.process, name, 60.0 if prefix else 20.0)
        return self.process.pid

    def _readable(self):
        """Drover without debug information, whose newer form valgrind cannot read."""
        if self.key != "drover":
            return self.binary
        copy = os.path.join(processes.scratch, "drover")
        subprocess.run(["strip", "--strip-debug", "-o", copy, self.binary], check=True)
        return copy

    def stop(self):
        if self.process:
            processes.stop(self.process)
            self.process = None


def _lone(binary, port, nodes):
    return memcached_command(binary, port)


def _relay(binary, port, nodes):
    path = processes.write(f"haproxy-{port}.cfg", f"""global
    nbthread 1
    maxconn 4000
defaults
    mode tcp
    timeout connect 5s
    timeout client 600s
    timeout server 600s
listen relay
    bind 127.0.0.1:{port}
    server node0 127.0.0.1:{nodes[0]}
""")
    return [binary, "-db", "-f", path]


def _twemproxy(binary, port, nodes):
    servers = "\n".join(f"   - 127.0.0.1:{node}:1 node{index}" for index, node in enumerate(nodes))
    path = processes.write(f"nutcracker-{port}.yml", f"""main:
  listen: 127.0.0.1:{port}
  hash: fnv1a_64
  distribution: ketama
  preconnect: true
  auto_eject_hosts: false
  server_connections: 1
  servers:
{servers}
""")
    log = os.path.join(processes.scratch, f"nutcracker-{port}.log")
    return [binary, "-c", path, "-o", log, "-s", str(processes.free_port()), "-a", "127.0.0.1"]


def _memcached_proxy(binary, port, nodes):
    backends = ", ".join(f'"127.0.0.1:{node}"' for node in nodes)
    path = processes.write(f"proxy-{port}.lua", f"""pools{{
    main = {{ backends = {{ {backends} }}, options = {{ dist = mcp.dist_ring_hash }} }}
}}
routes{{ default = route_direct{{ child = "main" }} }}
""")
    command = memcached_command(binary, port)
    return command + ["-o", f"proxy_config=routelib,proxy_arg={path}"]


def _copying_proxy(binary, port, nodes):
    # Jump hash goes by a backend's place in the list: the second pool's lists are shifted by one, so that a key's two
    # copies are on two nodes.
    pools = [", ".join(f'"127.0.0.1:{node}"' for node in nodes[shift:] + nodes[:shift]) for shift in (0, 1)]
    path = processes.write(f"copies-{port}.lua", f"""pools{{
    set_main = {{ {{ backends = {{ {pools[0]} }} }}, {{ backends = {{ {pools[1]} }} }} }}
}}
routes{{ default = route_allsync{{ children = "set_main" }} }}
""")
    return memcached_command(binary, port) + ["-o", f"proxy_config=routelib,proxy_arg={path}"]


def _drover(binary, port, nodes, workers=1, copies=1):
    servers = "\n".join(f"      - 127.0.0.1:{node}:1 node{index}" for index, node in enumerate(nodes))
    path = processes.write(f"drover-{port}.yml", f"""workers: {workers}
pools:
  main:
    listen: [127.0.0.1:{port}]
    nodes:
{servers}
    distribution: ketama
    hash: fnv1a_64
    timeout: 5s
{COPIES % copies if copies > 1 else ""}
""")
    return [binary, "serve", "-c", path]


# What is counted is requests: the markers that the control thread reads twice a second are none.
COPIES = "    replicas: %d\n    poll: 1m"


def drover(binary, workers=1, copies=1):
    """Drover with so many workers and copies of each key."""
    title = f"Drover, {workers} workers" if workers > 1 else "Drover"
    return Peer("drover", title, binary, lambda binary, port, nodes: _drover(binary, port, nodes, workers, copies))


def copying(newer, drover_binary):
    """Those that write two copies of each key."""
    found = [Peer("mcproxy", "memcached's proxy, 1 worker, allsync", newer, _copying_proxy)] if _is_program(newer) else []
    return found + [drover(drover_binary, copies=2)]


def _is_program(path):
    return bool(path) and os.access(path, os.X_OK)


def find(memcached, newer, drover):
    """All peers, in the table's order."""
    return [
        Peer("lone", "a lone memcached", memcached, _lone),
        Peer("relay", "raw TCP relay (haproxy)", shutil.which("haproxy", path=_path()), _relay),
        Peer("twemproxy", "twemproxy", shutil.which("nutcracker", path=_path()), _twemproxy),
        Peer("mcproxy", "memcached's proxy, 1 worker", newer if _is_program(newer) else None,
             _memcached_proxy),
        Peer("drover", "Drover", drover, _drover),
    ]


def _path():
    # Daemons live where an ordinary user's PATH does not look.
    return os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
