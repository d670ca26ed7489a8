# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the mounted file systems how full they are, without waiting for one that may never answer."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import time
from typing import Collection, Dict, Optional, Sequence, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._disks.mounts import file_systems, guarded
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo, stat
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.mountinfo import Mount

_ANSWER_LIMIT = 4096
# The process that asks a mount has this name, with the mount's number.
_ASKER = re.compile(r"statfs ([0-9]{1,8})\Z")


def read(mounts: Sequence[Mount], timeout: float, network: bool = True, waiting: Collection[int] = ()) -> str:
    """Return the source `statfs` of the real file systems; those of the network only if asked to.

    Mounts that may hang are asked at the same time, each by a process of its own; together they have `timeout` seconds.
    `waiting` are the ids of mounts that a process waits for already: they hang, so no other process is sent there.
    """
    may_hang = guarded(mounts)
    asked = [group[0] for group in file_systems(mounts)]
    answers = {mount.id: _ask(mount) for mount in asked if mount.id not in may_hang}
    if network:
        careful = [mount for mount in asked if mount.id in may_hang]
        answers.update((mount.id, "hung") for mount in careful if mount.id in waiting)
        answers.update(_ask_guarded([mount for mount in careful if mount.id not in waiting], timeout))
    return "".join(f"{answers[mount.id]} {mount.point}\n" for mount in asked if mount.id in answers)


def mount_waited_for(text: str) -> Optional[int]:
    """Return the number of the mount that a process waits for, from the text of its stat file; None for any other."""
    process = stat.parse(text) if "(statfs " in text else None
    asker = _ASKER.match(process.name) if process else None
    return int(asker.group(1)) if asker else None


def _ask(mount: Mount) -> str:
    try:
        found = os.statvfs(mountinfo.path_bytes(mount.raw))
    except PermissionError:
        return "denied"
    except (OSError, ValueError):
        return "error"
    space = (found.f_frsize, found.f_bsize, found.f_blocks, found.f_bfree, found.f_bavail)
    return " ".join(map(str, (*space, found.f_files, found.f_ffree)))


def _ask_guarded(mounts: Sequence[Mount], timeout: float) -> Dict[int, str]:
    deadline = time.monotonic() + timeout
    answers = dict.fromkeys((mount.id for mount in mounts), "error")
    asking: Dict[int, Tuple[Mount, int]] = {}
    poll = select.poll()
    for mount in mounts:
        try:
            pid, pipe = _start(mount)
        except OSError:
            continue
        asking[pipe] = mount, pid
        poll.register(pipe, select.POLLIN)
    while asking:
        ready = poll.poll(max(0, deadline - time.monotonic()) * 1000)
        for pipe, _event in ready:
            mount, pid = asking.pop(pipe)
            poll.unregister(pipe)
            # Less than PIPE_BUF is written at once, so one read gets all of it.
            answers[mount.id] = os.read(pipe, _ANSWER_LIMIT).decode("ascii") or "error"
            os.close(pipe)
            os.waitpid(pid, 0)
        if not ready and time.monotonic() >= deadline:
            break
    for pipe, (mount, pid) in asking.items():
        answers[mount.id] = "hung"
        os.close(pipe)
        # It may not die before the mount answers, so leave it to init to wait for it.
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, os.WNOHANG)
    return answers


def _start(mount: Mount) -> Tuple[int, int]:
    """Start a process that asks one mount. Return its id and the pipe that its answer comes through."""
    reading, writing = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    if pid == 0:
        try:
            _answer(mount, writing)
        finally:
            os._exit(1)
    os.close(writing)
    return pid, reading


def _answer(mount: Mount, pipe: int) -> None:
    """Ask the mount, in the process that may hang. It leaves the session and its descriptors, as SSH waits for both."""
    os.setsid()
    os.dup2(pipe, 0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    for descriptor in os.listdir("/proc/self/fd"):
        if int(descriptor) > 2:
            with contextlib.suppress(OSError):
                os.close(int(descriptor))
    os.chdir("/")
    with open("/proc/self/comm", "wb") as name:
        name.write(b"statfs %d" % mount.id)
    os.write(0, _ask(mount).encode("ascii"))
