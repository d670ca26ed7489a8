# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A box's facts and its verdict as metrics, in the names and units that Prometheus' conventions ask for.

A share is a ratio of 1, a size is in bytes, a time in seconds. What isn't known has no sample. Thresholds are metrics as well, so that one
file of rules does for all boxes, whatever each is judged by.
"""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import SEVERITIES
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.logins import killable
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.readings import is_missing
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import CHECKS, LEVELS
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.prometheus import Family
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import fullest_by_name
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent

# Each name of a process is a series of its own, so only so many of those that hold the most memory are told.
_LARGEST = 10

_MEMORY = (
    ("total_bytes", "RAM that the kernel can use."),
    ("free_bytes", "RAM in no use at all."),
    ("available_bytes", "RAM that can be allocated without swapping."),
    ("used_bytes", "RAM that is not available, as free counts it."),
    ("buffers_bytes", "Buffers of block devices."),
    ("cached_bytes", "Page cache, shared memory included."),
    ("shared_bytes", "Shared memory and tmpfs, which can't be dropped."),
    ("anonymous_bytes", "Memory of processes that no file backs."),
    ("mapped_bytes", "Page cache that processes have mapped."),
    ("dirty_bytes", "Page cache that waits to be written."),
    ("writeback_bytes", "Page cache that is being written."),
    ("unevictable_bytes", "Memory that can't be reclaimed."),
    ("slab_bytes", "The kernel's own objects."),
    ("slab_reclaimable_bytes", "The part of the slab that the kernel gives back under pressure."),
    (
        "slab_unreclaimable_bytes",
        "The part of the slab that it doesn't give back. One that only grows is a leak in the kernel.",
    ),
    ("kernel_stack_bytes", "Stacks of all threads in the kernel."),
    ("page_tables_bytes", "Page tables."),
    ("per_cpu_bytes", "Memory that each CPU has of its own."),
    ("unaccounted_bytes", "RAM that no line of /proc/meminfo explains."),
    ("commit_limit_bytes", "What may be promised to processes where the kernel doesn't overcommit."),
    ("committed_bytes", "What has been promised to processes."),
    ("limit_bytes", "What the box may really use: its control group's limit, or all its RAM."),
    ("limit_available_bytes", "How much of what the box may use is still to be had."),
    ("available_percent", "Share of RAM that is available."),
    ("slab_unreclaimable_percent", "Share of RAM that the unreclaimable slab holds."),
    ("limit_available_percent", "Share of what the box may use that is still to be had."),
)
_CGROUP = (
    ("limit_bytes", "Limit of the control group that limits the box below its RAM."),
    ("usage_bytes", "All that is charged to that control group."),
    ("used_bytes", "What is charged to that control group less the page cache that goes first."),
    ("available_bytes", "The limit of that control group less what it uses."),
    ("swap_limit_bytes", "Swap that the control group may use."),
    ("swap_used_bytes", "Swap that the control group uses."),
)
_SWAP = (
    ("total_bytes", "Size of all swap."),
    ("free_bytes", "Swap not in use."),
    ("used_bytes", "Swap in use."),
    ("cached_bytes", "Memory that is in RAM and in swap as well."),
    ("used_percent", "Share of swap in use."),
)
_FILESYSTEM = (
    ("size_bytes", "Size of the file system."),
    ("used_bytes", "Space in use."),
    ("available_bytes", "Space that users can still have."),
    ("reserved_bytes", "Space that only root can have."),
    ("used_percent", "Share of the space in use, rounded up as df does."),
    ("inodes_total", "Inodes of the file system."),
    ("inodes_used", "Inodes in use."),
    ("inodes_available", "Inodes that are free."),
    ("inodes_used_percent", "Share of the inodes in use, rounded up as df does."),
    ("read_only", "Whether it is mounted read-only."),
    ("always_full", "Whether it was filled when it was made, as an image is."),
    ("hung", "Whether it doesn't answer."),
)
_SOCKETS = (
    ("used", "sockets", "Sockets in use."),
    ("tcp_in_use", "sockets_tcp", "TCP sockets in use."),
    ("tcp_orphaned", "sockets_tcp_orphaned", "TCP sockets that no process has any more."),
    ("tcp_time_wait", "sockets_tcp_time_wait", "TCP sockets that wait for stray packets."),
    ("tcp_memory_bytes", "sockets_tcp_memory_bytes", "Memory that TCP sockets hold."),
    ("tcp_max_memory_bytes", "sockets_tcp_memory_limit_bytes", "Memory that TCP sockets may hold."),
)
_WORKER = (
    ("processes", "processes", "Processes of the worker, its children included."),
    ("rss_bytes", "resident_memory_bytes", "Resident set size of the worker and its children."),
    ("max_memory_bytes", "memory_limit_bytes", "What the worker is allowed."),
    ("required", "required", "Whether the worker must run."),
)
_NOTED = (
    ("restarts", "restarts_total", "counter", "Restarts of the worker by the watchdog since boot."),
    ("given_up", "given_up", "gauge", "Whether the watchdog has given up on the worker."),
    ("paused", "paused", "gauge", "Whether somebody has stopped the worker by sidekiq-watchdog pause."),
)


def families(facts, table, noted, judged, settings, read_at, seconds):
    """All families, each with what is known of it.

    V(facts) are the fact modules' dictionaries by name, V(table) the process table, V(noted) what the watchdog has noted of its workers,
    V(judged) what the verdict's judge makes of these, V(settings) has C(thresholds), C(oom_window) and C(interval); V(read_at) is when
    the box was read, and V(seconds) how long that took.
    """
    memory, fds, pressure = facts["lifeline_memory"], facts["lifeline_fds"], facts["lifeline_pressure"]
    return [
        _gauge("collector_timestamp_seconds", "When the box was read.", read_at),
        _gauge("collector_duration_seconds", "How long that took.", seconds),
        _gauge("collector_interval_seconds", "How often the box is read.", settings["interval"]),
        _labelled(
            "collector_success",
            "Whether what this part reads could be read.",
            "collector",
            _successes(facts, table, judged),
        ),
        _labelled(
            "verdict",
            "What the box is judged to be: 1 for one of ok, warning and critical.",
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
    """Return the findings as a family, the worst of each subject: two processes of one name would be one series twice."""
    worst = {}
    for finding in findings:
        labels = {key: finding[key] for key in ("check", "severity", "subject") if finding[key] is not None}
        worst.setdefault((finding["check"], finding["subject"]), (labels, finding["value"]))
    return _family("finding", "What the verdict has found, in the unit of its check.", list(worst.values()))


def _family(name, help_text, samples, kind="gauge"):
    return Family("lifeline_" + name, kind, help_text, samples)


def _gauge(name, help_text, value, kind="gauge"):
    return _family(name, help_text, [({}, value)], kind)


def _labelled(name, help_text, label, values, kind="gauge"):
    return _family(name, help_text, [({label: key}, value) for key, value in values.items()], kind)


def ratio(share):
    """A share in percent as a ratio. Both sides of a comparison go through here, so that what is equal remains so."""
    return None if share is None else round(share / 100, 9)


def _measure(prefix, key, help_text, parts):
    """The family of what is V(key) in V(parts), pairs of labels and a dictionary of facts: a share in percent becomes a ratio."""
    if key.endswith("_percent"):
        return _family(f"{prefix}_{key[:-8]}_ratio", help_text, [(labels, ratio(part[key])) for labels, part in parts])
    return _family(f"{prefix}_{key}", help_text, [(labels, part[key]) for labels, part in parts])


def _successes(facts, table, judged):
    memory, disks = facts["lifeline_memory"], facts["lifeline_disks"]
    return {
        "memory": None not in (memory["total_bytes"], memory["limit_available_bytes"]),
        "disks": any(disk["readable"] for disk in disks["filesystems"]) and disks["unreadable"] == 0,
        "fds": facts["lifeline_fds"]["maximum"] is not None,
        "oom": judged["oom_kills"] is not None,
        "pressure": facts["lifeline_pressure"]["load_per_cpu"]["five"] is not None,
        "processes": bool(table),
    }


def _thresholds(thresholds):
    """Shares stand apart from counts: one metric has one unit."""

    def samples(shares):
        return [
            ({"check": name, "severity": level}, ratio(levels[level]) if shares else levels[level])
            for name, levels in thresholds.items()
            if (CHECKS[name].unit == "%") == shares
            for level in LEVELS
        ]

    return [
        _family("threshold_ratio", "Where a check of a share strikes.", samples(True)),
        _family("threshold", "Where a check of a number strikes.", samples(False)),
    ]


def _memory(memory):
    huge = memory["huge_pages"]
    return [
        *(_measure("memory", key, text, [({}, memory)]) for key, text in _MEMORY),
        _gauge(
            "memory_available_estimated",
            "Whether the kernel doesn't tell what is available, and it is computed.",
            memory["available_estimated"],
        ),
        *(
            _measure("memory_cgroup", key, text, [({}, memory["cgroup"])] if memory["cgroup"] else [])
            for key, text in _CGROUP
        ),
        *(_measure("swap", key, text, [({}, memory["swap"])]) for key, text in _SWAP),
        _gauge("huge_pages_bytes", "Memory set apart as huge pages, which is never available.", huge["size_bytes"]),
        _labelled(
            "huge_pages",
            "Huge pages of the default size, by what they are.",
            "state",
            {state: huge[state] for state in ("total", "free", "reserved", "surplus")},
        ),
    ]


def _filesystems(filesystems):
    parts = [
        ({"mountpoint": disk["mount"], "device": disk["device"], "fstype": disk["type"]}, disk) for disk in filesystems
    ]
    found = [_measure("filesystem", key, text, parts) for key, text in _FILESYSTEM]
    # The suffix _total is for counters.
    return [
        family._replace(name="lifeline_filesystem_inodes") if family.name.endswith("_total") else family
        for family in found
    ]


def _fds(fds):
    by_name = fullest_by_name(fds["processes"])
    return [
        _gauge("fds_allocated", "Descriptors of the whole system.", fds["allocated"]),
        _gauge("fds_maximum", "Descriptors that the whole system may have (file-max).", fds["maximum"]),
        _gauge(
            "fds_used_ratio",
            "Share of the system's descriptors in use; none where there is no limit worth the name.",
            ratio(fds["used_percent"]),
        ),
        _labelled(
            "process_fds_open",
            "Descriptors of the process of that name that is nearest to its limit.",
            "process",
            {name: holder["open"] for name, holder in by_name.items()},
        ),
        _labelled(
            "process_fds_limit",
            "That process's limit.",
            "process",
            {name: holder["soft_limit"] for name, holder in by_name.items()},
        ),
        _labelled(
            "process_fds_used_ratio",
            "Share of its limit that this process has open.",
            "process",
            {name: ratio(holder["used_percent"]) for name, holder in by_name.items()},
        ),
        _gauge(
            "fd_limits_above_maximum",
            "Processes whose limit lies above file-max and can never protect.",
            fds["limit_above_maximum"]["count"],
        ),
        _gauge("inodes_allocated", "Inodes that the kernel holds in memory.", fds["inodes"]["allocated"]),
        _gauge("inodes_free", "Those of them in no use.", fds["inodes"]["free"]),
        *(_gauge(name, text, fds["sockets"][key]) for key, name, text in _SOCKETS),
    ]


def _oom(oom, kills, window):
    return [
        _gauge(
            "oom_kills_total", "OOM kills since boot, as the kernel counts them.", oom["kills_since_boot"], "counter"
        ),
        _gauge("oom_kills_recent", "OOM kills in the window that the box is judged by.", kills),
        _gauge("oom_kills_window_seconds", "That window.", window),
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
        _gauge("cpus", "CPUs of the box.", pressure["cpus"]),
        _labelled(
            "load", "Load average.", "window", {window: pressure["load"][key] for window, key in windows.items()}
        ),
        _labelled(
            "load_per_cpu",
            "Load average against the CPUs.",
            "window",
            {window: pressure["load_per_cpu"][key] for window, key in windows.items()},
        ),
        _gauge("tasks_running", "Tasks that run or could.", pressure["running"]),
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
    by_name = {}
    for process in table.values():
        if process["rss_bytes"]:
            by_name[process["name"]] = by_name.get(process["name"], 0) + process["rss_bytes"]
    largest = sorted(by_name.items(), key=lambda item: (-item[1], item[0]))[:_LARGEST]
    return [
        _gauge("processes", "Processes, those of the kernel included.", len(table) if table else None),
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
    # The watchdog may watch more than the box is judged by.
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
            "Whether the worker should run, and doesn't.",
            [(labels, is_missing(worker)) for labels, worker in parts],
        ),
        _family(
            "worker_memory_used_ratio",
            "Resident set size of the worker and its children against what it is allowed.",
            [(labels, ratio(worker["used_percent"])) for labels, worker in parts],
        ),
        _family(
            "worker_memory_limit_ratio",
            "What the worker is allowed against what the box may use.",
            [(labels, ratio(percent(worker["max_memory_bytes"], memory["limit_bytes"]))) for labels, worker in parts],
        ),
        *(
            _family("worker_" + name, text, [(labels, worker[key]) for labels, worker in watched], kind)
            for key, name, kind, text in _NOTED
        ),
    ]
