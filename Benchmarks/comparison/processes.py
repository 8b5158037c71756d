"""Starts servers for a measurement, and ends all of them: by their own process ids, whatever happens."""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

_started = []
scratch = tempfile.mkdtemp(prefix="drover-bench-")


def stop(process, wait=3.0):
    """Asks first, and ends it if it does not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process in _started:
        _started.remove(process)


def stop_all():
    for process in list(_started):
        stop(process, 1.0)
    shutil.rmtree(scratch, ignore_errors=True)


atexit.register(stop_all)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda *_: os._exit(stop_all() or 1))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, name, env=None, pipes=False):
    """A child whose output goes to a file in the scratch folder, or to pipes."""
    if pipes:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    else:
        log = open(os.path.join(scratch, name + ".log"), "ab")
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=scratch)
    _started.append(process)
    return process


def log_of(name):
    try:
        with open(os.path.join(scratch, name + ".log"), errors="replace") as log:
            return log.read()[-2000:]
    except OSError:
        return ""


def wait_for_port(port, process, name, seconds=20.0):
    """Until somebody listens; RuntimeError with the end of the log if that does not happen."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{name} does not listen on port {port}: {log_of(name)}")


def write(name, text):
    path = os.path.join(scratch, name)
    with open(path, "w") as file:
        file.write(text)
    return path
