# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs per hour between two readings of Sidekiq's counts, and a state in one line of text."""

from __future__ import annotations

from typing import Optional, Tuple, TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq.state import State

# Counts reach Redis with a process's beat, every 5 s (Sidekiq 6) or 10 s: a rate over less than this shows only the
# beat.
SHORTEST = 10


class Reading(TypedDict):
    """The counts at a time, which is in seconds since the epoch."""

    time: float
    processed: int
    failed: int


class Rate(TypedDict):
    """The jobs between two readings, and per hour."""

    seconds: float
    processed: int
    failed: int
    processed_per_hour: float
    failed_per_hour: float


def reading(now: float, state: State) -> Reading:
    """Return the reading that a state is."""
    return {"time": now, "processed": state["processed"], "failed": state["failed"]}


def rate(before: Optional[Reading], after: Reading) -> Tuple[Optional[Rate], Optional[str]]:
    """Return the rate between two readings and None, or None and the reason why there is no rate."""
    if before is None:
        return None, "there is no earlier reading"
    seconds = after["time"] - before["time"]
    if seconds < SHORTEST:
        return None, f"the earlier reading is {seconds:.1f} s old; a rate needs {SHORTEST} s or more"
    for key, earlier, later in (
        ("processed", before["processed"], after["processed"]),
        ("failed", before["failed"], after["failed"]),
    ):
        if later < earlier:
            return None, f"the count {key} fell from {int(earlier)} to {later}: it was reset, or Redis lost it"
    processed, failed = after["processed"] - before["processed"], after["failed"] - before["failed"]
    return {
        "seconds": round(seconds, 3),
        "processed": processed,
        "failed": failed,
        "processed_per_hour": round(processed * 3600 / seconds, 2),
        "failed_per_hour": round(failed * 3600 / seconds, 2),
    }, None


def summary(state: State, rate_found: Optional[Rate]) -> str:
    """Return the state as one line."""
    per_hour = "" if rate_found is None else f" ({rate_found['processed_per_hour']:g} an hour)"
    oldest = f", the oldest for {format_duration(state['latency_seconds'])}" if state["enqueued"] else ""
    words = [
        f"{state['processed']} processed{per_hour}",
        f"{state['failed']} failed",
        f"{state['retries']} to retry",
        f"{state['dead']} dead",
        f"{state['enqueued']} enqueued{oldest}",
    ]
    if state["processes"]:
        words += [
            f"{state['busy']} of {state['concurrency']} busy",
            f"last beat {format_duration(state['heartbeat_seconds'] or 0)} ago",
        ]
        quiet = sum(process["quiet"] for process in state["processes"])
        words += [f"{quiet} of {len(state['processes'])} processes quiet"] if quiet else []
    else:
        words.append("no process")
    words += [f"{len(state['vanished'])} vanished"] if state["vanished"] else []
    return ", ".join(words)
