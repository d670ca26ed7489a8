# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the OOM kills of a host."""

from __future__ import annotations

from typing import Optional, Sequence, Set

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Facts, WorkerReading
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Oom, OomEvent, Process, Table
from ansible_collections.lifeline.fleet.plugins.module_utils._judge import logins
from ansible_collections.lifeline.fleet.plugins.module_utils._judge.findings import Findings
from ansible_collections.lifeline.fleet.plugins.module_utils._quantities import format_duration

# Jobs that may be killed at any time have this oom_score_adj or more; Kubernetes gives 1000 to those without requests.
_SACRIFICED = 500
# A host without an OOM kill for this long has enough memory again.
_OVER_SECONDS = 6 * 3600


def in_window(facts: Facts, table: Table, window: float) -> Optional[int]:
    """Return the OOM kills in the last `window` seconds, None if neither the kernel's log nor its counter can tell.

    The log forgets. The counter does not, but it counts since the host was started, and counts a victim twice if its
    whole control group is killed.
    """
    oom, first = facts["lifeline_oom"], table.get(1)
    uptime = None if first is None else first["age_seconds"]
    logged = oom["kills_in_log"] if any(log["readable"] for log in oom["sources"]) else None
    counted = oom["kills_since_boot"]
    if counted is None and logged and facts["lifeline_kernel"]["container"]:
        # These may be kills of the machine or of its other containers.
        return None
    if counted is not None and logged is not None and counted < logged:
        # The log of a container is the whole host's, and so is what was logged before it was started.
        return counted
    if counted is not None and uptime is not None and uptime <= window:
        return max(logged or 0, counted - sum(1 for event in oom["events"] if event["oom_group"]))
    return logged


def judge(
    found: Findings,
    oom: Oom,
    kills: Optional[int],
    window: float,
    table: Table,
    workers: Sequence[WorkerReading],
) -> None:
    """Judge `kills`: a warning at most if long ago, or within limits of their own and of neither sshd nor a worker."""
    if not kills:
        return
    events = oom["events"] if oom["kills_in_log"] <= kills else []
    last = f", last of {events[0]['name']} (pid {events[0]['pid']})" if events else ""
    names = {worker["name"] for worker in workers} | {
        table[pid]["name"] for worker in workers for pid in worker["pids"] if pid in table
    }
    own = sum(1 for event in events if _is_within_limits(event) and not _is_of(event, names))
    found.hold(
        "oom_kills",
        kills,
        f"{kills} OOM kill{'' if kills == 1 else 's'} in {format_duration(window)}{last}",
        at_most="warning" if events and (own == len(events) or _are_over(events, table)) else "critical",
    )
    logins_killed = [event for event in events if (event["name"] or "").startswith("sshd")]
    if logins_killed:
        found.hold(
            "sshd_killed",
            len(logins_killed),
            f"the kernel killed {logins_killed[0]['name']} (pid {logins_killed[0]['pid']})",
            subject="sshd",
            at_most="warning" if logins.listeners(table) else "critical",
        )


def _is_within_limits(event: OomEvent) -> bool:
    """Return whether a control group's own limit was hit, or a job was killed that was to be killed first."""
    return event["constraint"] == "memcg" or (event["oom_score_adj"] or 0) >= _SACRIFICED


def _are_over(events: Sequence[OomEvent], table: Table) -> bool:
    """Return whether the last kill was long ago, as far as the log has the times."""
    uptime = max((_uptime(process) for process in table.values()), default=0.0)
    times = [event["uptime_seconds"] for event in events]
    return bool(uptime) and all(time is not None and uptime - time > _OVER_SECONDS for time in times)


def _uptime(process: Process) -> float:
    return (process["age_seconds"] or 0.0) + process["started_seconds"]


def _is_of(event: OomEvent, names: Set[str]) -> bool:
    name, unit = event["name"] or "", (event["unit"] or "").partition(".")[0].partition("@")[0]
    return name.startswith("sshd") or name in names or unit in names
