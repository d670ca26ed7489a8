# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the facts that the verdict lacks because they could not be read."""

from __future__ import annotations

from typing import List, Optional, Sequence

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.facts import Facts, WorkerReading
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import Listeners, Table

# On a host with many processes, so many end while the probe reads them.
_MANY, _ENDED = 20, 2


def unread(facts: Facts, table: Table, kills: Optional[int], workers: Sequence[WorkerReading] = ()) -> List[str]:
    """Return what was not read, with how much, in words for the operator; an empty list if everything was."""
    memory, disks, fds = facts["lifeline_memory"], facts["lifeline_disks"], facts["lifeline_fds"]
    missing = []
    if memory["limit_available_bytes"] is None:
        missing.append("memory")
    missing += _unread_processes(table, workers)
    if not disks["filesystems"]:
        missing.append("file systems")
    asked = [disk for disk in disks["filesystems"] if not disk["readable"] and not disk["hung"] and not disk["failed"]]
    if asked and disks["filesystems"]:
        missing.append(_count(len(asked), "file system"))
    if fds["maximum"] is None:
        missing.append("descriptors")
    elif fds["unreadable"] > (_ENDED if 1 in table and fds["processes_total"] > _MANY else 0):
        missing.append(f"descriptors of {_count(fds['unreadable'], 'process')}")
    if kills is None:
        missing.append("OOM kills")
    if facts["lifeline_pressure"]["load"]["five"] is None:
        missing.append("load")
    if facts["lifeline_kernel"]["pids"]["used"] is None:
        missing.append("kernel tables")
    listeners = facts.get("lifeline_listeners")
    if listeners is not None:
        missing += _unread_listeners(listeners)
    return missing


def _unread_processes(table: Table, workers: Sequence[WorkerReading]) -> List[str]:
    if not table:
        return ["processes"]
    if 1 not in table:
        return ["other users' processes"]
    return [f"worker {worker['name']}" for worker in workers if worker["state"] == "unknown"]


def _unread_listeners(listeners: Listeners) -> List[str]:
    if listeners["listeners_total"] is None:
        return ["listeners"]
    # A few belong to the kernel itself. If none has a process, the processes could not be read.
    if listeners["listeners_total"] and listeners["unreadable"] == listeners["listeners_total"]:
        return [f"processes of {_count(listeners['unreadable'], 'listener')}"]
    return []


def _count(number: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number} {noun if number == 1 else plural}"
