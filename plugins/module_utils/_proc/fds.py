# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse descriptors and their limits, of the whole system and of each process, into the facts `lifeline_fds`."""

from __future__ import annotations

import re
from typing import Dict, Iterable, List, Optional, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Process, Table
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import (
    FdHolder,
    FdLimit,
    FdLimits,
    Fds,
    Inodes,
    Inotify,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import page_size, processes, sockets
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent

SOURCES = ("/proc/sys/fs/file-nr", "/proc/sys/fs/inode-nr", "/proc/sys/fs/nr_open")

# Since systemd 240, the maximum is often the largest number there is, and a share of that means nothing.
NO_LIMIT = 1 << 40
# The kernel appends this to the path of a file that was deleted while a process has it open or runs it.
DELETED = " (deleted)"
# A process that has used this share of its limit is listed, however few descriptors that is.
_NEAR_PERCENT = 50
# A limit that a process has just reached is exceeded by less than this.
_LOWERED = 1.5
# systemd gives its own services, and no others, a limit that is above the maximum of a small host.
_SYSTEMD = re.compile(r"systemd(-|\Z)|\(sd-pam\)\Z|init\Z")
# A user can start any number of such processes.
_MOST_NEAR = 50

_COUNT = re.compile(r"^(\d{1,12}) /proc/(\d{1,10})/fd$", re.MULTILINE)
_NUMBER = re.compile(r"^\d{1,20}$")
_LINK = re.compile(r"^(socket|pipe|anon_inode):\[?([^\]]*)\]?$")


def parse(sources: Sources, top: int = 10) -> Fds:
    """Return the facts about descriptors.

    The source `fds` has a line for each process: the number of its descriptors, and `/proc/PID/fd`. What they are is
    not in the sources, so `kinds` and `instances` are None.
    """
    allocated, maximum = _file_nr(sources.get("/proc/sys/fs/file-nr", ""))
    table = processes.parse_table(sources)
    counts = {int(pid): int(count) for count, pid in _COUNT.findall(sources.get("fds", ""))}
    holders = sorted(
        (
            _holder(process, counts[pid])
            for pid, process in table.items()
            if not process["kernel_thread"] and pid in counts
        ),
        key=lambda holder: (-(holder["open"] or 0), holder["pid"]),
    )
    return {
        "allocated": allocated,
        "maximum": maximum,
        "used_percent": None if maximum is None or maximum >= NO_LIMIT else percent(allocated, maximum),
        "nr_open": _number(sources.get("/proc/sys/fs/nr_open")),
        "processes": _listed(holders, top),
        "processes_total": sum(not process["kernel_thread"] for process in table.values()),
        "unreadable": sum(
            not process["kernel_thread"] and (pid not in counts or process["fd_soft_limit"] is None)
            for pid, process in table.items()
        ),
        "limit_above_maximum": _above(table, maximum, top),
        "sockets": sockets.parse(sources, page_size.page_size(sources)),
        "inotify": _inotify(sources),
        "inodes": _inodes(sources.get("/proc/sys/fs/inode-nr", "")),
    }


def _listed(holders: List[FdHolder], top: int) -> List[FdHolder]:
    """Return the holders with the most descriptors, and those that are nearest to their limit, in the given order."""
    near = [holder for holder in holders[top:] if (holder["used_percent"] or 0) >= _NEAR_PERCENT]
    near.sort(key=lambda holder: -(holder["used_percent"] or 0))
    chosen = {holder["pid"] for holder in [*holders[:top], *near[:_MOST_NEAR]]}
    return [holder for holder in holders if holder["pid"] in chosen]


def has_lowered_its_limit(holder: FdHolder) -> bool:
    """Return whether a process has far more than its limit: it has lowered it on purpose, as sshd before a login."""
    count, limit = holder["open"], holder["soft_limit"]
    return count is not None and limit is not None and count > limit * _LOWERED


def fullest_by_name(holders: Iterable[FdHolder]) -> Dict[str, FdHolder]:
    """Return, for each name of a process, the one that has used the largest share of its limit.

    A process without a known limit is not near it. One that has lowered its limit below what it has open wants no more.
    """
    fullest: Dict[str, FdHolder] = {}
    for holder in holders:
        if holder["used_percent"] is not None and not has_lowered_its_limit(holder):
            best = fullest.get(holder["name"])
            if best is None or holder["used_percent"] > (best["used_percent"] or 0):
                fullest[holder["name"]] = holder
    return fullest


def kinds(targets: Iterable[str]) -> Dict[str, int]:
    """Return how many descriptors there are of each kind, from what they link to."""
    counted = dict.fromkeys(("file", "socket", "pipe", "eventpoll", "inotify", "device", "deleted", "other"), 0)
    for target in targets:
        counted[_kind(target)] += 1
    return counted


def _kind(target: str) -> str:
    link = _LINK.match(target)
    if link:
        kind = link.group(1) if link.group(1) != "anon_inode" else link.group(2)
        return kind if kind in ("socket", "pipe", "eventpoll", "inotify") else "other"
    if target.endswith(DELETED):
        return "deleted"
    if target.startswith("/dev/") and not target.startswith("/dev/shm/"):
        return "device"
    return "file" if target.startswith("/") else "other"


def _holder(process: Process, count: int) -> FdHolder:
    limit = process["fd_soft_limit"]
    return {
        "pid": process["pid"],
        "name": process["name"],
        "open": count,
        "soft_limit": limit,
        "hard_limit": process["fd_hard_limit"],
        "used_percent": percent(count, limit),
        "kinds": None,
    }


def _above(table: Table, maximum: Optional[int], top: int) -> FdLimits:
    """Return the processes that may open more than the whole system can: their own limit never protects it."""
    if maximum is None or maximum >= NO_LIMIT:
        return {"count": 0, "processes": []}
    above = [
        FdLimit(pid=process["pid"], name=process["name"], soft_limit=process["fd_soft_limit"])
        for process in table.values()
        if process["fd_soft_limit"] is not None
        and process["fd_soft_limit"] > maximum
        and not process["kernel_thread"]
        and not _SYSTEMD.match(process["name"])
    ]
    above.sort(key=lambda limit: (-limit["soft_limit"], limit["pid"]))
    return {"count": len(above), "processes": above[:top]}


def _inotify(sources: Sources) -> Inotify:
    return {
        "max_user_instances": _number(sources.get("/proc/sys/fs/inotify/max_user_instances")),
        "max_user_watches": _number(sources.get("/proc/sys/fs/inotify/max_user_watches")),
        "max_queued_events": _number(sources.get("/proc/sys/fs/inotify/max_queued_events")),
        "instances": None,
        "watches": None,
    }


def _inodes(text: str) -> Inodes:
    fields = text.split()
    return {"allocated": _number("".join(fields[:1])), "free": _number("".join(fields[1:2]))}


def _file_nr(text: str) -> Tuple[Optional[int], Optional[int]]:
    fields = text.split()
    return (_number(fields[0]), _number(fields[2])) if len(fields) == 3 else (None, None)


def _number(text: Optional[str]) -> Optional[int]:
    text = (text or "").strip()
    return int(text) if _NUMBER.match(text) else None
