# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse /proc/meminfo and the limits of control groups into the facts `lifeline_memory`."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, NamedTuple, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Sources
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import (
    HugePages,
    Memory,
    MemoryCeiling,
    Swap,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import cgroup, container
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent

_ARC = "/proc/spl/kstat/zfs/arcstats"
_SWAPS = "/proc/swaps"
SOURCES = (
    ("/proc/meminfo", _SWAPS, "/proc/sys/vm/min_free_kbytes", "/proc/sys/vm/overcommit_memory", _ARC)
    + cgroup.SOURCES
    + container.SOURCES
)

_LINE = re.compile(r"^([^\s:]+):[ \t]+(\d{1,18})(?: kB)?[ \t]*$", re.MULTILINE)

_ARC_LINE = re.compile(r"^(size|c_min)[ \t]+\d{1,2}[ \t]+(\d{1,18})[ \t]*$", re.MULTILINE)

_Size = Callable[[str], Optional[int]]

# What /proc/meminfo accounts for, each page once: anonymous memory, page cache, slab, the kernel's own.
_ACCOUNTED = (
    "MemFree",
    "Buffers",
    "Cached",
    "SwapCached",
    "AnonPages",
    "Slab",
    "KernelStack",
    "PageTables",
    "SecPageTables",
    "Percpu",
    "Hugetlb",
    "Zswap",
    "Unaccepted",
    "Balloon",
)


def paths(sources: Sources) -> List[str]:
    """Return the further files to read, which depend on what is in SOURCES."""
    return cgroup.paths(sources)


def parse(sources: Sources) -> Memory:
    """Return the facts about memory."""
    kilobytes = {name: int(value) for name, value in _LINE.findall(sources.get("/proc/meminfo", ""))}

    def size(name: str) -> Optional[int]:
        value = kilobytes.get(name)
        return None if value is None else value * 1024

    total = size("MemTotal")
    available, estimated = size("MemAvailable"), False
    if available is None:
        available, estimated = _estimate_available(kilobytes, sources), True
    # lxcfs shows the container's memory; the cache of ZFS and the pool of huge pages are those of the whole machine.
    lxcfs = container.is_lxcfs(sources)
    reclaimable = None if lxcfs else _reclaimable_arc(sources)
    if available is not None:
        available = min(available + (reclaimable or 0), total or available)
    ceiling = cgroup.memory_ceiling(sources)
    if ceiling and total and ceiling["limit_bytes"] >= total:
        ceiling = None
    used = None if total is None or available is None else total - available
    huge_pages = _huge_pages(kilobytes, size)
    limit = _limit(total, available, None if lxcfs else huge_pages["size_bytes"], ceiling)
    return {
        "total_bytes": total,
        "free_bytes": size("MemFree"),
        "available_bytes": available,
        "available_estimated": None if available is None else estimated,
        "available_percent": percent(available, total),
        "used_bytes": used,
        "buffers_bytes": size("Buffers"),
        "cached_bytes": size("Cached"),
        "shared_bytes": size("Shmem"),
        "anonymous_bytes": size("AnonPages"),
        "mapped_bytes": size("Mapped"),
        "dirty_bytes": size("Dirty"),
        "writeback_bytes": size("Writeback"),
        "unevictable_bytes": size("Unevictable"),
        "slab_bytes": size("Slab"),
        "slab_reclaimable_bytes": size("SReclaimable"),
        "slab_unreclaimable_bytes": size("SUnreclaim"),
        "slab_unreclaimable_percent": percent(size("SUnreclaim"), total),
        "kernel_stack_bytes": size("KernelStack"),
        "page_tables_bytes": size("PageTables"),
        "per_cpu_bytes": size("Percpu"),
        "unaccounted_bytes": _unaccounted(kilobytes),
        "commit_limit_bytes": size("CommitLimit"),
        "committed_bytes": size("Committed_AS"),
        "overcommit_mode": _overcommit(sources),
        "committed_percent": percent(size("Committed_AS"), size("CommitLimit")),
        "arc_reclaimable_bytes": reclaimable,
        "swap": _swap(size, sources),
        "huge_pages": huge_pages,
        "cgroup": ceiling,
        "limit_bytes": limit.limit,
        "limit_available_bytes": limit.available,
        "limit_available_percent": limit.share,
        "ram_available_percent": limit.ram_share,
    }


class _Limit(NamedTuple):
    """The usable memory, how much of it is left, and the share of the RAM that is left regardless of control groups."""

    limit: Optional[int]
    available: Optional[int]
    share: Optional[float]
    ram_share: Optional[float]


def _limit(
    total: Optional[int], available: Optional[int], pool: Optional[int], ceiling: Optional[MemoryCeiling]
) -> _Limit:
    """Return the usable memory: the control group's limit if it has one, else the RAM without the huge pages' pool."""
    ram = total
    if ram is not None and pool is not None and pool < ram:
        ram -= pool
    share = percent(available, ram)
    if ceiling is None:
        return _Limit(ram, available, share, share)
    left = ceiling["available_bytes"] if available is None else min(ceiling["available_bytes"], available)
    return _Limit(ceiling["limit_bytes"], left, percent(left, ceiling["limit_bytes"]), share)


def _reclaimable_arc(sources: Sources) -> Optional[int]:
    """Return what ZFS gives back of its cache before anything is killed, in bytes, None without ZFS.

    MemAvailable does not count it.
    """
    sizes = {name: int(value) for name, value in _ARC_LINE.findall(sources.get(_ARC, ""))}
    return max(0, sizes["size"] - sizes["c_min"]) if len(sizes) == 2 else None


def _estimate_available(kilobytes: Dict[str, int], sources: Sources) -> Optional[int]:
    """Return MemAvailable as Linux 3.14 and newer count it, in bytes, from the values of older kernels."""
    if "MemFree" not in kilobytes:
        return None
    reserve = sources.get("/proc/sys/vm/min_free_kbytes", "").strip()
    watermark = int(reserve) * 5 // 4 if reserve.isdecimal() and len(reserve) < 19 else 0
    if "Active(file)" in kilobytes and "Inactive(file)" in kilobytes:
        cache = kilobytes["Active(file)"] + kilobytes["Inactive(file)"]
    else:
        cache = kilobytes.get("Cached", 0) + kilobytes.get("Buffers", 0) - kilobytes.get("Shmem", 0)
    slab = kilobytes.get("SReclaimable", 0)
    available = kilobytes["MemFree"] - watermark
    for reclaimable in (cache, slab):
        available += reclaimable - min(reclaimable // 2, watermark)
    return max(0, available) * 1024


def _unaccounted(kilobytes: Dict[str, int]) -> Optional[int]:
    """Return the RAM that no line of /proc/meminfo explains: drivers, balloons, a kernel leak outside the slab."""
    if "MemTotal" not in kilobytes or "AnonPages" not in kilobytes:
        return None
    return max(0, kilobytes["MemTotal"] - sum(kilobytes.get(name, 0) for name in _ACCOUNTED)) * 1024


def _overcommit(sources: Sources) -> Optional[str]:
    mode = sources.get("/proc/sys/vm/overcommit_memory", "").strip()
    return {"0": "heuristic", "1": "always", "2": "never"}.get(mode)


def _swap(size: _Size, sources: Sources) -> Swap:
    total, free = size("SwapTotal"), size("SwapFree")
    used = None if total is None or free is None else max(0, total - free)
    return {
        "total_bytes": total,
        "free_bytes": free,
        "used_bytes": used,
        "used_percent": percent(used, total),
        "cached_bytes": size("SwapCached"),
        "compressed": _is_compressed(sources.get(_SWAPS)),
    }


def _is_compressed(swaps: Optional[str]) -> Optional[bool]:
    """Return whether all swap is compressed memory (zram) instead of a disk's; None without swap."""
    devices = [line.split()[0] for line in (swaps or "").splitlines()[1:] if line.split()]
    return all(device.startswith("/dev/zram") for device in devices) if devices else None


def _huge_pages(kilobytes: Dict[str, int], size: _Size) -> HugePages:
    page, total = size("Hugepagesize"), kilobytes.get("HugePages_Total")
    return {
        "page_size_bytes": page,
        "total": total,
        "free": kilobytes.get("HugePages_Free"),
        "reserved": kilobytes.get("HugePages_Rsvd"),
        "surplus": kilobytes.get("HugePages_Surp"),
        # The kernel's sum over the pools of all sizes (4.20 and later).
        "size_bytes": size("Hugetlb") or (None if page is None or total is None else page * total),
    }
