# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OOM kills out of several logs, each kill once."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.records import records
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import Clock
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import events as oom_events, userspace

# The sources that hold the running kernel's own messages, whose stamps count from this boot.
_RUNNING = ("dmesg", "kmsg")

_SIZE_KEYS = ("total_vm_bytes", "anon_rss_bytes", "file_rss_bytes")


def _same_name(one, other):
    if one is None or other is None or one == other:
        return True

    def plain(name):
        return re.sub(r"\\x[0-9a-f]{2}|[^\x21-\x7e]|\\n", "", name)

    return plain(one) == plain(other)


def _same(one, other, within):
    """Whether two events are the same kill. V(within): both come out of one log, where only equal stamps are the
    same moment."""
    if one["pid"] != other["pid"] or not _same_name(one["name"], other["name"]):
        return False
    sized = True
    for key in _SIZE_KEYS:
        if one[key] is None or other[key] is None:
            sized = False
        elif one[key] != other[key]:
            return False
    if one["uptime_seconds"] is not None and other["uptime_seconds"] is not None:
        if abs(one["uptime_seconds"] - other["uptime_seconds"]) > 0.011:
            return False
        # Two boots may come to the same second of uptime, and not to the same day.
        return one["time"] is None or other["time"] is None or abs(one["time"] - other["time"]) < 86400
    if one["time"] is not None and other["time"] is not None:
        return abs(one["time"] - other["time"]) <= (1 if within else 600 if sized else 3)
    return sized or within


def _merge(known, event):
    """Let V(known) have what only V(event) tells."""
    for key, value in event.items():
        if known.get(key) is None and value is not None:
            known[key] = value
    if known["constraint"] == "unknown":
        for key in ("constraint", "memcg", "limit_bytes", "usage_bytes"):
            known[key] = event[key]


def _distinct(logs):
    """Each kill once: V(logs) is a list of lists of events, one list a log. A kill in two logs tells what both know."""
    found, by_pid = [], {}
    for events in logs:
        own, own_by_pid = [], {}
        for event in events:
            alike = own_by_pid.setdefault(event["pid"], [])
            same = next((other for other in alike[-64:] if _same(other, event, True)), None)
            if same is not None:
                _merge(same, event)
            else:
                own.append(event)
                alike.append(event)
        matched = set()
        for event in own:
            known = by_pid.setdefault(event["pid"], [])
            same = next((other for other in known if id(other) not in matched and _same(other, event, False)), None)
            if same is not None:
                _merge(same, event)
                matched.add(id(same))
            else:
                found.append(event)
                known.append(event)
                matched.add(id(event))
    return found


def kills(texts, now, boot_time, utc_offset):
    """The kernel's kills, those of programs, and how many invocations killed nothing, out of V(texts), the logs by name."""
    found, others, idle = [], [], [0]
    for name, text in texts.items():
        messages = records(text, Clock(now, boot_time if name in _RUNNING else None, utc_offset))
        events, without = oom_events.kills(messages, name)
        found.append(events)
        idle.append(without)
        others.append(userspace.kills(messages, name))
    return _distinct(found), userspace.distinct(others), max(idle)
