# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A probed box's sources through the fact modules' own parsers."""

from __future__ import annotations

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


def parse(sources, oom_window, expected=None):
    """The fact modules' dictionaries by name, as far as one probe can tell.

    V(oom_window) is in seconds. V(expected) is what may listen; without it nobody has looked who does.
    """
    read_at = clock.read_at(sources)
    since = None if read_at is None else read_at - oom_window
    facts = {
        "lifeline_memory": memory.parse(sources),
        "lifeline_disks": disk_facts.parse(sources),
        "lifeline_fds": fds.parse(sources),
        "lifeline_oom": oom_facts.parse(sources, since=since),
        "lifeline_pressure": pressure.parse(sources),
        "lifeline_kernel": kernel_tables.parse(sources),
    }
    if expected is not None:
        # As in _settings, for the few that want it.
        from ansible_collections.lifeline.fleet.plugins.module_utils._proc import listeners

        facts["lifeline_listeners"] = listeners.parse(sources, expected)
    return facts


def watchdog(sources):
    return sidekiq_watchdog.read(sources)


def boot_time(sources):
    """When the box's kernel was booted, in seconds since 1970 by its own clock, or None."""
    return clock.boot_time(sources)


def process_table(sources):
    return processes.parse_table(sources)
