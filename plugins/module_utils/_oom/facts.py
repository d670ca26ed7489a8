# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the OOM kills on record: the kernel's own count, and an event for each kill that a log tells of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Iterable, Mapping

from ansible_collections.lifeline.fleet.plugins.module_utils._escapes import escape, escape_or_none
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import cgroup, clock, container
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp

if TYPE_CHECKING:
    from ansible_collections.lifeline.fleet.plugins.module_utils._contract import programs as contract
    from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Oom, OomEvent, OomSource
    from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.stamps import UtcOffset
    from ansible_collections.lifeline.fleet.plugins.module_utils._oom.events import Event
    from ansible_collections.lifeline.fleet.plugins.module_utils._oom.userspace import OtherKill

SOURCES = ("/proc/vmstat",) + clock.SOURCES + container.SOURCES + cgroup.SOURCES

# The lines of a log that have one of these are enough to find every kill and to join what belongs to it, apart from the
# table of processes, the only source of uid and oom_score_adj before kernel 5.1.
ANCHORS = (
    "oom-kill",
    "illed process",
    "ill process",
    "as a result of limit of",
    "memory: usage ",
    "memory.oom.group set",
)

LOGS = ("journal", "kmsg", "dmesg")

_KILLS = re.compile(r"^oom_kill ([0-9]{1,19})\b", re.MULTILINE)

DEFAULT_WORKERS = ("(?i)sidekiq", "^ruby")


def paths(sources: Mapping[str, str]) -> list[str]:
    """Return the further files that sources, read from `SOURCES`, lead to."""
    return cgroup.paths(sources)


def kernel_count(sources: Mapping[str, str]) -> int | None:
    """Return the kernel's own count of kills since boot. If it is 0, the kernel's log has no kill."""
    match = _KILLS.search(sources.get("/proc/vmstat", ""))
    return int(match.group(1)) if match else None


def _kills_since_boot(sources: Mapping[str, str]) -> int | None:
    """Return the host's count; in a container, where the kernel's count is the whole machine's, the control group's."""
    return cgroup.oom_kills(sources) if container.is_container(sources) else kernel_count(sources)


def _searches(patterns: Iterable[str]) -> list[re.Pattern[str]]:
    found = []
    for pattern in patterns:
        try:
            found.append(re.compile(pattern))
        except re.error as error:
            raise ValueError(f"workers: not a regular expression ({pattern}); correct it: {error}") from error
    return found


def _hit(patterns: Iterable[re.Pattern[str]], event: Event) -> bool:
    return any(pattern.search(value) for pattern in patterns for value in (event["name"], event["unit"]) if value)


def parse(
    sources: Mapping[str, str],
    logs: Iterable[str] | None = None,
    now: float | None = None,
    boot_time: float | None = None,
    utc_offset: UtcOffset = 0,
    since: float | None = None,
    max_events: int = 50,
    workers: Iterable[str] = DEFAULT_WORKERS,
    unread: Mapping[str, str] | None = None,
) -> Oom:
    """Return the facts `lifeline_oom`.

    - `logs`: the names of the sources that are logs, by default those of `LOGS` that are there
    - `now`, `boot_time`: seconds since 1970, by default what /proc/stat and /proc/uptime say
    - `utc_offset`: the seconds that local time is ahead of UTC, or a function of a local time that returns them
    - `since`: seconds since 1970; kills that are known to be older are left out
    - `unread`: why a log could not be read, by its name

    Raises ValueError if one of `workers` is no regular expression, and nothing else.
    """
    patterns = _searches(workers)
    names = [name for name in LOGS if name in sources] if logs is None else list(logs)
    events, other_kills, idle = _kills(sources, names, now, boot_time, utc_offset)
    if since is not None:
        events = [event for event in events if event["time"] is None or event["time"] >= since]
        other_kills = [event for event in other_kills if event["time"] is None or event["time"] >= since]
    newest = [event for _number, event in sorted(enumerate(events), key=_newest_first)]
    limit = max(0, max_events)
    return {
        "events": [_printable_event(event) for event in newest[:limit]],
        "other_kills": [_printable_kill(event) for event in other_kills[:limit]],
        "kills_since_boot": _kills_since_boot(sources),
        "kills_in_log": len(newest),
        "invocations_without_kill": idle,
        "sshd_killed": any((event["name"] or "").startswith("sshd") for event in newest),
        "worker_killed": any(_hit(patterns, event) for event in newest),
        "sources": _sources(sources, names, unread or {}),
    }


def _printable_event(event: Event) -> OomEvent:
    """Return an event with its time for people. Users choose the names of processes and of some control groups."""
    return {
        **event,
        "time": timestamp(event["time"]),
        "name": escape_or_none(event["name"]),
        "invoker": escape_or_none(event["invoker"]),
        "memcg": escape_or_none(event["memcg"]),
        "task_memcg": escape_or_none(event["task_memcg"]),
        "unit": escape_or_none(event["unit"]),
        "source": escape_or_none(event["source"]),
    }


def _printable_kill(event: OtherKill) -> contract.OtherKill:
    """Return a program's kill with its time for people, and with texts that can be printed."""
    return {
        **event,
        "time": timestamp(event["time"]),
        "name": escape_or_none(event["name"]),
        "cgroup": escape_or_none(event["cgroup"]),
        "unit": escape_or_none(event["unit"]),
        "reason": escape_or_none(event["reason"]),
        "source": escape_or_none(event["source"]),
    }


def _sources(sources: Mapping[str, str], names: list[str], unread: Mapping[str, str]) -> list[OomSource]:
    """Return which logs were read, and why others were not."""
    reports: list[OomSource] = [
        {"name": escape(name), "readable": name in sources, "reason": escape_or_none(unread.get(name))}
        for name in names
    ]
    reports += [
        {"name": escape(name), "readable": False, "reason": escape(unread[name])}
        for name in sorted(set(unread) - set(names))
    ]
    return reports


def _kills(
    sources: Mapping[str, str],
    names: Iterable[str],
    now: float | None,
    boot_time: float | None,
    utc_offset: UtcOffset,
) -> tuple[list[Event], list[OtherKill], int]:
    texts = {name: sources[name] for name in names if sources.get(name)}
    if not texts:
        return [], [], 0
    # Compiling the patterns takes longer than all other parsers together, and most hosts' logs are empty.
    from ansible_collections.lifeline.fleet.plugins.module_utils._oom import logs as oom_logs

    booted, read_at = clock.boot_time(sources), clock.read_at(sources)
    return oom_logs.kills(
        texts, read_at if now is None else now, booted if boot_time is None else boot_time, utc_offset
    )


def _newest_first(item: tuple[int, Event]) -> tuple[bool, float, float, int]:
    """Sort by time; events without a time come last, by uptime, then the later in the log first."""
    number, event = item
    return event["time"] is None, -(event["time"] or 0), -(event["uptime_seconds"] or 0), -number
