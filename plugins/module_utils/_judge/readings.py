# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what the workers of a host use out of its process table, and judge it."""

from __future__ import annotations

import re
from typing import List, Mapping, NamedTuple, Optional, Sequence, Set

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import (
    Watchdog,
    WatchdogNote,
    WorkerReading,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Table
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Memory, Pressure, Stall
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import crashes, units
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings, number_text, size_text
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.units import Unit
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.workers import EMBEDDING, Worker
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.processes import match, tree
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import percent

# States in /proc/PID/stat: zombies and dead processes, and those stopped by a signal or a debugger.
_DEAD = ("Z", "X", "x")
_STOPPED = ("T", "t")
_WAITING = "D"
# What Sidekiq adds to its title once it takes no more jobs and ends.
_STOPPING = re.compile(r"\] stopping$|^sidekiq .*\bstopping\b")


class Services(NamedTuple):
    """The facts of a probe about workers, in addition to their processes.

    `units` are those that systemd described, `members` the processes by unit, None if these were not read, `crashes`
    what the kernel's log says, and `uptime` is the kernel's, in seconds.
    """

    units: Sequence[Unit] = ()
    members: Optional[Mapping[str, Set[int]]] = None
    crashes: Sequence[crashes.Crash] = ()
    uptime: Optional[float] = None


NO_SERVICES = Services()


def read(
    worker: Worker,
    memory: Memory,
    pressure: Pressure,
    table: Table,
    watchdog: Watchdog,
    services: Services = NO_SERVICES,
) -> WorkerReading:
    """Return what a worker and its children use, and its `state`.

    The state is `running`; `starting`, as systemd says; `stopped` by a signal; `stuck` in the kernel though no disk is
    busy; `missing`; or `unknown` if not all processes were seen (no root and hidepid), or another program may run it.
    """
    found = _find(worker, table, watchdog, services)
    alive = {pid for pid in found if table[pid]["state"] not in _DEAD}
    noted = watchdog["noted"].get(worker.name)
    members = tree(table, alive)
    allowance = worker.allowance(memory["limit_bytes"])
    rss = sum(table[pid]["rss_bytes"] or 0 for pid in members)
    return {
        "name": worker.name,
        "required": worker.required,
        "state": _state(alive, table, pressure) if alive else _absence(worker, found, table, services),
        "pids": sorted(alive),
        "zombies": len(found) - len(alive),
        "processes": len(members),
        "crashes": None,
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


def count_crashes(
    reading: WorkerReading, worker: Worker, table: Table, services: Services, starts: int
) -> Optional[crashes.Crashes]:
    """Return how often a worker has crashed, and note it in its reading. `starts` are the new starts that were seen."""
    programs = {table[pid]["name"] for pid in reading["pids"] if pid in table} | (
        {"ruby"} if worker.is_default else set()
    )
    counted = crashes.count(
        worker.name, programs, services.crashes, units.of(services.units, worker.units), services.uptime, starts
    )
    reading["crashes"] = None if counted is None else counted.number
    return counted


def judge(
    found: Findings,
    readings: Sequence[WorkerReading],
    memory: Memory,
    noted: Mapping[str, WatchdogNote],
    table: Table,
    services: Services = NO_SERVICES,
) -> None:
    for reading in readings:
        name, allowance = reading["name"], reading["max_memory_bytes"]
        if is_missing(reading):
            found.hold("workers_missing", 1, _missing(reading, memory, services), subject=name)
        number = len(reading["pids"])
        found.hold(
            "worker_memory_percent",
            reading["used_percent"],
            f"{name} uses {size_text(reading['rss_bytes'])} of its {size_text(allowance)}"
            f"{f' in {number} processes' if number > 1 else ''}",
            subject=name,
            at_most="critical" if _is_over_without_stopping(reading, table) else "warning",
        )
        found.hold(
            "worker_allowance_percent",
            percent(allowance, memory["limit_bytes"]),
            f"{name} may use {size_text(allowance)}, and the box has {size_text(memory['limit_bytes'])}: "
            "that limit never takes effect",
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


def _is_over_without_stopping(reading: WorkerReading, table: Table) -> bool:
    """Return whether the worker is over its allowance without the processes that end: its next one runs beside them."""
    ending = {pid for pid in reading["pids"] if _STOPPING.search(table[pid]["command_line"] or "")}
    if not ending or len(ending) == len(reading["pids"]):
        return True
    freed = sum(table[pid]["rss_bytes"] or 0 for pid in tree(table, ending))
    return (reading["rss_bytes"] or 0) - freed >= (reading["max_memory_bytes"] or 0)


def _find(worker: Worker, table: Table, watchdog: Watchdog, services: Services) -> Set[int]:
    if worker.unit is not None:
        members = (services.members or {}).get(worker.unit, set()) & set(table)
        return {pid for pid in members if table[pid]["ppid"] not in members}
    if worker.pidfile is None:
        return match(table, worker.pattern)
    pid = watchdog["pids"].get(worker.pidfile)
    return {pid} & set(table) if pid is not None else set()


def _absence(worker: Worker, found: Set[int], table: Table, services: Services) -> str:
    """Return the state of a worker that has no process."""
    # A login that sees all processes sees the first one.
    if 1 not in table or (worker.unit is not None and services.members is None):
        return "unknown"
    own = units.of(services.units, worker.units)
    if any(unit.starting for unit in own):
        return "starting"
    embedding = any(EMBEDDING.match(process["command_line"] or "") for process in table.values())
    if worker.is_default and not (worker.unit or worker.pidfile or found or own) and embedding:
        return "unknown"
    return "missing"


def _state(alive: Set[int], table: Table, pressure: Pressure) -> str:
    states = {table[pid]["state"] for pid in alive}
    if states <= set(_STOPPED):
        return "stopped"
    if states == {_WAITING} and not _is_waited_for_io(pressure):
        return "stuck"
    return "running"


def _is_waited_for_io(pressure: Pressure) -> bool:
    """Return whether tasks wait for a disk or for memory just now, which is what `D` means on a busy host."""
    stalls: List[Optional[Stall]] = [pressure["pressure"]["io"], pressure["pressure"]["memory"]]
    if any(stall is None for stall in stalls):
        # Before Linux 4.20 the kernel only counts the tasks that wait for a disk.
        return pressure["blocked"] != 0
    return any(stall is not None and (stall["some_avg10_percent"] or 0) > 0 for stall in stalls)


def _missing(reading: WorkerReading, memory: Memory, services: Services) -> str:
    name = reading["name"]
    if reading["state"] == "stopped":
        return f"worker {name} (pid {reading['pids'][0]}) is stopped by a signal: kill -CONT {reading['pids'][0]}"
    if reading["state"] == "stuck":
        return f"worker {name} (pid {reading['pids'][0]}) is stuck in the kernel (state D) although no disk is busy"
    if reading["zombies"]:
        return f"worker {name} is dead, and its parent has not noticed (zombie)"
    failed = next((unit for unit in services.units if unit.failed and unit.name.startswith(name)), None)
    if failed is not None:
        return f"worker {name} is not running: {failed.name} has failed ({failed.failed})"
    available = memory["limit_available_percent"]
    idle = "" if available is None else f" ({number_text(100 - available)} % of the memory is in use)"
    return f"worker {name} is not running{idle}"
