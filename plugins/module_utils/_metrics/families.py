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
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics import resources
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.build import family, gauge, labelled, ratio
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.prometheus import Family
from ansible_collections.lifeline.fleet.plugins.module_utils._metrics.settings import Settings
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent

# Each process name is a series of its own, so only the names that hold the most memory are exported.
_LARGEST = 10

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
        gauge("collector_timestamp_seconds", "Time at which the host was read.", read_at),
        gauge("collector_duration_seconds", "Time that the reading took.", seconds),
        gauge("collector_interval_seconds", "Interval between two readings.", settings["interval"]),
        labelled(
            "collector_success",
            "Whether the sources of this part could be read.",
            "collector",
            _successes(facts, table, judged, complete),
        ),
        labelled(
            "verdict",
            "Verdict on the host: 1 for one of ok, warning and critical.",
            "verdict",
            {severity: judged["verdict"] == severity for severity in SEVERITIES},
        ),
        _findings(judged["findings"]),
        *_thresholds(settings["thresholds"]),
        *resources.memory_families(memory),
        *resources.filesystem_families(facts["lifeline_disks"]["filesystems"]),
        *resources.fd_families(fds),
        *resources.oom_families(facts["lifeline_oom"], judged["oom_kills"], settings["oom_window"]),
        *resources.pressure_families(pressure),
        *_processes(table),
        *_workers(judged["workers"], noted, memory),
    ]


def _findings(findings):
    """Return the findings as a family, the worst of each subject: processes of one name would be one series twice."""
    worst: Dict[Tuple[str, Optional[str]], Tuple[Dict[str, str], float]] = {}
    for finding in findings:
        labels = {key: finding[key] for key in ("check", "severity", "subject") if finding[key] is not None}
        worst.setdefault((finding["check"], finding["subject"]), (labels, finding["value"]))
    return family("finding", "Findings of the verdict, in the unit of their check.", list(worst.values()))


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
        family("threshold_ratio", "Thresholds of the checks of shares.", samples(True)),
        family("threshold", "Thresholds of the checks of numbers.", samples(False)),
    ]


def _processes(table):
    by_name: Dict[str, int] = {}
    for process in table.values():
        if process["rss_bytes"]:
            by_name[process["name"]] = by_name.get(process["name"], 0) + process["rss_bytes"]
    largest = sorted(by_name.items(), key=lambda item: (-item[1], item[0]))[:_LARGEST]
    return [
        gauge("processes", "Processes, including those of the kernel.", len(table) if table else None),
        gauge(
            "threads",
            "Threads of all processes.",
            sum(process["threads"] for process in table.values()) if table else None,
        ),
        labelled(
            "process_resident_memory_bytes",
            f"Resident set size of all processes of one name, of the {_LARGEST} names that hold the most.",
            "process",
            dict(largest),
        ),
        gauge(
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
            family("worker_" + name, text, [(labels, worker[key]) for labels, worker in parts])
            for key, name, text in _WORKER
        ),
        family(
            "worker_missing",
            "Whether the worker is required and does not run.",
            [(labels, is_missing(worker)) for labels, worker in parts],
        ),
        family(
            "worker_memory_used_ratio",
            "Resident set size of the worker and its children, relative to its memory limit.",
            [(labels, ratio(worker["used_percent"])) for labels, worker in parts],
        ),
        family(
            "worker_memory_limit_ratio",
            "Memory limit of the worker, relative to the memory that the host may use.",
            [(labels, ratio(percent(worker["max_memory_bytes"], memory["limit_bytes"]))) for labels, worker in parts],
        ),
        *(
            family("worker_" + name, text, [(labels, worker[key]) for labels, worker in watched], kind)
            for key, name, kind, text in _NOTED
        ),
    ]
