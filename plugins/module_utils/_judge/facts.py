# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make facts of a host's sources, with the parsers of the fact modules."""

from __future__ import annotations

from typing import Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Facts, Sources, Watchdog
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Table
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import facts as disk_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import (
    clock,
    fds,
    kernel_tables,
    memory,
    pressure,
    processes,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import watchdog as sidekiq_watchdog


def parse(sources: Sources, oom_window: float, expected: Optional[Sequence[str]] = None) -> Facts:
    """Return the fact modules' dictionaries by name, as far as one look can tell.

    `oom_window` is in seconds. `expected` is what may listen; without it, what listens is left out.
    """
    read_at = clock.read_at(sources)
    since = None if read_at is None else read_at - oom_window
    facts: Facts = {
        "lifeline_memory": memory.parse(sources),
        "lifeline_disks": disk_facts.parse(sources),
        "lifeline_fds": fds.parse(sources),
        "lifeline_oom": oom_facts.parse(sources, since=since),
        "lifeline_pressure": pressure.parse(sources),
        "lifeline_kernel": kernel_tables.parse(sources),
    }
    if expected is not None:
        # Imported here, as most hosts say nothing of what may listen.
        from ansible_collections.lifeline.fleet.plugins.module_utils._proc import listeners

        facts["lifeline_listeners"] = listeners.parse(sources, expected)
    return facts


def watchdog(sources: Sources) -> Watchdog:
    """Return what the watchdog on the host has noted."""
    return sidekiq_watchdog.read(sources)


def boot_time(sources: Sources) -> Optional[int]:
    """Return when the host was booted, in seconds since 1970 by its own clock, or None."""
    return clock.boot_time(sources)


def process_table(sources: Sources) -> Table:
    """Return all processes by their id."""
    return processes.parse_table(sources)
