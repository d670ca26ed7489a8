# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the fact modules' dictionaries goes into a history: numbers, OOM kills, and what a box is made of."""

from __future__ import annotations

from datetime import datetime

from ansible_collections.lifeline.fleet.plugins.module_utils._proc.fds import NO_LIMIT, fullest_by_name
from ansible_collections.lifeline.fleet.plugins.plugin_utils._history.store import Kill, Sample


def samples(facts, workers=(), started=None):
    """The samples of V(facts), dictionaries of the fact modules by name, and of V(workers), as health returns them.

    V(started) is when each worker has started, by its name. The memory of all counts since the last of them did.
    """
    started = started or {}
    found = []
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
            Sample("worker_rss_bytes", name, worker["rss_bytes"], worker["max_memory_bytes"], started.get(name))
        )
        found.append(Sample("worker_restarts", name, worker["restarts"]))
    return [sample for sample in found if sample.value is not None]


def kills(facts):
    """The OOM kills of C(lifeline_oom)."""
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


def state(facts):
    """What a box is made of, and the prefixes of which that is all."""
    found, whole = {}, []
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


def _memory(memory, started):
    limit, available, slab = memory["limit_bytes"], memory["limit_available_bytes"], memory["slab_unreclaimable_bytes"]
    swap = memory["swap"]
    known = limit is not None and available is not None
    return [
        Sample("memory_used_bytes", "", limit - available if known else None, limit, started),
        Sample("swap_used_bytes", "", swap["used_bytes"] if swap["total_bytes"] else None, swap["total_bytes"]),
        # It can take what is left, and no more.
        Sample("slab_unreclaimable_bytes", "", slab, slab + available if known and slab is not None else None),
    ]


def _pressure(pressure):
    stall = pressure["pressure"]["memory"]
    return [
        Sample("load_per_cpu", "", pressure["load_per_cpu"]["five"]),
        Sample("memory_pressure_percent", "", stall and stall["full_avg60_percent"]),
        Sample("steal_percent", "", pressure["cpu_percent"]["steal"]),
    ]


def _disks(disks):
    found = []
    for disk in disks["filesystems"]:
        if not disk["always_full"] and not disk["read_only"]:
            found += [
                _of_whole("disk_used_bytes", disk["mount"], disk["used_bytes"], disk["available_bytes"]),
                _of_whole("inodes_used", disk["mount"], disk["inodes_used"], disk["inodes_available"]),
            ]
    return found


def _of_whole(metric, subject, used, available):
    return Sample(metric, subject, used, None if used is None or available is None else used + available)


def _fds(fds):
    maximum = fds["maximum"]
    found = [
        Sample("fds_allocated", "", fds["allocated"], None if maximum is None or maximum >= NO_LIMIT else maximum),
        Sample("processes", "", fds["processes_total"]),
    ]
    return found + [
        Sample("process_fds", name, process["open"], process["soft_limit"])
        for name, process in fullest_by_name(fds["processes"]).items()
    ]


def _oom(oom):
    return [Sample("oom_kills_since_boot", "", oom["kills_since_boot"])]


def _processes(processes):
    sizes = {}
    for process in processes["processes"]:
        sizes[process["name"]] = sizes.get(process["name"], 0) + (process["rss_bytes"] or 0)
    return [Sample("process_rss_bytes", name, size) for name, size in sizes.items()]


def _rss(event):
    if event.get("rss_bytes") is not None:
        return event["rss_bytes"]
    parts = [event.get(key) for key in ("anon_rss_bytes", "file_rss_bytes", "shmem_rss_bytes")]
    return None if all(part is None for part in parts) else sum(part or 0 for part in parts)


def _seconds(text):
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
