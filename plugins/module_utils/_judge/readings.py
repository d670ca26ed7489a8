# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what the workers of a host use out of its process table, and judge it."""

from __future__ import annotations

from typing import List, Mapping, Optional, Sequence, Set

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import (
    Watchdog,
    WatchdogNote,
    WorkerReading,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Table
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Memory, Pressure, Stall
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings, number_text, size_text
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import Worker
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.processes import match, tree
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent

# States of /proc/PID/stat: dead and not yet buried, and stopped by a signal or a debugger.
_DEAD = ("Z", "X", "x")
_STOPPED = ("T", "t")
_WAITING = "D"


def read(worker: Worker, memory: Memory, pressure: Pressure, table: Table, watchdog: Watchdog) -> WorkerReading:
    """Return what a worker and its children use, and its `state`.

    The state is `running`; `stopped` by a signal; `stuck` in the kernel though no disk is busy; `missing`; or
    `unknown` if not all processes were seen (no root and hidepid).
    """
    found = _find(worker, table, watchdog)
    alive = {pid for pid in found if table[pid]["state"] not in _DEAD}
    noted = watchdog["noted"].get(worker.name)
    members = tree(table, alive)
    allowance = worker.allowance(memory["limit_bytes"])
    rss = sum(table[pid]["rss_bytes"] or 0 for pid in members)
    return {
        "name": worker.name,
        "required": worker.required,
        "state": _state(alive, table, pressure),
        "pids": sorted(alive),
        "zombies": len(found) - len(alive),
        "processes": len(members),
        "rss_bytes": rss if alive else None,
        "max_memory_bytes": allowance,
        "used_percent": percent(rss, allowance) if alive else None,
        "restarts": None if noted is None else noted["restarts"],
        "given_up": noted is not None and noted["given_up"],
        "paused": noted is not None and noted["paused"],
    }


def is_missing(reading: WorkerReading) -> bool:
    """Return whether a worker that must run doesn't work: it has no process, or its process is stopped."""
    return reading["required"] and not reading["paused"] and reading["state"] in ("missing", "stopped", "stuck")


def judge(
    found: Findings, readings: Sequence[WorkerReading], memory: Memory, noted: Mapping[str, WatchdogNote]
) -> None:
    for reading in readings:
        name, allowance = reading["name"], reading["max_memory_bytes"]
        if is_missing(reading):
            found.hold("workers_missing", 1, _missing(reading, memory), subject=name)
        found.hold(
            "worker_memory_percent",
            reading["used_percent"],
            f"{name} uses {size_text(reading['rss_bytes'])} of its {size_text(allowance)}",
            subject=name,
        )
        found.hold(
            "worker_allowance_percent",
            percent(allowance, memory["limit_bytes"]),
            f"{name} may use {size_text(allowance)}, and the box has {size_text(memory['limit_bytes'])}: "
            "that limit can never strike",
            subject=name,
        )
    for name in sorted(name for name, state in noted.items() if state["given_up"]):
        found.hold(
            "workers_given_up",
            1,
            f"the watchdog has given up on {name} after {noted[name]['restarts']} restarts: "
            f"sidekiq-watchdog resume {name}",
            subject=name,
        )


def _find(worker: Worker, table: Table, watchdog: Watchdog) -> Set[int]:
    if worker.pidfile is None:
        return match(table, worker.pattern)
    pid = watchdog["pids"].get(worker.pidfile)
    return {pid} & set(table) if pid is not None else set()


def _state(alive: Set[int], table: Table, pressure: Pressure) -> str:
    states = {table[pid]["state"] for pid in alive}
    if not states:
        # A login that sees all processes sees the first one.
        return "missing" if 1 in table else "unknown"
    if states <= set(_STOPPED):
        return "stopped"
    if states == {_WAITING} and not _is_waited_for_io(pressure):
        return "stuck"
    return "running"


def _is_waited_for_io(pressure: Pressure) -> bool:
    """Tell whether tasks wait for a disk or for memory just now, which is what `D` means on a busy host."""
    stalls: List[Optional[Stall]] = [pressure["pressure"]["io"], pressure["pressure"]["memory"]]
    return any(stall is None or (stall["some_avg10_percent"] or 0) > 0 for stall in stalls)


def _missing(reading: WorkerReading, memory: Memory) -> str:
    name = reading["name"]
    if reading["state"] == "stopped":
        return f"worker {name} (pid {reading['pids'][0]}) is stopped by a signal: kill -CONT {reading['pids'][0]}"
    if reading["state"] == "stuck":
        return f"worker {name} (pid {reading['pids'][0]}) is stuck in the kernel (state D) though no disk is busy"
    if reading["zombies"]:
        return f"worker {name} is dead, and its parent has not noticed (zombie)"
    available = memory["limit_available_percent"]
    idle = "" if available is None else f" ({number_text(100 - available)} % of the memory is in use)"
    return f"worker {name} is not running{idle}"
