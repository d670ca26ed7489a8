# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a box with its own kernel in QEMU, with KVM if that works, otherwise emulated."""

from __future__ import annotations

import functools
import pathlib
import shlex
import socket
import subprocess
import time

from lab.machine import LabError, run, ssh_arguments

DEAD_AFTER = 15


@functools.cache
def accelerator(kernel):
    """Return "kvm" if the kernel boots with it until it misses its disk, otherwise "tcg".

    It is not enough that the device opens or QEMU starts.
    """
    argv = [
        "qemu-system-x86_64",
        "-accel",
        "kvm",
        "-cpu",
        "max",
        "-m",
        "256",
        "-nodefaults",
        "-display",
        "none",
        "-no-reboot",
        "-kernel",
        str(kernel),
        "-append",
        "panic=-1",
    ]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "tcg"
    return "tcg" if done.returncode else "kvm"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Machine:
    """A context manager that boots an image. Changes of the disk are discarded unless it is to be written."""

    def __init__(self, name, image, folder, settings, swap=False, writable=False):
        self.name, self.image, self.folder, self.settings = name, image, pathlib.Path(folder), settings
        self.swap, self.writable = swap, writable
        self.port = free_port()
        self.process = None

    @property
    def serial(self):
        return self.folder / f"{self.name}.console"

    @property
    def ssh_arguments(self):
        return ssh_arguments(self.image.key, self.folder / f"{self.name}.known_hosts")

    def command(self):
        settings = self.settings
        limits = (
            f"throttling.iops-total={settings['disk_iops']},throttling.bps-total={settings['disk_bytes']},"
            "throttling.group=volume"
        )
        drives = [(self.image.disk, "off" if self.writable else "on")]
        if self.swap:
            drives.append((self.swap_disk(), "off"))
        # An emulated CPU needs no mitigations, and wide registers make the emulation slower.
        emulated = accelerator(self.image.kernel) == "tcg"
        argv = [
            "-accel",
            "tcg" if emulated else "kvm",
            "-cpu",
            "Nehalem" if emulated else "max",
            "-smp",
            "2" if self.writable else "1",
            "-m",
            str(settings["memory_mib"]),
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            f"file:{self.serial}",
            "-no-reboot",
            "-kernel",
            self.image.kernel,
            "-initrd",
            self.image.initrd,
            "-append",
            "root=/dev/vda rw console=ttyS0 net.ifnames=0 loglevel=4" + (" mitigations=off" if emulated else ""),
            "-netdev",
            f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22",
            "-device",
            "virtio-net-pci,netdev=net,romfile=",
            "-device",
            "virtio-rng-pci",
        ]
        for disk, snapshot in drives:
            # Provisioning is not measured, so its disk has no limits.
            argv += [
                "-drive",
                f"file={disk},if=virtio,format=raw,snapshot={snapshot}" + ("" if self.writable else f",{limits}"),
            ]
        # The box must end with the process that booted it, however that ends.
        return ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", *map(str, argv)]

    def swap_disk(self):
        path = self.folder / f"{self.name}.swap"
        with path.open("wb") as stream:
            stream.truncate(self.settings["swap_mib"] << 20)
        run("mkswap", "-q", str(path))
        return path

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{self.name}.qemu").open("wb") as said:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(self.folder)},
            )
        try:
            self.wait()
        except BaseException:
            self.kill()
            raise
        return self

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def __exit__(self, kind, error, trace):
        self.kill()
        (self.folder / f"{self.name}.swap").unlink(missing_ok=True)

    def wait(self, patience=300):
        """Wait until the box has booted, its worker runs, and its swap is on."""
        deadline = time.monotonic() + patience
        wanted = (
            "systemctl is-system-running --wait > /dev/null; systemctl is-active -q sidekiq.service && "
            "{ ! test -b /dev/vdb || swapon /dev/vdb; }"
        )
        while self.attempt(wanted, 60).returncode:
            if self.process.poll() is not None:
                raise LabError(f"{self.name}: QEMU ended: {(self.folder / f'{self.name}.qemu').read_text()[-1000:]}")
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} isn't up after {patience} s; what its console shows: {self.serial}")
            time.sleep(1)

    def attempt(self, command, seconds=DEAD_AFTER, user="root"):
        """Run a command over a new connection; the exit code 255 means no answer."""
        argv = [
            "ssh",
            *shlex.split(self.ssh_arguments),
            "-o",
            f"ConnectTimeout={seconds}",
            "-o",
            "BatchMode=yes",
            "-p",
            str(self.port),
            f"{user}@127.0.0.1",
            command,
        ]
        try:
            return subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as error:
            return subprocess.CompletedProcess(argv, 255, "", f"no answer within {error.timeout:.0f} s")

    def run(self, command, seconds=120):
        done = self.attempt(command, seconds)
        if done.returncode:
            raise LabError(f"{self.name}: {command}: {done.stdout[-500:]}{done.stderr[-500:]}")
        return done.stdout.strip()

    def power_off(self):
        self.attempt("systemctl poweroff", 30)
        self.process.wait(timeout=120)
