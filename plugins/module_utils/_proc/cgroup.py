# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the limits that control groups set: the smallest over a process's group and all its ancestors."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import MemoryCeiling
from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import mountinfo
from ansible_collections.lifeline.fleet.plugins.module_utils._systemd import cgroup_units

SOURCES = ("/proc/self/mountinfo", "/proc/self/cgroup")

# A limit of version 1 from here on means "none": the kernel rounds the largest signed integer down to whole pages.
_V1_UNLIMITED = 1 << 60
# From this limit on, the kernel slows down tasks that allocate memory.
_HIGH = "memory.high"
_PIDS_MAX, _PIDS_USED = "pids.max", "pids.current"
# In version 1 the pids controller has a hierarchy of its own.
V1_PIDS = (_PIDS_MAX, _PIDS_USED)
# The kernel takes no path that is longer than 4096 bytes.
_LONGEST_PATH = 4096


class _Hierarchy(NamedTuple):
    """The file names of one version's memory controller; `more` are those of other limits."""

    version: int
    limit: str
    usage: str
    swap_limit: str
    swap_usage: str
    reclaimable: Tuple[str, ...]
    events: str
    more: Tuple[str, ...] = ()

    @property
    def files(self) -> Tuple[str, ...]:
        return (self.limit, self.usage, "memory.stat", self.swap_limit, self.swap_usage, self.events, *self.more)


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

# The files that are read of each group, by the version of its memory controller.
FILES = {1: _V1.files, 2: _V2.files}


def paths(sources: Sources) -> List[str]:
    """Return the files that tell this process's limits: its own group first, then each ancestor that it can see."""
    found = [f"{folder}/{name}" for hierarchy, folder in _folders(sources) for name in hierarchy.files]
    return found + [f"{folder}/{name}" for folder in _v1_pids_folders(sources) for name in V1_PIDS]


def memory_ceiling(sources: Sources) -> Optional[MemoryCeiling]:
    """Return the smallest memory limit that holds for the reading process; None if no group limits it.

    `used_bytes` is the working set, without what the kernel takes back before it kills; `usage_bytes` is all that is
    charged. `available_bytes` is what all limits together leave. The numbers of swap are None if swap is not limited or
    not accounted.
    """
    limits = [_ceiling(hierarchy, folder, sources) for hierarchy, folder in _folders(sources)]
    ceilings = [found for found in limits if found]
    smallest = min(ceilings, key=lambda found: found["limit_bytes"], default=None)
    if smallest is not None:
        # A larger limit above it may have less left, because it applies to other groups too.
        smallest["available_bytes"] = min(found["available_bytes"] for found in ceilings)
    return smallest


def oom_kills(sources: Sources) -> Optional[int]:
    """Return the OOM kills in the outermost group that this process can see; None if no group counts them.

    In a container, that group is the container itself.
    """
    for hierarchy, folder in reversed(_folders(sources)):
        count = _stat(sources.get(f"{folder}/{hierarchy.events}", "")).get("oom_kill")
        # Version 1 does not count kills in the groups below, so a zero means nothing there.
        if count or (count == 0 and hierarchy is _V2):
            return count
    return None


def pids(sources: Sources) -> List[Tuple[int, int]]:
    """Return the tasks and the most that there may be, for each control group of this process that limits them."""
    counts = [
        (_number(sources.get(f"{folder}/{_PIDS_USED}")), _number(sources.get(f"{folder}/{_PIDS_MAX}")))
        for folder in [folder for hierarchy, folder in _folders(sources) if hierarchy is _V2]
        + _v1_pids_folders(sources)
    ]
    return [(used, most) for used, most in counts if used is not None and most]


def _ceiling(hierarchy: _Hierarchy, folder: str, sources: Sources) -> Optional[MemoryCeiling]:
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
        # Version 1 counts memory and swap together.
        swap_limit = None if swap_limit is None else max(0, swap_limit - limit)
        swap_used = None if swap_used is None else max(0, swap_used - usage)
    if swap_limit is not None and swap_limit >= _V1_UNLIMITED - limit:
        swap_limit = None
    return {
        "version": hierarchy.version,
        "path": escape(folder),
        "limit_bytes": limit,
        "used_bytes": used,
        "usage_bytes": usage,
        "available_bytes": max(0, limit - used),
        "swap_limit_bytes": swap_limit,
        "swap_used_bytes": swap_used,
    }


def _member(sources: Sources) -> Dict[str, str]:
    """Return the paths of the process's groups by controller; that of version 2 has the empty name."""
    # One hierarchy of version 1 may have several controllers.
    paths_by_hierarchy = cgroup_units.paths(sources.get("/proc/self/cgroup", ""))
    return {name: path for names, path in paths_by_hierarchy.items() for name in names.split(",")}


def _v1_pids_folders(sources: Sources) -> List[str]:
    path = _member(sources).get("pids")
    if path is None or len(path) > _LONGEST_PATH:
        return []
    folders = [
        folder
        for mount in mountinfo.parse(sources.get("/proc/self/mountinfo", ""))
        if mount.type == "cgroup" and "pids" in mount.super_options
        for folder in _ancestors(mount.point, mount.root, path)
    ]
    return list(dict.fromkeys(folders))


def _folders(sources: Sources) -> List[Tuple[_Hierarchy, str]]:
    """Return each mounted memory controller with the folders of the process's group and of its ancestors, in order."""
    member = _member(sources)
    folders: Dict[Tuple[_Hierarchy, str], None] = {}
    for mount in mountinfo.parse(sources.get("/proc/self/mountinfo", "")):
        if mount.type == "cgroup2":
            hierarchy, path = _V2, member.get("")
        elif mount.type == "cgroup" and "memory" in mount.super_options:
            hierarchy, path = _V1, member.get("memory")
        else:
            continue
        if path is not None and len(path) <= _LONGEST_PATH:
            folders.update(dict.fromkeys((hierarchy, folder) for folder in _ancestors(mount.point, mount.root, path)))
    return list(folders)


def _ancestors(mount_point: str, root: str, path: str) -> List[str]:
    # A container without a control group namespace sees the path on its host, and a mount whose root is that path.
    if root != "/" and (path + "/").startswith(root + "/"):
        path = path[len(root) :]
    parts = [part for part in path.split("/") if part and part != ".."]
    base = mount_point.rstrip("/")
    return ["/".join([base] + parts[:length]) for length in range(len(parts), -1, -1)]


def _number(text: Optional[str]) -> Optional[int]:
    text = (text or "").strip()
    return int(text) if text.isdecimal() and len(text) < 20 else None


def _stat(text: str) -> Dict[str, int]:
    stat = {}
    for line in text.splitlines():
        name, _blank, value = line.partition(" ")
        if value.isdecimal() and len(value) < 20:
            stat[name] = int(value)
    return stat
