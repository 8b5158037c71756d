"""A machine of two emulated processors, with this one's files to read, in which a command runs and is counted.

The kernel is Debian's, fetched by apt-get and unpacked, not installed. Nothing of it reaches a network.
"""

import glob
import os
import shlex
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# What a file system of the outer machine needs, each after what it stands on.
MODULES = ["drivers/virtio/virtio_ring", "drivers/virtio/virtio", "drivers/virtio/virtio_pci_legacy_dev",
           "drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci", "fs/netfs/netfs",
           "fs/fscache/fscache", "net/9p/9pnet", "net/9p/9pnet_virtio", "fs/9p/9p"]
# Without the guards against what processors give away, and without what Debian's kernel does besides for safety: a machine
# that counts is set up so, too. With AppArmor off, and no word about the rest, that kernel turns SELinux on, which
# looks at each packet several times. The clock is the processor's own, read without a system call.
KERNEL = ("console=ttyS0 quiet panic=-1 nokaslr mitigations=off lsm=lockdown init_on_alloc=0 audit=0 preempt=none "
          "tsc=reliable clocksource=tsc")
TOOLS = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "cpio": "cpio", "cc": "gcc libc6-dev",
         "dpkg-deb": "dpkg", "apt-get": "apt"}


def missing():
    """What to install, as lines."""
    return [f"no {tool}: apt-get install {package}" for tool, package in TOOLS.items() if not shutil.which(tool)]


class Machine:
    """`folder` keeps the kernel for the next time; `shared` is the folder that both machines see."""

    def __init__(self, folder):
        self._folder = folder
        self.shared = os.path.join(folder, "shared")
        shutil.rmtree(self.shared, ignore_errors=True)
        os.makedirs(self.shared)
        self._fetch_kernel()
        self._pack()
        self._plugin = os.path.join(folder, "counts.so")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", self._plugin,
                        os.path.join(HERE, "counts.c")], check=True)

    def _fetch_kernel(self):
        self._tree = os.path.join(self._folder, "kernel")
        if glob.glob(self._tree + "/boot/vmlinuz-*"):
            return
        depends = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True,
                                 check=True).stdout
        package = next((line.split()[-1] for line in depends.splitlines() if "linux-image-" in line.split()[-1]
                        and "Depends:" in line), None)
        if not package:
            sys.exit("apt knows no linux-image-amd64: apt-get update")
        print(f"fetching {package}, 70 MB", file=sys.stderr)
        subprocess.run(["apt-get", "-q", "download", package], cwd=self._folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        archive = glob.glob(f"{self._folder}/{package}_*.deb")[0]
        subprocess.run(["dpkg-deb", "-x", archive, self._tree], check=True)
        os.remove(archive)

    def _pack(self):
        """The first file system: a shell, the modules and `init`."""
        root = os.path.join(self._folder, "first")
        shutil.rmtree(root, ignore_errors=True)
        for name in ("bin", "modules", "proc", "sys", "dev", "root"):
            os.makedirs(os.path.join(root, name))
        shutil.copy(shutil.which("busybox"), os.path.join(root, "bin/busybox"))
        shutil.copy(os.path.join(HERE, "init"), os.path.join(root, "init"))
        os.chmod(os.path.join(root, "init"), 0o755)
        modules = glob.glob(self._tree + "/lib/modules/*/kernel")[0]
        for module in MODULES:
            shutil.copy(f"{modules}/{module}.ko", os.path.join(root, "modules"))
        with open(os.path.join(root, "modules/order"), "w") as file:
            file.writelines(os.path.basename(module) + ".ko\n" for module in MODULES)
        names = subprocess.run(["find", "."], cwd=root, capture_output=True, check=True).stdout
        self._first = os.path.join(self._folder, "first.cpio")
        with open(self._first, "wb") as file:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, input=names, stdout=file, check=True)

    def run(self, command):
        """Runs it, its errors on ours; gives its output and its exit code, -1 when the machine ended first."""
        counts = os.path.join(self.shared, "counts")
        with open(counts, "wb") as file:
            file.write(bytes(4096))
        with open(os.path.join(self.shared, "run"), "w") as file:
            file.write(f"export PATH={shlex.quote(os.environ['PATH'])}:/usr/sbin:/sbin TMPDIR=/run HOME=/run\n"
                       f"cd /run && {shlex.join(command)} > /run/shared/output\n"
                       "echo $? > /run/shared/code\n")
        kernel = glob.glob(self._tree + "/boot/vmlinuz-*")[0]
        machine = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max,la57=off", "-smp", "2", "-m", "3G",
             "-accel", "tcg,thread=multi,tb-size=512", "-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio",
             "-kernel", kernel, "-initrd", self._first, "-append", KERNEL,
             "-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap",
             "-virtfs", f"local,path={self.shared},mount_tag=shared,security_model=none",
             "-plugin", self._plugin, "-d", "plugin"],
            env={**os.environ, "DROVER_COUNTS": counts}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=sys.stderr)
        try:
            for line in machine.stdout:
                text = line.decode(errors="replace").rstrip()
                # The firmware's greeting is none of ours.
                if "\x1b" not in text and "ROM.." not in text:
                    print(text, file=sys.stderr, flush=True)
            machine.wait()
        finally:
            machine.kill()
        return self._left("output") or "", int(self._left("code") or -1)

    def _left(self, name):
        try:
            with open(os.path.join(self.shared, name)) as file:
                return file.read()
        except OSError:
            return None
