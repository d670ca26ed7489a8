# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of all that is known of a host: its sources, its facts, the watchdog's notes and the verdict.

The parsers make these dictionaries; the verdict, the table, the metrics and the history read them.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, TypedDict

from ansible_collections.lifeline.fleet.plugins.module_utils._contract.programs import (
    Listeners,
    Oom,
    Processes,
    Sidekiq,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._contract.resources import (
    Disks,
    Fds,
    Kernel,
    Memory,
    Pressure,
)

# Text by the name of the file that it is from, or by a plain name for what is not in a file, such as `fds`.
Sources = Mapping[str, str]


class ProbedFacts(TypedDict):
    """The facts of every probe of a host."""

    lifeline_memory: Memory
    lifeline_disks: Disks
    lifeline_fds: Fds
    lifeline_oom: Oom
    lifeline_pressure: Pressure
    lifeline_kernel: Kernel


class Facts(ProbedFacts, total=False):
    """The facts of one probe; those about listeners only if the inventory says what is expected."""

    lifeline_listeners: Listeners


class AnyFacts(TypedDict, total=False):
    """The facts of any fact module, by name."""

    lifeline_memory: Memory
    lifeline_disks: Disks
    lifeline_fds: Fds
    lifeline_oom: Oom
    lifeline_pressure: Pressure
    lifeline_kernel: Kernel
    lifeline_listeners: Listeners
    lifeline_processes: Processes
    lifeline_sidekiq: Sidekiq


class WatchdogNote(TypedDict):
    """The watchdog's record of a worker since boot."""

    restarts: int
    given_up: bool
    paused: bool


class Watchdog(TypedDict):
    """The notes by the worker's name, and the process ids in pidfiles by the pidfile's path."""

    noted: Dict[str, WatchdogNote]
    pids: Dict[str, int]


class WorkerReading(TypedDict):
    """A worker as it was found: `pids` are its topmost processes, the other numbers count their children too."""

    name: str
    required: bool
    state: str
    pids: List[int]
    zombies: int
    processes: int
    crashes: Optional[int]
    rss_bytes: Optional[int]
    max_memory_bytes: Optional[int]
    used_percent: Optional[float]
    restarts: Optional[int]
    given_up: bool
    paused: bool


class Finding(TypedDict):
    """One reason why a host is in danger, in the unit of its check."""

    check: str
    severity: str
    subject: Optional[str]
    value: float
    threshold: float
    unit: str
    message: str


class Forecast(TypedDict):
    """A resource that will be used up, and when."""

    check: str
    metric: str
    subject: Optional[str]
    value: float
    capacity: Optional[float]
    rate_per_hour: float
    seconds: int
    seconds_low: int
    seconds_high: int
    since: Optional[str]
    message: str


class Judged(TypedDict):
    """The verdict on a host: ok, warning or critical, with the findings, the worst first, and what was not read."""

    verdict: str
    findings: List[Finding]
    unread: List[str]
    workers: List[WorkerReading]
    oom_kills: Optional[int]
