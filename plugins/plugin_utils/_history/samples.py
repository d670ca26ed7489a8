# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the facts that a history keeps: numbers, OOM kills, and the host's equipment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import AnyFacts, Facts, WorkerReading
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import OomEvent, OtherKill, Processes
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Disks, Fds, Memory, Pressure
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import NO_LIMIT, fullest_by_name
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Sample, StateValue

# The metric of the kernel's counts since boot, whose subjects are their names.
COUNTS = "kernel_counts"


def samples(
    facts: AnyFacts | Facts, workers: Iterable[WorkerReading] = (), started: Mapping[str, float] | None = None
) -> list[Sample]:
    """Return the samples of `facts`, the fact modules' dictionaries by name, and of `workers` as health returns them.

    `started` is when each worker was started, by its name. The memory of the host counts from the latest start on.
    """
    started = started or {}
    found: list[Sample | None] = []
    if "lifeline_memory" in facts:
        found += _memory(facts["lifeline_memory"], max(started.values(), default=None))
    if "lifeline_pressure" in facts:
        found += _pressure(facts["lifeline_pressure"])
    if "lifeline_disks" in facts:
        found += _disks(facts["lifeline_disks"])
    if "lifeline_fds" in facts:
        found += _fds(facts["lifeline_fds"])
    if "lifeline_oom" in facts:
        found.append(_sample("oom_kills_since_boot", "", facts["lifeline_oom"]["kills_since_boot"]))
    processes = cast(AnyFacts, facts).get("lifeline_processes")
    if processes is not None:
        found += _processes(processes)
    for worker in workers:
        name = worker["name"]
        found.append(
            _sample("worker_rss_bytes", name, worker["rss_bytes"], worker["max_memory_bytes"], started.get(name))
        )
        found.append(_sample("worker_restarts", name, worker["restarts"]))
    return [sample for sample in found if sample is not None]


def counts(found: Mapping[str, float]) -> list[Sample]:
    """Return the samples of the kernel's counts since boot, for the rates of the next reading."""
    return [Sample(COUNTS, name, value) for name, value in found.items()]


def kills(facts: AnyFacts | Facts) -> list[Kill]:
    """Return the OOM kills in the facts."""
    oom = facts.get("lifeline_oom")
    if oom is None:
        return []
    return [
        *(_kill(event, event["constraint"], _rss(event)) for event in oom["events"]),
        *(_kill(other, None, other["rss_bytes"]) for other in oom["other_kills"]),
    ]


def state(facts: AnyFacts | Facts) -> tuple[dict[str, StateValue], tuple[str, ...]]:
    """Return the host's equipment by name, and the prefixes whose names are all among them."""
    found: dict[str, StateValue] = {}
    whole = []
    if "lifeline_memory" in facts:
        memory = facts["lifeline_memory"]
        found.update(
            memory_bytes=memory["limit_bytes"],
            swap_bytes=memory["swap"]["total_bytes"],
            overcommit=memory["overcommit_mode"],
        )
    if "lifeline_pressure" in facts:
        found.update(cpus=facts["lifeline_pressure"]["cpus"])
    if "lifeline_fds" in facts:
        found.update(fds_maximum=facts["lifeline_fds"]["maximum"])
    if "lifeline_disks" in facts:
        disks = facts["lifeline_disks"]["filesystems"]
        found.update(
            ("filesystem:" + disk["mount"], {key: disk[key] for key in ("device", "type", "size_bytes", "read_only")})
            for disk in disks
            if disk["readable"]
        )
        if all(disk["readable"] for disk in disks):
            whole.append("filesystem:")
    return {name: value for name, value in found.items() if value is not None}, tuple(whole)


def _sample(
    metric: str, subject: str, value: float | None, capacity: float | None = None, started: float | None = None
) -> Sample | None:
    """Return the sample, None without a value."""
    return None if value is None else Sample(metric, subject, value, capacity, started)


def _memory(memory: Memory, started: float | None) -> list[Sample | None]:
    limit, available, slab = memory["limit_bytes"], memory["limit_available_bytes"], memory["slab_unreclaimable_bytes"]
    swap = memory["swap"]
    used = None if limit is None or available is None else limit - available
    return [
        _sample("memory_used_bytes", "", used, limit, started),
        _sample("swap_used_bytes", "", swap["used_bytes"] if swap["total_bytes"] else None, swap["total_bytes"]),
        # It can grow by what is available.
        _of_whole("slab_unreclaimable_bytes", "", slab, available),
    ]


def _pressure(pressure: Pressure) -> list[Sample | None]:
    stall = pressure["pressure"]["memory"]
    return [
        _sample("load_per_cpu", "", pressure["load_per_cpu"]["five"]),
        _sample("memory_pressure_percent", "", stall and stall["full_avg60_percent"]),
        _sample("steal_percent", "", pressure["cpu_percent"]["steal"]),
    ]


def _disks(disks: Disks) -> list[Sample | None]:
    found: list[Sample | None] = []
    for disk in disks["filesystems"]:
        if not disk["always_full"] and not disk["read_only"]:
            found += [
                _of_whole("disk_used_bytes", disk["mount"], disk["used_bytes"], disk["available_bytes"]),
                _of_whole("inodes_used", disk["mount"], disk["inodes_used"], disk["inodes_available"]),
            ]
    return found


def _of_whole(metric: str, subject: str, used: int | None, available: int | None) -> Sample | None:
    return _sample(metric, subject, used, None if used is None or available is None else used + available)


def _fds(fds: Fds) -> list[Sample | None]:
    maximum = fds["maximum"]
    found: list[Sample | None] = [
        _sample("fds_allocated", "", fds["allocated"], None if maximum is None or maximum >= NO_LIMIT else maximum),
        _sample("processes", "", fds["processes_total"]),
    ]
    return found + [
        _sample("process_fds", name, process["open"], process["soft_limit"])
        for name, process in fullest_by_name(fds["processes"]).items()
    ]


def _processes(processes: Processes) -> list[Sample | None]:
    sizes: dict[str, int] = {}
    for process in processes["processes"]:
        sizes[process["name"]] = sizes.get(process["name"], 0) + (process["rss_bytes"] or 0)
    return [_sample("process_rss_bytes", name, size) for name, size in sizes.items()]


def _kill(kill: OomEvent | OtherKill, scope: str | None, rss_bytes: int | None) -> Kill:
    killed = _seconds(kill["time"])
    return Kill(killed, kill["pid"], kill["name"], kill["killer"], scope, kill["unit"], rss_bytes)


def _rss(event: OomEvent) -> int | None:
    parts = (event["anon_rss_bytes"], event["file_rss_bytes"], event["shmem_rss_bytes"])
    return None if all(part is None for part in parts) else sum(part or 0 for part in parts)


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
