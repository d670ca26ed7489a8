# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of the facts about programs: OOM kills, processes, listeners, workers of Sidekiq.

Every key is always there; None is for a value that the kernel does not report or that could not be read. Sizes are
bytes, times are RFC 3339 in UTC.
"""

from __future__ import annotations

from typing import Dict, List, Optional, TypedDict

# --- lifeline_oom


class OomEvent(TypedDict):
    """A process that the kernel killed because memory ran out."""

    time: Optional[str]
    uptime_seconds: Optional[float]
    killer: str
    pid: Optional[int]
    name: Optional[str]
    uid: Optional[int]
    score: Optional[int]
    chosen_pid: Optional[int]
    chosen_name: Optional[str]
    chosen_score: Optional[int]
    oom_score_adj: Optional[int]
    total_vm_bytes: Optional[int]
    anon_rss_bytes: Optional[int]
    file_rss_bytes: Optional[int]
    shmem_rss_bytes: Optional[int]
    pgtables_bytes: Optional[int]
    invoker: Optional[str]
    constraint: Optional[str]
    memcg: Optional[str]
    task_memcg: Optional[str]
    oom_group: Optional[bool]
    unit: Optional[str]
    limit_bytes: Optional[int]
    usage_bytes: Optional[int]
    source: Optional[str]


class OtherKill(TypedDict):
    """A process that a program, such as systemd-oomd, killed because memory ran out."""

    time: Optional[str]
    uptime_seconds: Optional[float]
    killer: str
    pid: Optional[int]
    name: Optional[str]
    uid: Optional[int]
    rss_bytes: Optional[int]
    signal: Optional[str]
    cgroup: Optional[str]
    unit: Optional[str]
    reason: Optional[str]
    source: Optional[str]


class OomSource(TypedDict):
    """A log, and why it could not be read."""

    name: str
    readable: bool
    reason: Optional[str]


class Oom(TypedDict):
    """OOM kills on record, the newest first."""

    events: List[OomEvent]
    other_kills: List[OtherKill]
    kills_since_boot: Optional[int]
    kills_in_log: int
    invocations_without_kill: int
    sshd_killed: bool
    worker_killed: bool
    sources: List[OomSource]


# --- lifeline_processes


class Process(TypedDict):
    """A process of the table of all processes."""

    pid: int
    ppid: int
    name: str
    state: str
    nice: int
    threads: int
    rss_bytes: int
    virtual_bytes: int
    cpu_seconds: float
    started_seconds: float
    age_seconds: Optional[float]
    kernel_thread: bool
    command_line: Optional[str]
    oom_score_adj: Optional[int]
    fd_soft_limit: Optional[int]
    fd_hard_limit: Optional[int]


Table = Dict[int, Process]


class Limit(TypedDict):
    """A limit of a process; None is unlimited."""

    soft: Optional[int]
    hard: Optional[int]


class MappedGroup(TypedDict):
    """Mappings of a process that have one name, added up."""

    name: str
    kind: str
    mappings: int
    size_bytes: int
    rss_bytes: int
    pss_bytes: int
    swap_bytes: int
    private_bytes: int


class ProcessDetails(TypedDict):
    """A process that was asked for."""

    pid: int
    ppid: int
    name: str
    state: str
    nice: int
    threads: int
    rss_bytes: int
    virtual_bytes: int
    cpu_seconds: float
    age_seconds: Optional[float]
    kernel_thread: bool
    command_line: Optional[str]
    oom_score_adj: Optional[int]
    fd_soft_limit: Optional[int]
    fd_hard_limit: Optional[int]
    uid: Optional[int]
    user: Optional[str]
    cgroup: Optional[str]
    unit: Optional[str]
    rss_peak_bytes: Optional[int]
    swap_bytes: Optional[int]
    pss_bytes: Optional[int]
    oom_score: Optional[int]
    limits: Dict[str, Limit]
    started: Optional[str]
    open_fds: Optional[int]
    maps: Optional[List[MappedGroup]]


class Processes(TypedDict):
    """The processes that were asked for, those with the most memory first."""

    processes: List[ProcessDetails]
    matched: int
    rss_bytes: int
    processes_total: int
    threads_total: int
    unreadable: int


# --- lifeline_listeners


class Listener(TypedDict):
    """A socket that listens, with the process behind it."""

    protocol: str
    address: str
    port: int
    loopback: bool
    user: Optional[str]
    pid: Optional[int]
    name: Optional[str]
    unit: Optional[str]
    package: Optional[str]
    unit_package: Optional[str]
    started: Optional[str]
    age_seconds: Optional[float]
    memory_bytes: Optional[int]
    cache_bytes: Optional[int]
    expected: Optional[bool]


class UnexpectedService(TypedDict):
    """All unexpected listeners of one unit or process; `text` says it in a sentence."""

    unit: Optional[str]
    name: Optional[str]
    pid: Optional[int]
    package: Optional[str]
    unit_package: Optional[str]
    started: Optional[str]
    age_seconds: Optional[float]
    memory_bytes: Optional[int]
    cache_bytes: Optional[int]
    loopback: bool
    listens: List[str]
    text: str


class Listeners(TypedDict):
    """The listeners. `unexpected` is None if the inventory does not say what is expected."""

    listeners: List[Listener]
    listeners_total: Optional[int]
    unreadable: int
    unexpected: Optional[List[UnexpectedService]]


# --- lifeline_sidekiq


class SidekiqWorker(TypedDict):
    """The start of a Sidekiq worker on the host, and the watchdog's notes about it since boot."""

    app_path_exists: bool
    config_file: Optional[str]
    user: Optional[str]
    user_exists: bool
    user_error: Optional[str]
    command: Optional[str]
    command_error: Optional[str]
    version: Optional[str]
    notify: bool
    pidfile_alive: bool
    restarts: int
    given_up: bool
    paused: bool


class Sidekiq(TypedDict):
    """The workers of Sidekiq by name, and what the host offers them."""

    memory_bytes: Optional[int]
    systemd_version: Optional[int]
    workers: Dict[str, SidekiqWorker]
