# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory ceiling that a control group sets: the smallest limit over a process's group and all its ancestors."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units

SOURCES = ("/proc/self/mountinfo", "/proc/self/cgroup")

# From here on a v1 limit means "none": the kernel rounds the largest signed integer down to whole pages.
_V1_UNLIMITED = 1 << 60


# From here on the kernel slows down whoever allocates.
_HIGH = "memory.high"
_PIDS_MAX, _PIDS_USED = "pids.max", "pids.current"


class _Hierarchy:
    """The file names and the arithmetic of one cgroup version's memory controller."""

    def __init__(self, version, limit, usage, swap_limit, swap_usage, reclaimable, events, more=()):
        self.version = version
        self.limit = limit
        self.usage = usage
        self.swap_limit = swap_limit
        self.swap_usage = swap_usage
        self.reclaimable = reclaimable
        self.events = events
        self.files = (limit, usage, "memory.stat", swap_limit, swap_usage, events, *more)


_V1 = _Hierarchy(
    1,
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.memsw.usage_in_bytes",
    ("total_inactive_file", "total_active_file"),
    "memory.oom_control",
)
_V2 = _Hierarchy(
    2,
    "memory.max",
    "memory.current",
    "memory.swap.max",
    "memory.swap.current",
    ("inactive_file", "active_file", "slab_reclaimable"),
    "memory.events",
    (_HIGH, _PIDS_MAX, _PIDS_USED),
)

# The files of each version's memory controller that are read of every group.
FILES = {1: _V1.files, 2: _V2.files}


def paths(sources):
    """The files that tell this process's limits, its own group first, then each ancestor up to the root that it can see."""
    return [f"{folder}/{name}" for hierarchy, folder in _folders(sources) for name in hierarchy.files]


def memory_ceiling(sources):
    """The smallest memory limit that holds for the reading process, or None where no group limits it.

    Returns version, path (below the hierarchy's mount point), limit_bytes, used_bytes (the working set: without the
    page cache that the kernel drops first), usage_bytes (all that is charged), available_bytes, swap_limit_bytes
    and swap_used_bytes (None where swap isn't limited or accounted).
    """
    ceilings = [_ceiling(hierarchy, folder, sources) for hierarchy, folder in _folders(sources)]
    return min((found for found in ceilings if found), key=lambda found: found["limit_bytes"], default=None)


def oom_kills(sources):
    """The OOM kills in the outermost group that this process can see and all groups below, or None where none counts them.

    In a container that is the container itself.
    """
    for hierarchy, folder in reversed(_folders(sources)):
        count = _stat(sources.get(f"{folder}/{hierarchy.events}", "")).get("oom_kill")
        # Version 1 counts no kills in the groups below, so that none of its own says nothing.
        if count or (count == 0 and hierarchy is _V2):
            return count
    return None


def pids(sources):
    """Return pairs of the tasks and of the most that there may be, for each control group of this process that limits them."""
    counts = [
        (_number(sources.get(f"{folder}/{_PIDS_USED}")), _number(sources.get(f"{folder}/{_PIDS_MAX}")))
        for hierarchy, folder in _folders(sources)
        if hierarchy is _V2
    ]
    return [(used, most) for used, most in counts if used is not None and most]


def _ceiling(hierarchy, folder, sources):
    limits = [_number(sources.get(f"{folder}/{name}")) for name in (hierarchy.limit, _HIGH)]
    limit = min((one for one in limits if one is not None), default=None)
    usage = _number(sources.get(f"{folder}/{hierarchy.usage}"))
    if limit is None or usage is None or limit >= _V1_UNLIMITED:
        return None
    # The kernel takes back both lists of the page cache before it kills, as MemAvailable counts them.
    stat = _stat(sources.get(f"{folder}/memory.stat", ""))
    used = max(0, usage - sum(stat.get(name, 0) for name in hierarchy.reclaimable))
    swap_limit = _number(sources.get(f"{folder}/{hierarchy.swap_limit}"))
    swap_used = _number(sources.get(f"{folder}/{hierarchy.swap_usage}"))
    if hierarchy is _V1:
        # v1 counts memory and swap together.
        swap_limit = None if swap_limit is None else max(0, swap_limit - limit)
        swap_used = None if swap_used is None else max(0, swap_used - usage)
    if swap_limit is not None and swap_limit >= _V1_UNLIMITED - limit:
        swap_limit = None
    return {
        "version": hierarchy.version,
        "path": folder,
        "limit_bytes": limit,
        "used_bytes": used,
        "usage_bytes": usage,
        "available_bytes": max(0, limit - used),
        "swap_limit_bytes": swap_limit,
        "swap_used_bytes": swap_used,
    }


def _folders(sources):
    """Pairs of hierarchy and folder, the process's own group first, of every memory controller that is mounted."""
    # One hierarchy of version 1 may have several controllers; that of version 2 has the empty name.
    paths_by_hierarchy = cgroup_units.paths(sources.get("/proc/self/cgroup", ""))
    member = {name: path for names, path in paths_by_hierarchy.items() for name in names.split(",")}
    folders = []
    for mount in mountinfo.parse(sources.get("/proc/self/mountinfo", "")):
        if mount.type == "cgroup2":
            hierarchy, path = _V2, member.get("")
        elif mount.type == "cgroup" and "memory" in mount.super_options:
            hierarchy, path = _V1, member.get("memory")
        else:
            continue
        if path is None:
            continue
        folders += [
            (hierarchy, folder)
            for folder in _ancestors(mount.point, mount.root, path)
            if (hierarchy, folder) not in folders
        ]
    return folders


def _ancestors(mount_point, root, path):
    # A container without a cgroup namespace sees the host's path and a mount whose root is that very path.
    if root != "/" and (path + "/").startswith(root + "/"):
        path = path[len(root) :]
    parts = [part for part in path.split("/") if part and part != ".."]
    base = mount_point.rstrip("/")
    return ["/".join([base] + parts[:length]) for length in range(len(parts), -1, -1)]


def _number(text):
    text = (text or "").strip()
    return int(text) if text.isdecimal() and len(text) < 20 else None


def _stat(text):
    stat = {}
    for line in text.splitlines():
        name, _blank, value = line.partition(" ")
        if value.isdecimal() and len(value) < 20:
            stat[name] = int(value)
    return stat
