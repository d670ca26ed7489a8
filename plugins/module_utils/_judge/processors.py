# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the CPUs and the disks' queues of a host: load, steal, and how long tasks wait for I/O."""

from __future__ import annotations

from typing import Mapping, Optional

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Process
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import Load, Pressure, Stall
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings, number_text
from ansible_collections.lifeline.fleet.plugins.module_utils._proc.pressure import Rates

NO_RATES = Rates()
# A load is harmless if the kernel reports that tasks hardly wait for a CPU or a disk.
_WAITING_PERCENT = 10
# `nice` values from here on are those of jobs that give way to everything else.
_GIVES_WAY = 10


def judge(
    found: Findings, pressure: Pressure, table: Mapping[int, Process], lxcfs: bool, rates: Rates = NO_RATES
) -> None:
    """Judge load, steal and waiting tasks. `rates` are those since an earlier reading, if there is one."""
    stall = pressure["pressure"]["io"]
    if stall is not None:
        share = stall["full_avg60_percent"]
        found.hold(
            "io_pressure_percent",
            share,
            f"everything stood still {number_text(share)} % of the last minute, waiting for a disk",
        )
    # lxcfs shows the load of the whole host beside the CPUs of the container.
    if not lxcfs:
        _load(found, pressure, table)
    # An average since boot says nothing about now.
    if not pressure["since_boot"]:
        steal = pressure["cpu_percent"]["steal"]
        _steal(found, steal)
    elif not lxcfs:
        _steal(found, rates.steal_percent)
    drops = rates.listen_drops_per_minute
    found.hold(
        "listen_drops_per_minute",
        drops,
        f"{number_text(drops)} connections per minute are dropped because a listening program does not accept them",
    )


def _steal(found: Findings, share: Optional[float]) -> None:
    found.hold("steal_percent", share, f"{number_text(share)} % of the CPU time went to other machines (steal)")


def _load(found: Findings, pressure: Pressure, table: Mapping[int, Process]) -> None:
    load, per_cpu = pressure["load"], pressure["load_per_cpu"]
    if per_cpu["one"] is None or per_cpu["five"] is None or not _is_felt(pressure, table):
        return
    cpus = f"on {pressure['cpus']} CPU{'' if pressure['cpus'] == 1 else 's'}"
    # Judge the lower of both: the five-minute load keeps old peaks, and the one-minute load has peaks that will pass.
    if found.level("load_per_cpu", _least(per_cpu)) is not None:
        found.hold("load_per_cpu", _least(per_cpu), f"load {number_text(_least(load))} {cpus}")
    elif _waiting_now(pressure) >= per_cpu["one"] * (pressure["cpus"] or 1) / 2:
        found.hold("load_per_cpu", per_cpu["one"], f"load {number_text(load['one'])} {cpus}, rising", at_most="warning")


def _waiting_now(pressure: Pressure) -> int:
    """Return how many tasks run, want to run, or wait for I/O at the moment."""
    return (pressure["running"] or 0) + (pressure["blocked"] or 0)


def _least(load: Load) -> Optional[float]:
    return None if load["one"] is None or load["five"] is None else min(load["one"], load["five"])


def _is_felt(pressure: Pressure, table: Mapping[int, Process]) -> bool:
    """Return whether tasks wait: by the kernel's own measure, by tasks that wait for I/O, or else by the load."""
    running = [process for process in table.values() if process["state"] == "R"]
    if running and sum(process["nice"] >= _GIVES_WAY for process in running) * 2 > len(running):
        return False
    stalls, cpus = pressure["pressure"], pressure["cpus"] or 1
    if (pressure["blocked"] or 0) >= cpus:
        return True
    if stalls["cpu"] is None and stalls["io"] is None:
        # Threads of the kernel that sleep in the same state as tasks that wait for I/O count in the load.
        asleep = sum(process["state"] == "D" and process["kernel_thread"] for process in table.values())
        return asleep < cpus
    return any((_some(stalls[resource]) or 0) >= _WAITING_PERCENT for resource in ("cpu", "io"))


def _some(stall: Optional[Stall]) -> Optional[float]:
    return None if stall is None else stall["some_avg60_percent"]
