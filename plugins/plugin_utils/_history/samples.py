# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the facts that a history keeps: numbers, OOM kills, and the host's equipment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import NO_LIMIT, fullest_by_name
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.records import Kill, Sample, StateValue

# Facts of one module, or of several by their name.
Facts = Mapping[str, Any]
Worker = Mapping[str, Any]


def samples(facts: Facts, workers: Iterable[Worker] = (), started: Mapping[str, float] | None = None) -> list[Sample]:
    """Return the samples of `facts`, the fact modules' dictionaries by name, and of `workers` as health returns them.

    `started` is when each worker was started, by its name. The memory of the host counts from the latest start on.
    """
    started = started or {}
    found: list[Sample | None] = []
    if "lifeline_memory" in facts:
        found += _memory(facts["lifeline_memory"], max(started.values(), default=None))
    for name, kind in (
        ("lifeline_pressure", _pressure),
        ("lifeline_disks", _disks),
        ("lifeline_fds", _fds),
        ("lifeline_oom", _oom),
        ("lifeline_processes", _processes),
    ):
        if name in facts:
            found += kind(facts[name])
    for worker in workers:
        name = worker["name"]
        found.append(
            _sample("worker_rss_bytes", name, worker["rss_bytes"], worker["max_memory_bytes"], started.get(name))
        )
        found.append(_sample("worker_restarts", name, worker["restarts"]))
    return [sample for sample in found if sample is not None]


def kills(facts: Facts) -> list[Kill]:
    """Return the OOM kills in the facts."""
    oom = facts.get("lifeline_oom", {"events": (), "other_kills": ()})
    return [
        Kill(
            _seconds(event["time"]),
            event["pid"],
            event["name"],
            event["killer"],
            event.get("constraint"),
            event["unit"],
            _rss(event),
        )
        for event in [*oom["events"], *oom["other_kills"]]
    ]


def state(facts: Facts) -> tuple[dict[str, StateValue], tuple[str, ...]]:
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


def _memory(memory: Facts, started: float | None) -> list[Sample | None]:
    limit, available, slab = memory["limit_bytes"], memory["limit_available_bytes"], memory["slab_unreclaimable_bytes"]
    swap = memory["swap"]
    known = limit is not None and available is not None
    return [
        _sample("memory_used_bytes", "", limit - available if known else None, limit, started),
        _sample("swap_used_bytes", "", swap["used_bytes"] if swap["total_bytes"] else None, swap["total_bytes"]),
        # It can grow by what is available.
        _sample("slab_unreclaimable_bytes", "", slab, slab + available if known and slab is not None else None),
    ]


def _pressure(pressure: Facts) -> list[Sample | None]:
    stall = pressure["pressure"]["memory"]
    return [
        _sample("load_per_cpu", "", pressure["load_per_cpu"]["five"]),
        _sample("memory_pressure_percent", "", stall and stall["full_avg60_percent"]),
        _sample("steal_percent", "", pressure["cpu_percent"]["steal"]),
    ]


def _disks(disks: Facts) -> list[Sample | None]:
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


def _fds(fds: Facts) -> list[Sample | None]:
    maximum = fds["maximum"]
    found: list[Sample | None] = [
        _sample("fds_allocated", "", fds["allocated"], None if maximum is None or maximum >= NO_LIMIT else maximum),
        _sample("processes", "", fds["processes_total"]),
    ]
    return found + [
        _sample("process_fds", name, process["open"], process["soft_limit"])
        for name, process in fullest_by_name(fds["processes"]).items()
    ]


def _oom(oom: Facts) -> list[Sample | None]:
    return [_sample("oom_kills_since_boot", "", oom["kills_since_boot"])]


def _processes(processes: Facts) -> list[Sample | None]:
    sizes: dict[str, int] = {}
    for process in processes["processes"]:
        sizes[process["name"]] = sizes.get(process["name"], 0) + (process["rss_bytes"] or 0)
    return [_sample("process_rss_bytes", name, size) for name, size in sizes.items()]


def _rss(event: Facts) -> int | None:
    whole: int | None = event.get("rss_bytes")
    if whole is not None:
        return whole
    parts: list[int | None] = [event.get(key) for key in ("anon_rss_bytes", "file_rss_bytes", "shmem_rss_bytes")]
    return None if all(part is None for part in parts) else sum(part or 0 for part in parts)


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
