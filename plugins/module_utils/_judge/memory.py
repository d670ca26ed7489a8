# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the memory of a host: what can be allocated, swap, the kernel's own, and how long tasks wait for it."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Optional, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Process
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Memory, Pressure
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import (
    SEVERITIES,
    Findings,
    number_text,
    size_text,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.pressure import Rates
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size, percent

NO_RATES = Rates()
_MIB = 1 << 20
# Swap is in active use if more than this is read back from it. Otherwise it only holds unused pages.
_SWAP_IN = _MIB
# A process with less of the memory than this is not the reason for a shortage.
_CULPRITS_SHARE = 0.1


class _Left(NamedTuple):
    """The memory that is left and its limit, in bytes, and the share that is left, in percent."""

    left: Optional[int]
    limit: Optional[int]
    share: Optional[float]


def judge(
    found: Findings,
    memory: Memory,
    pressure: Pressure,
    table: Mapping[int, Process],
    lxcfs: bool,
    rates: Rates = NO_RATES,
) -> None:
    """Judge the memory. `rates` are those since an earlier reading, if there is one."""
    left, limit, share = _scarcest(found, memory)
    found.hold(
        "memory_available_percent",
        share,
        f"only {size_text(left)} of {size_text(limit)} memory available"
        f"{'' if limit == memory['total_bytes'] or memory['cgroup'] is None else ' (control group limit)'}"
        f"{_culprit(table, limit)}",
        left=_mib(left),
    )
    _stalls(found, pressure)
    if pressure["pressure"]["memory"] is None:
        faults = rates.major_faults_per_second
        found.hold(
            "major_faults_per_second",
            faults,
            f"{number_text(faults)} pages per second are read back from disk: the host thrashes",
        )
    _swap(found, memory, pressure, rates)
    _commit(found, memory)
    # lxcfs shows the slab of the whole host beside the memory of the container.
    if not lxcfs:
        _slab(found, memory, pressure)


def _slab(found: Findings, memory: Memory, pressure: Pressure) -> None:
    """Judge what the kernel can't give back, without the cache of ZFS: critical only if memory is short."""
    size, total = memory["slab_unreclaimable_bytes"], memory["total_bytes"]
    held = None if size is None else max(0, size - (memory["arc_reclaimable_bytes"] or 0))
    found.hold(
        "slab_unreclaimable_percent",
        percent(held, total),
        f"the kernel itself holds {size_text(held)} that it can't give back (unreclaimable slab)",
        at_most="critical" if _is_short(found, memory, pressure) else "warning",
    )


def _scarcest(found: Findings, memory: Memory) -> _Left:
    """Return what is left of the control group's limit, or of the RAM if that is worse."""
    limited = _Left(memory["limit_available_bytes"], memory["limit_bytes"], memory["limit_available_percent"])
    ram = _Left(memory["available_bytes"], memory["total_bytes"], memory["ram_available_percent"])
    if limited.share is None or ram.share is None:
        return limited

    def badness(one: _Left) -> Tuple[int, float]:
        level = found.level("memory_available_percent", one.share, _mib(one.left))
        return SEVERITIES.index(level or "ok"), -(one.share or 0)

    return max(limited, ram, key=badness)


def _mib(size: Optional[int]) -> Optional[float]:
    return None if size is None else size / _MIB


def _stalls(found: Findings, pressure: Pressure) -> None:
    stall = pressure["pressure"]["memory"]
    if stall is not None:
        share = stall["full_avg60_percent"]
        found.hold(
            "memory_pressure_percent",
            share,
            f"everything stood still {number_text(share)} % of the last minute, waiting for memory",
        )


def _swap(found: Findings, memory: Memory, pressure: Pressure, rates: Rates) -> None:
    """Judge a full swap: it is critical only if memory is short as well, or pages are read back from it.

    zram is compressed memory that is meant to be used, so it is judged only if memory is short.
    """
    swap = memory["swap"]
    short = _is_short(found, memory, pressure) or (rates.swap_in_bytes_per_second or 0) >= _SWAP_IN
    if swap["compressed"] and not short:
        return
    found.hold(
        "swap_used_percent",
        swap["used_percent"],
        f"{size_text(swap['used_bytes'])} of {size_text(swap['total_bytes'])} swap in use",
        at_most="critical" if short else "warning",
    )


def _is_short(found: Findings, memory: Memory, pressure: Pressure) -> bool:
    stall = pressure["pressure"]["memory"]
    if stall is not None and found.level("memory_pressure_percent", stall["some_avg60_percent"]) is not None:
        return True
    if not pressure["since_boot"] and (pressure["swap_in_bytes_per_second"] or 0) >= _SWAP_IN:
        return True
    scarcest = _scarcest(found, memory)
    return found.level("memory_available_percent", scarcest.share, _mib(scarcest.left)) is not None


def _commit(found: Findings, memory: Memory) -> None:
    """Judge the committed memory, if the kernel enforces a limit of it (vm.overcommit_memory=2)."""
    if memory["overcommit_mode"] == "never":
        found.hold(
            "memory_committed_percent",
            memory["committed_percent"],
            f"{size_text(memory['committed_bytes'])} of {size_text(memory['commit_limit_bytes'])} memory promised: "
            "the kernel refuses more (vm.overcommit_memory is 2), and no process can be started",
        )


def _culprit(table: Mapping[int, Process], limit: Optional[int]) -> str:
    """Name the process that holds the most memory, for a sentence about too little of it, unless it holds little."""
    largest: Optional[Process] = max(table.values(), key=lambda process: process["rss_bytes"] or 0, default=None)
    if largest is None or (largest["rss_bytes"] or 0) <= (limit or 0) * _CULPRITS_SHARE:
        return ""
    return f", {largest['name']} (pid {largest['pid']}) holds {format_size(largest['rss_bytes'])}"
