# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptors against their limits, of the whole system and of each process, as the facts C(lifeline_fds)."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import page_size, processes, sockets
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent

SOURCES = ("/proc/sys/fs/file-nr", "/proc/sys/fs/inode-nr", "/proc/sys/fs/nr_open")

# Since systemd 240 the maximum is often the largest number there is, and a share of that says nothing.
NO_LIMIT = 1 << 40
# The kernel appends this to the path of a file that was deleted while a process has it open or runs it.
DELETED = " (deleted)"
# A process that has used so much of its own limit is listed, however few descriptors that is.
_NEAR_PERCENT = 50

_COUNT = re.compile(r"^(\d{1,12}) /proc/(\d{1,10})/fd$", re.MULTILINE)
_NUMBER = re.compile(r"^\d{1,20}$")
_LINK = re.compile(r"^(socket|pipe|anon_inode):\[?([^\]]*)\]?$")


def parse(sources, top=10):
    """The facts dictionary; every key is there on every box, None where the kernel doesn't say or it wasn't read.

    The number of each process's descriptors is in the source C(fds), a line each: the number and C(/proc/PID/fd). What they
    are is not told here: C(kinds) and C(instances) are None.
    """
    allocated, maximum = _file_nr(sources.get("/proc/sys/fs/file-nr", ""))
    table = processes.parse_table(sources)
    counts = {int(pid): int(count) for count, pid in _COUNT.findall(sources.get("fds", ""))}
    holders = sorted(
        (
            _holder(process, counts.get(pid))
            for pid, process in table.items()
            if not process["kernel_thread"] and pid in counts
        ),
        key=lambda holder: (-holder["open"], holder["pid"]),
    )
    return {
        "allocated": allocated,
        "maximum": maximum,
        "used_percent": None if maximum is None or maximum >= NO_LIMIT else percent(allocated, maximum),
        "nr_open": _number(sources.get("/proc/sys/fs/nr_open")),
        "processes": [
            holder
            for number, holder in enumerate(holders)
            if number < top or (holder["used_percent"] or 0) >= _NEAR_PERCENT
        ],
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


def has_lowered_its_limit(holder):
    """Who has more than its limit has lowered it on purpose, as sshd does before a login: it wants no further one."""
    return holder["open"] is not None and holder["soft_limit"] is not None and holder["open"] > holder["soft_limit"]


def fullest_by_name(holders):
    """Return, for each name of a process, the one that has used the largest share of its limit.

    A process without a known limit is not near it, and one that has lowered its limit below what it has open wants no more.
    """
    fullest = {}
    for holder in holders:
        if holder["used_percent"] is not None and not has_lowered_its_limit(holder):
            best = fullest.get(holder["name"])
            if best is None or holder["used_percent"] > best["used_percent"]:
                fullest[holder["name"]] = holder
    return fullest


def kinds(targets):
    """How many descriptors there are of each kind, from what they link to."""
    counted = dict.fromkeys(("file", "socket", "pipe", "eventpoll", "inotify", "device", "deleted", "other"), 0)
    for target in targets:
        counted[_kind(target)] += 1
    return counted


def _kind(target):
    link = _LINK.match(target)
    if link:
        kind = link.group(1) if link.group(1) != "anon_inode" else link.group(2)
        return kind if kind in ("socket", "pipe", "eventpoll", "inotify") else "other"
    if target.endswith(DELETED):
        return "deleted"
    if target.startswith("/dev/") and not target.startswith("/dev/shm/"):
        return "device"
    return "file" if target.startswith("/") else "other"


def _holder(process, count):
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


def _above(table, maximum, top):
    """The processes that may open more than the whole system can: their own limit never protects it."""
    if maximum is None or maximum >= NO_LIMIT:
        return {"count": 0, "processes": []}
    above = sorted(
        (
            process
            for process in table.values()
            if not process["kernel_thread"] and (process["fd_soft_limit"] or 0) > maximum
        ),
        key=lambda process: (-process["fd_soft_limit"], process["pid"]),
    )
    return {
        "count": len(above),
        "processes": [
            {key: process["fd_soft_limit" if key == "soft_limit" else key] for key in ("pid", "name", "soft_limit")}
            for process in above[:top]
        ],
    }


def _inotify(sources):
    return {
        "max_user_instances": _number(sources.get("/proc/sys/fs/inotify/max_user_instances")),
        "max_user_watches": _number(sources.get("/proc/sys/fs/inotify/max_user_watches")),
        "max_queued_events": _number(sources.get("/proc/sys/fs/inotify/max_queued_events")),
        "instances": None,
        "watches": None,
    }


def _inodes(text):
    fields = text.split()
    return {"allocated": _number("".join(fields[:1])), "free": _number("".join(fields[1:2]))}


def _file_nr(text):
    fields = text.split()
    return (_number(fields[0]), _number(fields[2])) if len(fields) == 3 else (None, None)


def _number(text):
    text = (text or "").strip()
    return int(text) if _NUMBER.match(text) else None
