# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a host by its facts and thresholds: the findings, their severity, and the reasons in words."""

from __future__ import annotations

from typing import Any, Callable, List, Mapping, Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import (
    Facts,
    Judged,
    Watchdog,
    WorkerReading,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Listeners, Table
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import (
    descriptors,
    disks,
    kills,
    logins,
    memory,
    processors,
    readings,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import SEVERITIES, Findings, size_text
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import Thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.unread import unread
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import Worker
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.pressure import Rates
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration

# The checks of the look itself, and what they mean.
_FAILED = {
    "fork_fails": "the box can't start a process: no new login gets a shell",
    "probe_incomplete": "the box ended the probe in the middle: it may be out of memory or of processes",
}
# A user can start any number of them.
_MOST_SERVICES = 20

__all__ = ("SEVERITIES", "judge", "summary")


def judge(
    facts: Facts,
    table: Table,
    watchdog: Watchdog,
    thresholds: Thresholds,
    workers: Sequence[Worker],
    oom_window: float,
    foresee: Optional[Callable[[List[WorkerReading]], Sequence[Mapping[str, Any]]]] = None,
    skew: Optional[float] = None,
    services: readings.Services = readings.NO_SERVICES,
    starts: Optional[Callable[[WorkerReading], int]] = None,
    rates: Rates = processors.NO_RATES,
    failed: Optional[str] = None,
) -> Judged:
    """Return the verdict, the findings (worst first), the workers' readings and the OOM kills of a host.

    `facts` are the fact modules' dictionaries by name, `table` is the process table, `watchdog` what the watchdog on
    the host has noted, `thresholds` a merged dictionary, and `oom_window` is in seconds. `foresee` is a function of
    the workers' readings that returns forecasts. `skew` is by how many seconds the host's clock is wrong, below 0 if it
    is behind. `services` is what is known of the workers' units and crashes, and `starts` is a function of a worker's
    reading that returns how often a history has seen it start anew. `rates` are those since an earlier reading.
    `failed` is the check that the look itself has failed.
    """
    pressure, lxcfs = facts["lifeline_pressure"], facts["lifeline_kernel"]["lxcfs"]
    workers_read = [
        readings.read(worker, facts["lifeline_memory"], pressure, table, watchdog, services) for worker in workers
    ]
    killed = kills.in_window(facts, table, oom_window)
    found = Findings(thresholds)
    if failed is not None:
        found.hold(failed, 1, _FAILED[failed])
    logins.judge(found, facts["lifeline_kernel"], table)
    memory.judge(found, facts["lifeline_memory"], pressure, table, lxcfs, rates)
    processors.judge(found, pressure, table, lxcfs, rates)
    kernel = facts["lifeline_kernel"]
    # A container sees the devices of its host.
    disks.judge(found, facts["lifeline_disks"], {} if kernel["container"] else kernel["disk_errors"])
    descriptors.judge(found, facts["lifeline_fds"])
    kills.judge(found, facts["lifeline_oom"], killed, oom_window, table, workers_read)
    readings.judge(found, workers_read, facts["lifeline_memory"], watchdog["noted"], table, services)
    for worker, reading in zip(workers, workers_read):
        counted = readings.count_crashes(reading, worker, table, services, starts(reading) if starts else 0)
        if counted is not None and not reading["paused"]:
            found.hold("worker_crashes", counted.number, counted.message, subject=worker.name)
    _clock(found, skew)
    _listeners(found, facts.get("lifeline_listeners"))
    _forecasts(found, foresee(workers_read) if foresee else ())
    findings = found.sorted()
    return {
        "verdict": findings[0].severity if findings else "ok",
        "findings": [finding.as_dict() for finding in findings],
        "unread": unread(facts, table, killed, workers_read),
        "workers": workers_read,
        "oom_kills": killed,
    }


def summary(judged: Judged, facts: Facts) -> str:
    """Return the verdict, its reasons and what was not read in one line."""
    memory_read = facts["lifeline_memory"]
    reasons = [finding["message"] for finding in judged["findings"]]
    if not reasons and memory_read["limit_available_bytes"] is not None:
        available, limit = size_text(memory_read["limit_available_bytes"]), size_text(memory_read["limit_bytes"])
        reasons.append(f"{available} of {limit} memory available")
    if judged["unread"]:
        reasons.append(f"not read: {', '.join(judged['unread'])}")
    return ": ".join([judged["verdict"], "; ".join(reasons)] if reasons else [judged["verdict"]])


def _listeners(found: Findings, listeners: Optional[Listeners]) -> None:
    """Judge services with a process that may be seen: a socket that only systemd holds runs nothing yet."""
    unexpected = None if listeners is None else listeners["unexpected"]
    running = [service for service in unexpected or () if service["pid"] not in (None, 1)]
    for service in running[:_MOST_SERVICES]:
        found.hold(
            "services_unexpected",
            1,
            service["text"] + ", and is not expected here",
            subject=service["unit"] or service["name"],
        )
    more = len(running) - _MOST_SERVICES
    if more > 0:
        found.hold("services_unexpected", more, f"{more} more services listen and are not expected here")


def _clock(found: Findings, skew: Optional[float]) -> None:
    if skew is not None:
        side = "ahead of" if skew > 0 else "behind"
        found.hold(
            "clock_skew_seconds", abs(skew), f"its clock is {format_duration(abs(skew))} {side} the controller's"
        )


def _forecasts(found: Findings, forecasts: Sequence[Mapping[str, Any]]) -> None:
    for forecast in forecasts:
        found.hold(
            forecast["check"], round(forecast["seconds"] / 60, 1), forecast["message"], subject=forecast["subject"]
        )
