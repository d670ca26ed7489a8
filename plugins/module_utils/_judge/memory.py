# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the memory of a host: what can be allocated, swap, the kernel's own, and how long tasks wait for it."""

from __future__ import annotations

from typing import Mapping, Optional, Tuple

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Process
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Memory, Pressure
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings, number_text, size_text
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.thresholds import CHECKS, Thresholds
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_size

_MIB = 1 << 20
# Swap is in active use if more than this is read back from it. Otherwise it only holds unused pages.
_SWAP_IN = _MIB


def judge(
    found: Findings,
    memory: Memory,
    pressure: Pressure,
    table: Mapping[int, Process],
    thresholds: Thresholds,
    lxcfs: bool,
) -> None:
    left, limit, share = _scarcest(memory)
    found.hold(
        "memory_available_percent",
        share,
        f"only {size_text(left)} of {size_text(limit)} memory available"
        f"{'' if limit == memory['total_bytes'] or memory['cgroup'] is None else ' (control group limit)'}"
        f"{_largest(table)}",
        left=None if left is None else left / _MIB,
    )
    _stalls(found, pressure)
    _swap(found, memory, pressure, thresholds)
    _commit(found, memory)
    # lxcfs shows the slab of the whole host beside the memory of the container.
    if not lxcfs:
        found.hold(
            "slab_unreclaimable_percent",
            memory["slab_unreclaimable_percent"],
            f"the kernel itself holds {size_text(memory['slab_unreclaimable_bytes'])} that it can't give back "
            "(unreclaimable slab)",
        )


def _scarcest(memory: Memory) -> Tuple[Optional[int], Optional[int], Optional[float]]:
    """Return the bytes left, the limit and the share: of the control group, or of the RAM if less is left there."""
    share, ram_share = memory["limit_available_percent"], memory["ram_available_percent"]
    if share is not None and ram_share is not None and ram_share < share:
        return memory["available_bytes"], memory["total_bytes"], ram_share
    return memory["limit_available_bytes"], memory["limit_bytes"], share


def _stalls(found: Findings, pressure: Pressure) -> None:
    stall = pressure["pressure"]["memory"]
    if stall is not None:
        share = stall["full_avg60_percent"]
        found.hold(
            "memory_pressure_percent",
            share,
            f"everything stood still {number_text(share)} % of the last minute, waiting for memory",
        )


def _swap(found: Findings, memory: Memory, pressure: Pressure, thresholds: Thresholds) -> None:
    """Judge a full swap: it is critical only if memory is short as well, or pages are read back from it."""
    swap = memory["swap"]
    found.hold(
        "swap_used_percent",
        swap["used_percent"],
        f"{size_text(swap['used_bytes'])} of {size_text(swap['total_bytes'])} swap in use",
        at_most="critical" if _is_short(memory, pressure, thresholds) else "warning",
    )


def _is_short(memory: Memory, pressure: Pressure, thresholds: Thresholds) -> bool:
    stall = pressure["pressure"]["memory"]
    warning = _first(thresholds["memory_pressure_percent"])
    if stall is not None and warning is not None and (stall["some_avg60_percent"] or 0) >= warning:
        return True
    if not pressure["since_boot"] and (pressure["swap_in_bytes_per_second"] or 0) >= _SWAP_IN:
        return True
    available, low = _scarcest(memory)[2], _first(thresholds["memory_available_percent"])
    return available is not None and low is not None and CHECKS["memory_available_percent"].reached(available, low)


def _first(levels: Mapping[str, Optional[float]]) -> Optional[float]:
    """Return the threshold that strikes first."""
    return levels["critical"] if levels["warning"] is None else levels["warning"]


def _commit(found: Findings, memory: Memory) -> None:
    """Judge what is promised, if the kernel refuses to promise more than the limit (vm.overcommit_memory=2)."""
    if memory["overcommit_mode"] == "never":
        found.hold(
            "memory_committed_percent",
            memory["committed_percent"],
            f"{size_text(memory['committed_bytes'])} of {size_text(memory['commit_limit_bytes'])} memory promised: "
            "the kernel refuses more (vm.overcommit_memory is 2), and no process can be started",
        )


def _largest(table: Mapping[int, Process]) -> str:
    """Name the process that holds the most memory, for a sentence about too little of it."""
    largest: Optional[Process] = max(table.values(), key=lambda process: process["rss_bytes"] or 0, default=None)
    if largest is None or not largest["rss_bytes"]:
        return ""
    return f", {largest['name']} (pid {largest['pid']}) holds {format_size(largest['rss_bytes'])}"
