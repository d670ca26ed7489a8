# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make facts of a host's sources, with the parsers of the fact modules."""

from __future__ import annotations

from functools import partial
from typing import Callable, Optional, Sequence, TypeVar

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Facts, Sources, Watchdog
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Table
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import facts as disk_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import crashes, units
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.readings import Services
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import (
    clock,
    container,
    fds,
    kernel_tables,
    memory,
    pressure,
    processes,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import watchdog as sidekiq_watchdog

# The exceptions of a parser that gets unexpected text. A deadline is none of these, and ends the whole probe.
_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_NOTHING: Sources = {}

_Part = TypeVar("_Part")


def _without_errors(parse: Callable[[Sources], _Part], sources: Sources) -> _Part:
    """Return what a parser makes of the sources, or of none if it raises; the verdict then says what was not read."""
    try:
        return parse(sources)
    except _ERRORS:
        return parse(_NOTHING)


def parse(sources: Sources, oom_window: float, expected: Optional[Sequence[str]] = None) -> Facts:
    """Return the fact modules' dictionaries by name, as far as one look can tell.

    `oom_window` is in seconds. `expected` is what may listen; without it, what listens is left out. If a parser raises,
    its part has the facts of an empty source.
    """
    read_at = clock.read_at(sources)
    since = None if read_at is None else read_at - oom_window
    facts: Facts = {
        "lifeline_memory": _without_errors(memory.parse, sources),
        "lifeline_disks": _without_errors(disk_facts.parse, sources),
        "lifeline_fds": _without_errors(fds.parse, sources),
        "lifeline_oom": _without_errors(partial(oom_facts.parse, since=since), sources),
        "lifeline_pressure": _without_errors(pressure.parse, sources),
        "lifeline_kernel": _without_errors(kernel_tables.parse, sources),
    }
    if expected is not None:
        # Imported here because most inventories don't say what may listen.
        from ansible_collections.lifeline.fleet.plugins.module_utils._proc import listeners

        facts["lifeline_listeners"] = _without_errors(partial(listeners.parse, expected=expected), sources)
    return facts


def watchdog(sources: Sources) -> Watchdog:
    """Return the notes of the watchdog on the host."""
    return _without_errors(sidekiq_watchdog.read, sources)


def boot_time(sources: Sources) -> Optional[int]:
    """Return when the host was booted, in seconds since 1970 by its own clock, or None."""
    return clock.boot_time(sources)


def services(sources: Sources, table: Table) -> Services:
    """Return the units and the crashes of workers from the sources."""
    uptime = max((one["started_seconds"] + (one["age_seconds"] or 0) for one in table.values()), default=None)
    return Services(
        _without_errors(units.parse, sources),
        _without_errors(units.members, sources),
        _without_errors(partial(crashes.parse, uptime=uptime), sources),
        uptime,
    )


def clock_skew(sources: Sources, asked: float, answered: float) -> Optional[float]:
    """Return by how many seconds the host's clock is ahead, 0 as long as it may be right; None if it is unknown.

    `asked` and `answered` are when the caller asked and when it had the answer, by its own clock.
    """
    # Under lxcfs the time of the boot is the machine's, and the uptime the container's.
    read_at = None if container.is_lxcfs(sources) else clock.read_at(sources)
    if read_at is None:
        return None
    # The time of the boot is in whole seconds.
    return round(max(0.0, read_at - answered - 1) - max(0.0, asked - read_at - 1), 1)


def process_table(sources: Sources) -> Table:
    """Return all processes by their id."""
    return _without_errors(processes.parse_table, sources)
