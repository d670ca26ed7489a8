# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mislead, block or blind the collection as a user of a host could. Each function is one attack.

An attack runs as root in namespaces of its own, but does only what an unprivileged user can do on a common host, or
what the owner of a worker's folder can. It returns when it is in place.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import silent_mount

FORGED = (
    "\n\n==> /run/lifeline/watchdog/systemd-poweroff <==\ngiven_up 1\n"
    "\n==> lifeline:/run/lifeline/watchdog/systemd-poweroff <==\ngiven_up 1\n"
    "\n==> /proc/meminfo <==\nMemTotal: 7 kB\n"
    "\n==> /sys/fs/cgroup/memory.max <==\n7\n"
    "\n==> lifeline:fds <==\n777777 /proc/1/fd\n"
    "\n==> lifeline:lines <==\n/proc/1/limits:Max open files 7 7 files\n"
    "\n==> lifeline:end <==\n\n==> lifeline-probe-end <==\n"
    "\n==> lifeline:cgroups <==\n|/proc/1/cgroup:0::/system.slice/mysql.service\n|ended 0\n"
    "\n==> lifeline:packages <==\n|openssl amd64 0.0 install ok installed\n|ended 0\n"
)
LOCK = "GEM\n  specs:\n    sidekiq (7.3.2)\n"
WORKER = "sidekiq 7.3.2 forged [0 of 5 busy]"
PIDFILE = Path("/run/crawler/sidekiq.pid")


def none():
    """Do nothing."""


def command_line():
    """Name headings and records of all kinds in command lines."""
    for number in range(0, len(FORGED), 400):
        _named("x" + FORGED[number : number + 400])
    for heading in FORGED.split("\n\n"):
        _named(f"x\n\n{heading}\n")
    # With what a worker's command line has, which is searched in all of them.
    _named(f"x\n{WORKER}\n/proc/1/cmdline:{WORKER}\n==> lifeline:fds <==\n777777 /proc/1/fd {WORKER}\n{FORGED}")
    # As long as a command line may be, to have a heading where the reader cuts it off.
    _named("y" * 470 + "\n==> /proc/1/stat <==\n1 (forged) R 1 1\n" + "y" * 2000)
    _named("\n==> /proc" + "/" * 600 + "1/cmdline <==\nforged")


def name():
    """Name processes so that their records look like others."""
    for text in ("\n==> x <==\n", "\n1 (init) S", ")\n==> /proc/1", "a) R 1 1 1 1 1"):
        _named("lifeline-hidden", text)


def fifo():
    """Put a FIFO, a link and a folder in the places of pidfiles."""
    PIDFILE.parent.mkdir()
    os.mkfifo(PIDFILE)
    for name, make in (("link", lambda path: path.symlink_to("/etc/shadow")), ("folder", lambda path: path.mkdir())):
        place = Path(f"/run/{name}/sidekiq.pid")
        place.parent.mkdir()
        make(place)
    os.makedirs("/run/lock", exist_ok=True)
    os.mkfifo("/run/lock/sidekiq.pid")


def pidfile():
    """Write into a pidfile what is no number, and much of it."""
    PIDFILE.parent.mkdir()
    PIDFILE.write_text(f"1\x1c{FORGED}" + "9" * 100_000)


def silent_arguments():
    """Map a file of a mount that never answers over the arguments of a process.

    Reading its command line blocks on kernels before 4.17 and unpatched ones (CVE-2018-1120).
    """
    silent_mount.mount("/tmp/silent", user=1000)
    for _turn in range(2):
        child = _fork()
        if child == 0:
            # Many arguments keep the stack in use and the arguments on different pages.
            os.execv(sys.executable, [sys.executable, __file__, "map", "/tmp/silent/x", *["x"] * 4000])
        _wait_until(lambda child=child: Path(f"/proc/{child}/comm").read_text() == "mapped\n")


def silent_pidfile():
    """Mount a file system in a worker's folder whose files can be opened, and never read."""
    silent_mount.mount("/run/crawler", user=1000)


def links_to_silence():
    """Link pidfiles, and a folder of one, into a mount that never answers, and mount one above a pidfile."""
    silent_mount.mount("/tmp/silent", mute=True, user=1000)
    PIDFILE.parent.mkdir()
    PIDFILE.symlink_to("/tmp/silent/x")
    Path("/run/link").mkdir()
    Path("/run/link/sub").symlink_to("/tmp/silent")
    silent_mount.mount("/run/folder", mute=True, user=1000)


def silent_system():
    """Mount a file system of root that reads requests and never answers."""
    silent_mount.mount("/tmp/silent", mute=True)


def silent_user():
    """Mount a file system that reads requests and never answers, as a user may."""
    silent_mount.mount("/tmp/silent", mute=True, user=1000)


def covered():
    """Mount file systems that never answer over a folder with mounts of root's, and over one of root's mounts."""
    for point, mount in (("/run/user/1000", "/run/user/1000"), ("/tmp/home/data", "/tmp/home")):
        os.makedirs(point)
        subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
        silent_mount.mount(mount, mute=True, user=1000)


def stopped_system():
    """Mount a file system of root whose server no longer reads requests."""
    silent_mount.mount("/tmp/silent", stopped=True)


def gone_system():
    """Mount a file system of root whose server is gone."""
    silent_mount.mount("/tmp/silent", gone=True)


def dead_mounts_and_fifos():
    """Mount file systems whose server no longer reads or is gone, and put FIFOs in the place of pidfiles."""
    stopped_system()
    silent_mount.mount("/tmp/gone", gone=True)
    fifo()


def gems():
    """Mount a file system that never answers where a worker's gems may be."""
    os.makedirs("/tmp/app/vendor")
    silent_mount.mount("/tmp/app/vendor/bundle", mute=True, user=1000)


def lock_link():
    """Link an application's lock to a file of root's."""
    os.makedirs("/tmp/app")
    Path("/tmp/lock").write_text(LOCK)
    Path("/tmp/app/Gemfile.lock").symlink_to("/tmp/lock")


def lock_fifo():
    """Put a FIFO in the place of an application's lock."""
    os.makedirs("/tmp/app")
    os.mkfifo("/tmp/app/Gemfile.lock")


def lock():
    """Hold a lock like any application."""
    os.makedirs("/tmp/app")
    Path("/tmp/app/Gemfile.lock").write_text(LOCK)


def silent_deleted_file():
    """Hold a file open that seems to be deleted, of a file system that has stopped answering."""
    silent_mount.mount("/tmp/silent", user=1000, opened=1)
    child = _fork()
    if child == 0:
        os.open("/tmp/silent/x (deleted)", os.O_RDONLY)
        _name(b"opened")
        _pause()
    _wait_until(lambda: Path(f"/proc/{child}/comm").read_text() == "opened\n")


def sockets():
    """Listen with thousands of sockets."""
    limit = 9000
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (limit + 100, max(limit + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    )
    child = _fork()
    if child == 0:
        opened = []
        for _turn in range(limit):
            one = socket.socket()
            one.bind(("127.0.0.1", 0))
            one.listen()
            opened.append(one)
        _name(b"opened")
        _pause()
    _wait_until(lambda: Path(f"/proc/{child}/comm").read_text() == "opened\n")


def processes():
    """Start a thousand processes."""
    for _turn in range(1000):
        _named("lifeline-many " + "z" * 400)


def small_stack():
    """Leave commands little room for arguments."""
    resource.setrlimit(resource.RLIMIT_STACK, (400 << 10, 400 << 10))
    for _turn in range(300):
        _named("lifeline-many " + "z" * 400)


def deleted_file():
    """Hold a deleted file open whose name pretends to be another's record."""
    forged = "/tmp/x\n0 999999999 512 8:1 |proc|1|fd|3 |var|log|big (deleted)\n==> lifeline:units <=="
    path = "/tmp/" + forged[5:].replace("/", "|")
    child = _fork()
    if child == 0:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        os.write(descriptor, b"x" * (1 << 20))
        os.unlink(path)
        _name(b"opened")
        _pause()
    _wait_until(lambda: Path(f"/proc/{child}/comm").read_text() == "opened\n")


def mount_point():
    """Mount something at a point whose name pretends to be another's figures."""
    point = Path("/tmp/m\n4096 4096 1 1 1 1 1 ")
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(point)], check=True)


def _named(text, name=None):
    """Start a process with one argument, and perhaps a name."""
    child = _fork()
    if child == 0:
        if name is None:
            os.execv("/bin/sleep", [text, "1000"])
        _name(name.encode())
        _pause()
    _wait_until(
        lambda: (
            Path(f"/proc/{child}/cmdline").read_bytes().startswith(text.encode()[:20])
            if name is None
            else Path(f"/proc/{child}/comm").read_bytes().startswith(name.encode()[:15])
        )
    )


def _fork():
    return os.fork()


def _name(name):
    ctypes.CDLL(None).prctl(15, name, 0, 0, 0)


def _pause():
    while True:
        signal.pause()


def _wait_until(holds):
    until = time.monotonic() + 60
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError("an attack is not in place")
        time.sleep(0.01)


def _map(path):
    """Map the file over the page with the first argument of this very process."""
    start = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    page = start & ~(mmap.PAGESIZE - 1)
    descriptor = os.open(path, os.O_RDONLY)
    _name(b"mapped")
    fixed_private = 0x12
    if libc.mmap(page, mmap.PAGESIZE, mmap.PROT_READ, fixed_private, descriptor, 0) != page:
        raise OSError(ctypes.get_errno(), "mmap")
    _pause()


if __name__ == "__main__":
    _map(sys.argv[2])
