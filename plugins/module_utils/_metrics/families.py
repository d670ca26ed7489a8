# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a host's facts and verdict into metrics, with the names and units of Prometheus' conventions.

A share is a ratio of 1, a size is in bytes, a time is in seconds. An unknown value has no sample. Thresholds are
metrics as well, so one file of rules serves hosts with different thresholds.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Facts, Judged, WatchdogNote
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Process
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import SEVERITIES
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.logins import killable
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.readings import is_missing
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import CHECKS, LEVELS
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.prometheus import Family
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.settings import Settings
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import fullest_by_name
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent

# Each process name is a series of its own, so only the names that hold the most memory are exported.
_LARGEST = 10

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
_WORKER = (
    ("processes", "processes", "Processes of the worker, its children included."),
    ("rss_bytes", "resident_memory_bytes", "Resident set size of the worker and its children."),
    ("max_memory_bytes", "memory_limit_bytes", "Memory limit of the worker."),
    ("required", "required", "Whether the worker must run."),
)
_NOTED = (
    ("restarts", "restarts_total", "counter", "Restarts of the worker by the watchdog since boot."),
    ("given_up", "given_up", "gauge", "Whether the watchdog has given up on the worker."),
    ("paused", "paused", "gauge", "Whether the worker was stopped with sidekiq-watchdog pause."),
)


def families(
    facts: Facts,
    table: Mapping[int, Process],
    noted: Mapping[str, WatchdogNote],
    judged: Judged,
    settings: Settings,
    read_at: float,
    seconds: float,
    complete: bool = True,
) -> List[Family]:
    """Return all families, each with its known samples.

    `facts` are the fact modules' dictionaries by name, `table` is the process table, `noted` are the watchdog's records
    of workers, `judged` is the verdict. The host was read at `read_at` (seconds since the epoch), within `seconds`,
    and `complete` is whether all processes were read.
    """
    memory, fds, pressure = facts["lifeline_memory"], facts["lifeline_fds"], facts["lifeline_pressure"]
    return [
        _gauge("collector_timestamp_seconds", "Time at which the host was read.", read_at),
        _gauge("collector_duration_seconds", "Time that the reading took.", seconds),
        _gauge("collector_interval_seconds", "Interval between two readings.", settings["interval"]),
        _labelled(
            "collector_success",
            "Whether the sources of this part could be read.",
            "collector",
            _successes(facts, table, judged, complete),
        ),
        _labelled(
            "verdict",
            "Verdict on the host: 1 for one of ok, warning and critical.",
            "verdict",
            {severity: judged["verdict"] == severity for severity in SEVERITIES},
        ),
        _findings(judged["findings"]),
        *_thresholds(settings["thresholds"]),
        *_memory(memory),
        *_filesystems(facts["lifeline_disks"]["filesystems"]),
        *_fds(fds),
        *_oom(facts["lifeline_oom"], judged["oom_kills"], settings["oom_window"]),
        *_pressure(pressure),
        *_processes(table),
        *_workers(judged["workers"], noted, memory),
    ]


def _findings(findings):
    """Return the findings as a family, the worst of each subject: processes of one name would be one series twice."""
    worst: Dict[Tuple[str, Optional[str]], Tuple[Dict[str, str], float]] = {}
    for finding in findings:
        labels = {key: finding[key] for key in ("check", "severity", "subject") if finding[key] is not None}
        worst.setdefault((finding["check"], finding["subject"]), (labels, finding["value"]))
    return _family("finding", "Findings of the verdict, in the unit of their check.", list(worst.values()))


def _family(name, help_text, samples, kind="gauge"):
    return Family("lifeline_" + name, kind, help_text, samples)


def _gauge(name, help_text, value, kind="gauge"):
    return _family(name, help_text, [({}, value)], kind)


def _labelled(name, help_text, label, values, kind="gauge"):
    return _family(name, help_text, [({label: key}, value) for key, value in values.items()], kind)


def ratio(share: Optional[float]) -> Optional[float]:
    """Return percent as a ratio. Both sides of a comparison are converted here, so equal values stay equal."""
    return None if share is None else round(share / 100, 9)


def _measure(prefix, key, help_text, parts):
    """Return the family of the fact `key` in `parts`, which are pairs of labels and facts. Percent become a ratio."""
    if key.endswith("_percent"):
        return _family(f"{prefix}_{key[:-8]}_ratio", help_text, [(labels, ratio(part[key])) for labels, part in parts])
    return _family(f"{prefix}_{key}", help_text, [(labels, part[key]) for labels, part in parts])


def _successes(facts, table, judged, complete):
    memory, disks = facts["lifeline_memory"], facts["lifeline_disks"]
    return {
        "memory": None not in (memory["total_bytes"], memory["limit_available_bytes"]),
        "disks": any(disk["readable"] for disk in disks["filesystems"]) and disks["unreadable"] == 0,
        "fds": facts["lifeline_fds"]["maximum"] is not None,
        "oom": judged["oom_kills"] is not None,
        "pressure": facts["lifeline_pressure"]["load_per_cpu"]["five"] is not None,
        "processes": bool(table) and complete,
    }


def _thresholds(thresholds):
    """Return thresholds of shares and of counts as separate metrics: a metric has one unit."""

    def samples(shares):
        return [
            ({"check": name, "severity": level}, ratio(levels[level]) if shares else levels[level])
            for name, levels in thresholds.items()
            if (CHECKS[name].unit == "%") == shares
            for level in LEVELS
        ]

    return [
        _family("threshold_ratio", "Thresholds of the checks of shares.", samples(True)),
        _family("threshold", "Thresholds of the checks of numbers.", samples(False)),
    ]


def _memory(memory):
    huge = memory["huge_pages"]
    return [
        *(_measure("memory", key, text, [({}, memory)]) for key, text in _MEMORY),
        _gauge(
            "memory_available_estimated",
            "Whether the available memory is computed, because the kernel does not report it.",
            memory["available_estimated"],
        ),
        *(
            _measure("memory_cgroup", key, text, [({}, memory["cgroup"])] if memory["cgroup"] else [])
            for key, text in _CGROUP
        ),
        *(_measure("swap", key, text, [({}, memory["swap"])]) for key, text in _SWAP),
        _gauge("huge_pages_bytes", "Memory reserved for huge pages, which is never available.", huge["size_bytes"]),
        _labelled(
            "huge_pages",
            "Huge pages of the default size, by state.",
            "state",
            {state: huge[state] for state in ("total", "free", "reserved", "surplus")},
        ),
    ]


def _filesystems(filesystems):
    parts = [
        ({"mountpoint": disk["mount"], "device": disk["device"], "fstype": disk["type"]}, disk) for disk in filesystems
    ]
    found = [_measure("filesystem", key, text, parts) for key, text in _FILESYSTEM]
    # The suffix _total is reserved for counters.
    return [
        family._replace(name="lifeline_filesystem_inodes") if family.name.endswith("_total") else family
        for family in found
    ]


def _fds(fds):
    by_name = fullest_by_name(fds["processes"])
    return [
        _gauge("fds_allocated", "File descriptors of the whole system.", fds["allocated"]),
        _gauge("fds_maximum", "Limit of the system's file descriptors (file-max).", fds["maximum"]),
        _gauge(
            "fds_used_ratio",
            "Share of the system's file descriptors in use; none without an effective limit.",
            ratio(fds["used_percent"]),
        ),
        _labelled(
            "process_fds_open",
            "File descriptors of the process of that name that is nearest to its limit.",
            "process",
            {name: holder["open"] for name, holder in by_name.items()},
        ),
        _labelled(
            "process_fds_limit",
            "Limit of that process.",
            "process",
            {name: holder["soft_limit"] for name, holder in by_name.items()},
        ),
        _labelled(
            "process_fds_used_ratio",
            "Share of its limit that this process has in use.",
            "process",
            {name: ratio(holder["used_percent"]) for name, holder in by_name.items()},
        ),
        _gauge(
            "fd_limits_above_maximum",
            "Processes whose limit exceeds file-max, so it cannot protect.",
            fds["limit_above_maximum"]["count"],
        ),
        _gauge("inodes_allocated", "Inodes in the kernel's memory.", fds["inodes"]["allocated"]),
        _gauge("inodes_free", "Inodes in the kernel's memory that are unused.", fds["inodes"]["free"]),
        *(_gauge(name, text, fds["sockets"][key]) for key, name, text in _SOCKETS),
    ]


def _oom(oom, kills, window):
    return [
        _gauge(
            "oom_kills_total", "OOM kills since boot, as counted by the kernel.", oom["kills_since_boot"], "counter"
        ),
        _gauge("oom_kills_recent", "OOM kills in the window of the verdict.", kills),
        _gauge("oom_kills_window_seconds", "Length of that window.", window),
    ]


def _pressure(pressure):
    windows = {"1m": "one", "5m": "five", "15m": "fifteen"}
    stalls = [
        ({"resource": resource, "tasks": tasks}, stall, tasks)
        for resource, stall in pressure["pressure"].items()
        if stall
        for tasks in ("some", "full")
    ]
    return [
        _gauge("uptime_seconds", "Time since boot.", pressure["uptime_seconds"]),
        _gauge("cpus", "CPUs of the host.", pressure["cpus"]),
        _labelled(
            "load", "Load average.", "window", {window: pressure["load"][key] for window, key in windows.items()}
        ),
        _labelled(
            "load_per_cpu",
            "Load average per CPU.",
            "window",
            {window: pressure["load_per_cpu"][key] for window, key in windows.items()},
        ),
        _gauge("tasks_running", "Tasks that run or are ready to run.", pressure["running"]),
        _gauge("tasks_blocked", "Tasks that wait for a disk.", pressure["blocked"]),
        _labelled(
            "cpu_ratio",
            "Share of the CPU time since boot.",
            "mode",
            {mode: ratio(share) for mode, share in pressure["cpu_percent"].items()},
        ),
        _family(
            "pressure_ratio",
            "Share of the last minute in which some, or all, tasks waited for a resource.",
            [(labels, ratio(stall[tasks + "_avg60_percent"])) for labels, stall, tasks in stalls],
        ),
        _family(
            "pressure_seconds_total",
            "Time since boot in which some, or all, tasks waited for a resource.",
            [(labels, _seconds(stall[tasks + "_total_microseconds"])) for labels, stall, tasks in stalls],
            "counter",
        ),
    ]


def _seconds(microseconds):
    return None if microseconds is None else microseconds / 1000000


def _processes(table):
    by_name: Dict[str, int] = {}
    for process in table.values():
        if process["rss_bytes"]:
            by_name[process["name"]] = by_name.get(process["name"], 0) + process["rss_bytes"]
    largest = sorted(by_name.items(), key=lambda item: (-item[1], item[0]))[:_LARGEST]
    return [
        _gauge("processes", "Processes, including those of the kernel.", len(table) if table else None),
        _gauge(
            "threads",
            "Threads of all processes.",
            sum(process["threads"] for process in table.values()) if table else None,
        ),
        _labelled(
            "process_resident_memory_bytes",
            f"Resident set size of all processes of one name, of the {_LARGEST} names that hold the most.",
            "process",
            dict(largest),
        ),
        _gauge(
            "sshd_killable",
            "Whether the listening sshd is open to the OOM killer: how many of them are.",
            len(killable(table)) if table else None,
        ),
    ]


def _workers(workers, noted, memory):
    parts = [({"worker": worker["name"]}, worker) for worker in workers]
    # The watchdog may watch workers that the verdict does not know.
    watched = parts + [
        ({"worker": name}, state) for name, state in noted.items() if name not in {worker["name"] for worker in workers}
    ]
    return [
        *(
            _family("worker_" + name, text, [(labels, worker[key]) for labels, worker in parts])
            for key, name, text in _WORKER
        ),
        _family(
            "worker_missing",
            "Whether the worker is required and does not run.",
            [(labels, is_missing(worker)) for labels, worker in parts],
        ),
        _family(
            "worker_memory_used_ratio",
            "Resident set size of the worker and its children, relative to its memory limit.",
            [(labels, ratio(worker["used_percent"])) for labels, worker in parts],
        ),
        _family(
            "worker_memory_limit_ratio",
            "Memory limit of the worker, relative to the memory that the host may use.",
            [(labels, ratio(percent(worker["max_memory_bytes"], memory["limit_bytes"]))) for labels, worker in parts],
        ),
        *(
            _family("worker_" + name, text, [(labels, worker[key]) for labels, worker in watched], kind)
            for key, name, kind, text in _NOTED
        ),
    ]
