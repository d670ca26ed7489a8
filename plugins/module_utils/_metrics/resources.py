# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of metrics of a host's resources: memory, file systems, file descriptors, OOM kills, load and pressure."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence, cast

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Oom
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import (
    Fds,
    FileSystem,
    Memory,
    Pressure,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.build import (
    family,
    gauge,
    labelled,
    measure,
    ratio,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.prometheus import Family
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import fullest_by_name

_MEMORY = (
    ("total_bytes", "RAM that the kernel can use."),
    ("free_bytes", "RAM that nothing uses."),
    ("available_bytes", "RAM that can be allocated without swapping."),
    ("used_bytes", "RAM that is not available, as free counts it."),
    ("buffers_bytes", "Buffers of block devices."),
    ("cached_bytes", "Page cache, shared memory included."),
    ("shared_bytes", "Shared memory and tmpfs, which the kernel cannot drop."),
    ("anonymous_bytes", "Memory of processes that is not backed by a file."),
    ("mapped_bytes", "Page cache that processes have mapped."),
    ("dirty_bytes", "Page cache that waits to be written."),
    ("writeback_bytes", "Page cache that is being written."),
    ("unevictable_bytes", "Memory that cannot be reclaimed."),
    ("slab_bytes", "The kernel's own objects."),
    ("slab_reclaimable_bytes", "The part of the slab that the kernel reclaims under pressure."),
    (
        "slab_unreclaimable_bytes",
        "The part of the slab that cannot be reclaimed. If it only grows, the kernel leaks memory.",
    ),
    ("kernel_stack_bytes", "Kernel stacks of all threads."),
    ("page_tables_bytes", "Page tables."),
    ("per_cpu_bytes", "Per-CPU memory."),
    ("unaccounted_bytes", "RAM that no line of /proc/meminfo accounts for."),
    ("commit_limit_bytes", "Memory that processes may reserve if the kernel does not overcommit."),
    ("committed_bytes", "Memory that processes have reserved."),
    ("limit_bytes", "Memory that the host may use: the limit of its control group, or all RAM."),
    ("limit_available_bytes", "The part of that memory that is available."),
    ("available_percent", "Share of RAM that is available."),
    ("slab_unreclaimable_percent", "Share of RAM that the unreclaimable slab holds."),
    ("limit_available_percent", "Share of that memory that is available."),
)
_CGROUP = (
    ("limit_bytes", "Limit of the control group that restricts the host to less than its RAM."),
    ("usage_bytes", "All memory charged to that control group."),
    ("used_bytes", "Memory charged to that control group, without the inactive page cache."),
    ("available_bytes", "The limit of that control group less what it uses."),
    ("swap_limit_bytes", "Swap that the control group may use."),
    ("swap_used_bytes", "Swap that the control group uses."),
)
_SWAP = (
    ("total_bytes", "Size of all swap."),
    ("free_bytes", "Swap not in use."),
    ("used_bytes", "Swap in use."),
    ("cached_bytes", "Memory that is both in RAM and in swap."),
    ("used_percent", "Share of swap in use."),
)
_FILESYSTEM = (
    ("size_bytes", "Size of the file system."),
    ("used_bytes", "Space in use."),
    ("available_bytes", "Space that is available to users."),
    ("reserved_bytes", "Space that is reserved for root."),
    ("used_percent", "Share of the space in use, rounded up as df does."),
    ("inodes_total", "Inodes of the file system."),
    ("inodes_used", "Inodes in use."),
    ("inodes_available", "Inodes that are free."),
    ("inodes_used_percent", "Share of the inodes in use, rounded up as df does."),
    ("read_only", "Whether it is mounted read-only."),
    ("always_full", "Whether it is full by design, like an image."),
    ("hung", "Whether it does not respond."),
)
_SOCKETS = (
    ("used", "sockets", "Sockets in use."),
    ("tcp_in_use", "sockets_tcp", "TCP sockets in use."),
    ("tcp_orphaned", "sockets_tcp_orphaned", "TCP sockets that no process holds any longer."),
    ("tcp_time_wait", "sockets_tcp_time_wait", "TCP sockets in the state TIME_WAIT."),
    ("tcp_memory_bytes", "sockets_tcp_memory_bytes", "Memory of TCP sockets."),
    ("tcp_max_memory_bytes", "sockets_tcp_memory_limit_bytes", "Limit of the memory of TCP sockets."),
)


def memory_families(memory: Memory) -> List[Family]:
    """Return the families of memory, its control group, swap and huge pages."""
    huge = memory["huge_pages"]
    return [
        *(measure("memory", key, text, [({}, memory)]) for key, text in _MEMORY),
        gauge(
            "memory_available_estimated",
            "Whether the available memory is computed, because the kernel does not report it.",
            memory["available_estimated"],
        ),
        *(
            measure("memory_cgroup", key, text, [({}, memory["cgroup"])] if memory["cgroup"] else [])
            for key, text in _CGROUP
        ),
        *(measure("swap", key, text, [({}, memory["swap"])]) for key, text in _SWAP),
        gauge("huge_pages_bytes", "Memory reserved for huge pages, which is never available.", huge["size_bytes"]),
        labelled(
            "huge_pages",
            "Huge pages of the default size, by state.",
            "state",
            {state: huge[state] for state in ("total", "free", "reserved", "surplus")},
        ),
    ]


def filesystem_families(filesystems: Sequence[FileSystem]) -> List[Family]:
    """Return the families of file systems."""
    parts = [
        ({"mountpoint": disk["mount"], "device": disk["device"], "fstype": disk["type"]}, disk) for disk in filesystems
    ]
    found = [measure("filesystem", key, text, parts) for key, text in _FILESYSTEM]
    # The suffix _total is reserved for counters.
    return [
        family._replace(name="lifeline_filesystem_inodes") if family.name.endswith("_total") else family
        for family in found
    ]


def fd_families(fds: Fds) -> List[Family]:
    """Return the families of file descriptors, inodes and sockets."""
    by_name = fullest_by_name(fds["processes"])
    sockets = cast(Mapping[str, Any], fds["sockets"])
    return [
        gauge("fds_allocated", "File descriptors of the whole system.", fds["allocated"]),
        gauge("fds_maximum", "Limit of the system's file descriptors (file-max).", fds["maximum"]),
        gauge(
            "fds_used_ratio",
            "Share of the system's file descriptors in use; none without an effective limit.",
            ratio(fds["used_percent"]),
        ),
        labelled(
            "process_fds_open",
            "File descriptors of the process of that name that is nearest to its limit.",
            "process",
            {name: holder["open"] for name, holder in by_name.items()},
        ),
        labelled(
            "process_fds_limit",
            "Limit of that process.",
            "process",
            {name: holder["soft_limit"] for name, holder in by_name.items()},
        ),
        labelled(
            "process_fds_used_ratio",
            "Share of its limit that this process has in use.",
            "process",
            {name: ratio(holder["used_percent"]) for name, holder in by_name.items()},
        ),
        gauge(
            "fd_limits_above_maximum",
            "Processes whose limit exceeds file-max, so it cannot protect.",
            fds["limit_above_maximum"]["count"],
        ),
        gauge("inodes_allocated", "Inodes in the kernel's memory.", fds["inodes"]["allocated"]),
        gauge("inodes_free", "Inodes in the kernel's memory that are unused.", fds["inodes"]["free"]),
        *(gauge(name, text, sockets[key]) for key, name, text in _SOCKETS),
    ]


def oom_families(oom: Oom, kills: Optional[int], window: float) -> List[Family]:
    """Return the families of OOM kills, of which `kills` were within the last `window` seconds."""
    return [
        gauge("oom_kills_total", "OOM kills since boot, as counted by the kernel.", oom["kills_since_boot"], "counter"),
        gauge("oom_kills_recent", "OOM kills in the window of the verdict.", kills),
        gauge("oom_kills_window_seconds", "Length of that window.", window),
    ]


def pressure_families(pressure: Pressure) -> List[Family]:
    """Return the families of load, CPU time and stalled tasks."""
    by_resource = cast(Mapping[str, Mapping[str, Any]], pressure["pressure"])
    shares = cast(Mapping[str, Optional[float]], pressure["cpu_percent"])
    stalls = [
        ({"resource": resource, "tasks": tasks}, stall, tasks)
        for resource, stall in by_resource.items()
        if stall
        for tasks in ("some", "full")
    ]
    return [
        gauge("uptime_seconds", "Time since boot.", pressure["uptime_seconds"]),
        gauge("cpus", "CPUs of the host.", pressure["cpus"]),
        labelled("load", "Load average.", "window", _by_window(pressure["load"])),
        labelled("load_per_cpu", "Load average per CPU.", "window", _by_window(pressure["load_per_cpu"])),
        gauge("tasks_running", "Tasks that run or are ready to run.", pressure["running"]),
        gauge("tasks_blocked", "Tasks that wait for a disk.", pressure["blocked"]),
        labelled(
            "cpu_ratio",
            "Share of the CPU time since boot.",
            "mode",
            {mode: ratio(share) for mode, share in shares.items()},
        ),
        family(
            "pressure_ratio",
            "Share of the last minute in which some, or all, tasks waited for a resource.",
            [(labels, ratio(stall[tasks + "_avg60_percent"])) for labels, stall, tasks in stalls],
        ),
        family(
            "pressure_seconds_total",
            "Time since boot in which some, or all, tasks waited for a resource.",
            [(labels, _seconds(stall[tasks + "_total_microseconds"])) for labels, stall, tasks in stalls],
            "counter",
        ),
    ]


def _by_window(load):
    return {"1m": load["one"], "5m": load["five"], "15m": load["fifteen"]}


def _seconds(microseconds):
    return None if microseconds is None else microseconds / 1000000
