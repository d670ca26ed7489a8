# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OOM kills on record: the kernel's own counter, and an event for each process that a log says was killed for want of memory."""

from __future__ import annotations

import re

from ansible_collections.lifeline.fleet.plugins.module_utils._proc import cgroup, clock, container
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import timestamp

SOURCES = ("/proc/vmstat",) + clock.SOURCES + container.SOURCES + cgroup.SOURCES

# Fixed strings: the lines of a log that have one of them are enough to find every kill and to join what belongs to it, but
# for the table of processes (which alone tells uid and oom_score_adj before kernel 5.1).
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


def paths(sources):
    """The further files that V(sources), read from SOURCES, lead to."""
    return cgroup.paths(sources)


def kernel_count(sources):
    """The kernel's own count since boot. Where it is 0, the kernel's log has no kill."""
    match = _KILLS.search(sources.get("/proc/vmstat", ""))
    return int(match.group(1)) if match else None


def _kills_since_boot(sources):
    """In a container the kernel's count is the whole host's, and the control group's is its own."""
    return cgroup.oom_kills(sources) if container.is_container(sources) else kernel_count(sources)


def _searches(patterns):
    found = []
    for pattern in patterns:
        try:
            found.append(re.compile(pattern))
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return found


def _hit(patterns, event):
    return any(pattern.search(value) for pattern in patterns for value in (event["name"], event["unit"]) if value)


def parse(
    sources,
    logs=None,
    now=None,
    boot_time=None,
    utc_offset=0,
    since=None,
    max_events=50,
    workers=DEFAULT_WORKERS,
    unread=None,
):
    """The facts C(lifeline_oom).

    V(logs) names the sources that are logs, by default those of C(LOGS) that are there. V(now) and V(boot_time) are seconds since
    1970, by default what /proc/stat and /proc/uptime say; V(utc_offset) is the seconds that local time is ahead of UTC, or a
    function of a local time that gives them. V(since) drops what is known to be older. V(unread) says why a log could not be
    read, by its name. Only V(workers) that are no regular expressions make this raise ValueError.
    """
    patterns = _searches(workers)
    booted, read_at = clock.boot_time(sources), clock.read_at(sources)
    names = [name for name in LOGS if name in sources] if logs is None else list(logs)
    texts = {name: sources[name] for name in names if sources.get(name)}
    events, other_kills, idle = [], [], 0
    if texts:
        # To compile what a log may say takes longer than all other parsers together, and most boxes' logs have nothing to say.
        from ansible_collections.lifeline.fleet.plugins.module_utils._oom import logs as oom_logs

        events, other_kills, idle = oom_logs.kills(
            texts, read_at if now is None else now, booted if boot_time is None else boot_time, utc_offset
        )
    if since is not None:
        events = [event for event in events if event["time"] is None or event["time"] >= since]
        other_kills = [event for event in other_kills if event["time"] is None or event["time"] >= since]
    order = sorted(range(len(events)), key=lambda number: _newest_first(events[number], number))
    newest = [events[number] for number in order]
    for event in newest + other_kills:
        event["time"] = timestamp(event["time"])
    unread = unread or {}
    reports = [{"name": name, "readable": name in sources, "reason": unread.get(name)} for name in names]
    reports += [{"name": name, "readable": False, "reason": unread[name]} for name in sorted(set(unread) - set(names))]
    limit = max(0, max_events)
    return {
        "events": newest[:limit],
        "other_kills": other_kills[:limit],
        "kills_since_boot": _kills_since_boot(sources),
        "kills_in_log": len(newest),
        "invocations_without_kill": idle,
        "sshd_killed": any((event["name"] or "").startswith("sshd") for event in newest),
        "worker_killed": any(_hit(patterns, event) for event in newest),
        "sources": reports,
    }


def _newest_first(event, number):
    """Newest first; what has no time comes after what has one, by uptime, and then the later in the log first."""
    return (event["time"] is None, -(event["time"] or 0), -(event["uptime_seconds"] or 0), -number)
