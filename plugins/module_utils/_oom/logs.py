# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the kills in several logs, each kill once."""

from __future__ import annotations

import re
from typing import Dict, Iterable, Mapping, cast

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.records import records
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import Clock, UtcOffset
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import events as oom_events, userspace
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.events import Event
from ansible_collections.lifeline.fleet.plugins.module_utils._oom.userspace import OtherKill

# The sources that hold messages of the running kernel only, whose stamps count from this boot.
_RUNNING = ("dmesg", "kmsg")
# Only the latest kills with the same process number are compared.
_LATEST = 64
_SAME_UPTIME_SECONDS = 0.011
_DAY = 86400


def kills(
    texts: Mapping[str, str], now: float | None, boot_time: float | None, utc_offset: UtcOffset
) -> tuple[list[Event], list[OtherKill], int]:
    """Return the kernel's kills, those of programs, and how often the OOM killer ran without a kill.

    `texts` has the logs by name. The number of runs without a kill is that of the log which shows most of them.
    """
    found: list[list[Event]] = []
    others: list[list[OtherKill]] = []
    idle = [0]
    for name, text in texts.items():
        messages = records(text, Clock(now, boot_time if name in _RUNNING else None, utc_offset))
        events, without = oom_events.kills(messages, name)
        found.append(events)
        idle.append(without)
        others.append(userspace.kills(messages, name))
    return _distinct(found), userspace.distinct(others), max(idle)


def _distinct(logs: Iterable[list[Event]]) -> list[Event]:
    """Return each kill once; a kill that is in two logs has the values of both."""
    found: list[Event] = []
    by_pid: dict[int, list[Event]] = {}
    for events in logs:
        matched: set[int] = set()
        for event in _distinct_in_one(events):
            known = by_pid.setdefault(event["pid"], [])
            same = next((other for other in known if id(other) not in matched and _same(other, event, False)), None)
            if same is None:
                same = event
                found.append(event)
                known.append(event)
            else:
                _merge(same, event)
            matched.add(id(same))
    return found


def _distinct_in_one(events: list[Event]) -> list[Event]:
    """Return each kill of one log once."""
    found: list[Event] = []
    by_pid: dict[int, list[Event]] = {}
    for event in events:
        known = by_pid.setdefault(event["pid"], [])
        same = next((other for other in known[-_LATEST:] if _same(other, event, True)), None)
        if same is None:
            found.append(event)
            known.append(event)
        else:
            _merge(same, event)
    return found


def _same(one: Event, other: Event, within: bool) -> bool:
    """Return whether two events are the same kill.

    `within` says that both are from one log: then only equal stamps are the same moment.
    """
    if one["pid"] != other["pid"] or not _same_name(one["name"], other["name"]):
        return False
    sizes = (
        (one["total_vm_bytes"], other["total_vm_bytes"]),
        (one["anon_rss_bytes"], other["anon_rss_bytes"]),
        (one["file_rss_bytes"], other["file_rss_bytes"]),
    )
    sized = all(a is not None and b is not None for a, b in sizes)
    if any(a is not None and b is not None and a != b for a, b in sizes):
        return False
    seconds = _apart(one["time"], other["time"])
    uptimes = _apart(one["uptime_seconds"], other["uptime_seconds"])
    if uptimes is not None:
        # Two boots may reach the same uptime, but not on the same day.
        return uptimes <= _SAME_UPTIME_SECONDS and (seconds is None or seconds < _DAY)
    if seconds is not None:
        return seconds <= (1 if within else 600 if sized else 3)
    return sized or within


def _apart(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else abs(one - other)


def _same_name(one: str | None, other: str | None) -> bool:
    """Return whether two names are the same, apart from characters that logs write differently."""
    return one is None or other is None or one == other or _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return re.sub(r"\\x[0-9a-f]{2}|[^\x21-\x7e]|\\n", "", name)


def _merge(known: Event, event: Event) -> None:
    """Add to a known event what another report of the same kill tells."""
    if known["constraint"] == "unknown":
        known["constraint"], known["memcg"] = event["constraint"], event["memcg"]
        known["limit_bytes"], known["usage_bytes"] = event["limit_bytes"], event["usage_bytes"]
    fields = cast(Dict[str, object], known)
    for key, value in event.items():
        if fields[key] is None:
            fields[key] = value
