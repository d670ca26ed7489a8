# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read descriptors on the host: how many each process has, and what they are."""

from __future__ import annotations

import os
import re
from typing import Callable, Dict, Iterable, List, Optional

INOTIFY = "anon_inode:inotify"
_WATCH = re.compile(rb"^inotify wd:", re.MULTILINE)


def count_all(pids: Iterable[int]) -> str:
    """Return the source `fds`: a line for each process whose descriptors could be counted."""
    counter = _counter()
    counted = ((counter(pid), pid) for pid in pids)
    return "".join(f"{count} /proc/{pid}/fd\n" for count, pid in counted if count is not None)


def count(pid: int) -> Optional[int]:
    """Return how many descriptors a process has open; None if it is gone or this user may not know."""
    return _counter()(pid)


def links(pids: Iterable[int]) -> Dict[int, List[str]]:
    """Return what the descriptors of each process link to, without the processes that this user may not look into."""
    found: Dict[int, List[str]] = {}
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        targets = [target for target in (_readlink(f"{folder}/{name}") for name in names) if target is not None]
        # Some processes let this user list their descriptors, but not follow any of them.
        if targets or not names:
            found[pid] = targets
    return found


def inotify_watches(pid: int) -> int:
    """Return the number of watches of all inotify instances of a process, as far as they can be read."""
    watches = 0
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            if _readlink(f"/proc/{pid}/fd/{name}") == INOTIFY:
                with open(f"/proc/{pid}/fdinfo/{name}", "rb") as stream:
                    watches += len(_WATCH.findall(stream.read()))
    except OSError:
        # The process or this descriptor is gone.
        pass
    return watches


def _counter() -> Callable[[int], Optional[int]]:
    """Choose how to count: since Linux 6.2, the size of the folder is the number; before, root has to list it."""
    return _count_by_size if os.stat("/proc/self/fd").st_size > 0 else _count_by_list


def _count_by_size(pid: int) -> Optional[int]:
    try:
        return os.stat(f"/proc/{pid}/fd").st_size
    except OSError:
        return None


def _count_by_list(pid: int) -> Optional[int]:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None


def _readlink(path: str) -> Optional[str]:
    try:
        return os.fsencode(os.readlink(path)).decode("utf-8", "backslashreplace")
    except OSError:
        return None
