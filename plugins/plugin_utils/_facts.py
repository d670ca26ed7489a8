# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A probed box's sources through the fact modules' own parsers."""

from __future__ import annotations

from ansible_collections.lifeline.fleet.plugins.module_utils import (
    _disks,
    _fds,
    _memory,
    _oom,
    _pressure,
    _processes,
    _watchdog,
)


def parse(sources, oom_window, expected=None):
    """The fact modules' dictionaries by name, as far as one probe can tell.

    V(oom_window) is in seconds. V(expected) is what may listen; without it nobody has looked who does.
    """
    read_at = _oom.boot_and_now(sources)[1]
    since = None if read_at is None else read_at - oom_window
    facts = {
        "lifeline_memory": _memory.parse(sources),
        "lifeline_disks": _disks.parse(sources),
        "lifeline_fds": _fds.parse(sources),
        "lifeline_oom": _oom.parse(sources, since=since),
        "lifeline_pressure": _pressure.parse(sources),
    }
    if expected is not None:
        # As in _settings, for the few that want it.
        from ansible_collections.lifeline.fleet.plugins.module_utils import _listeners

        facts["lifeline_listeners"] = _listeners.parse(sources, expected)
    return facts


def watchdog(sources):
    return _watchdog.read(sources)


def boot_time(sources):
    """When the box's kernel was booted, in seconds since 1970 by its own clock, or None."""
    return _oom.boot_and_now(sources)[0]


def process_table(sources):
    return _processes.parse_table(sources)
