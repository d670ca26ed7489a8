# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of descriptors on the box: how many each process has, and what they are."""

from __future__ import annotations

import os
import re

INOTIFY = "anon_inode:inotify"
_WATCH = re.compile(rb"^inotify wd:", re.MULTILINE)


def count_all(pids):
    """The source C(fds): a line for each process whose descriptors could be counted."""
    counter = _counter()
    counted = ((counter(pid), pid) for pid in pids)
    return "".join(f"{count} /proc/{pid}/fd\n" for count, pid in counted if count is not None)


def count(pid):
    """How many descriptors a process has open, or None where that may not be known or the process is gone."""
    return _counter()(pid)


def links(pids):
    """What the descriptors of each process link to, without those processes that don't let this user see it."""
    found = {}
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        targets = [target for target in (_readlink(f"{folder}/{name}") for name in names) if target is not None]
        # To list them and not to see any of them happens as well.
        if targets or not names:
            found[pid] = targets
    return found


def inotify_watches(pid):
    """The watches of all inotify instances of a process, as far as they can be read."""
    watches = 0
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            if _readlink(f"/proc/{pid}/fd/{name}") == INOTIFY:
                with open(f"/proc/{pid}/fdinfo/{name}", "rb") as stream:
                    watches += len(_WATCH.findall(stream.read()))
    except OSError:
        # The process, or this descriptor of it, is gone.
        pass
    return watches


def _counter():
    """From kernel 6.2 on the size of the directory is the number, for any user to see; before, root has to list it."""
    return _count_by_size if os.stat("/proc/self/fd").st_size > 0 else _count_by_list


def _count_by_size(pid):
    try:
        return os.stat(f"/proc/{pid}/fd").st_size
    except OSError:
        return None


def _count_by_list(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None


def _readlink(path):
    try:
        return os.fsencode(os.readlink(path)).decode("utf-8", "backslashreplace")
    except OSError:
        return None
