# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of the facts about a host's resources: memory, file systems, descriptors and pressure.

Every key is always there; None is for a value that the kernel does not report or that could not be read. Sizes are
bytes, shares are percent.
"""

from __future__ import annotations

from typing import Dict, List, Optional, TypedDict

# --- lifeline_memory


class Swap(TypedDict):
    """All swap areas together."""

    total_bytes: Optional[int]
    free_bytes: Optional[int]
    used_bytes: Optional[int]
    used_percent: Optional[float]
    cached_bytes: Optional[int]
    compressed: Optional[bool]


class HugePages(TypedDict):
    """Huge pages of the default size; `size_bytes` is what all of them take."""

    page_size_bytes: Optional[int]
    total: Optional[int]
    free: Optional[int]
    reserved: Optional[int]
    surplus: Optional[int]
    size_bytes: Optional[int]


class MemoryCeiling(TypedDict):
    """The smallest memory limit of a control group; `used_bytes` is the working set, without cache that goes first."""

    version: int
    path: str
    limit_bytes: int
    used_bytes: int
    usage_bytes: int
    available_bytes: int
    swap_limit_bytes: Optional[int]
    swap_used_bytes: Optional[int]


class Memory(TypedDict):
    """The memory of a host. `limit_*` is what it may use: the control group's limit if that is below its RAM."""

    total_bytes: Optional[int]
    free_bytes: Optional[int]
    available_bytes: Optional[int]
    available_estimated: Optional[bool]
    available_percent: Optional[float]
    used_bytes: Optional[int]
    buffers_bytes: Optional[int]
    cached_bytes: Optional[int]
    shared_bytes: Optional[int]
    anonymous_bytes: Optional[int]
    mapped_bytes: Optional[int]
    dirty_bytes: Optional[int]
    writeback_bytes: Optional[int]
    unevictable_bytes: Optional[int]
    slab_bytes: Optional[int]
    slab_reclaimable_bytes: Optional[int]
    slab_unreclaimable_bytes: Optional[int]
    slab_unreclaimable_percent: Optional[float]
    kernel_stack_bytes: Optional[int]
    page_tables_bytes: Optional[int]
    per_cpu_bytes: Optional[int]
    unaccounted_bytes: Optional[int]
    commit_limit_bytes: Optional[int]
    committed_bytes: Optional[int]
    committed_percent: Optional[float]
    arc_reclaimable_bytes: Optional[int]
    overcommit_mode: Optional[str]
    swap: Swap
    huge_pages: HugePages
    cgroup: Optional[MemoryCeiling]
    limit_bytes: Optional[int]
    limit_available_bytes: Optional[int]
    limit_available_percent: Optional[float]
    ram_available_percent: Optional[float]


# --- lifeline_kernel


class TableUsage(TypedDict):
    """The fill level of one of the kernel's tables."""

    used: Optional[int]
    maximum: Optional[int]
    used_percent: Optional[float]


class Kernel(TypedDict):
    """The kernel's tables that each login needs, and what kind of host it is."""

    pids: TableUsage
    conntrack: TableUsage
    ptys: TableUsage
    ports: TableUsage
    disk_errors: Dict[str, int]
    login_session: bool
    container: bool
    lxcfs: bool
    ssh_socket: bool
    logins_refused_by: Optional[str]


# --- lifeline_disks


class FileSystemSpace(TypedDict):
    """Space and inodes of a file system, as df counts them."""

    size_bytes: Optional[int]
    used_bytes: Optional[int]
    available_bytes: Optional[int]
    reserved_bytes: Optional[int]
    used_percent: Optional[float]
    inodes_total: Optional[int]
    inodes_used: Optional[int]
    inodes_available: Optional[int]
    inodes_used_percent: Optional[float]


class FileSystem(FileSystemSpace):
    """A file system. `hung` is one that did not answer in time, `always_full` one that nothing can be added to."""

    mount: str
    device: str
    type: str
    kind: str
    options: List[str]
    read_only: bool
    read_only_by_error: bool
    always_full: bool
    readable: bool
    hung: bool
    failed: bool
    inodes_from_space: bool
    source: str


class DeletedHolder(TypedDict):
    """A process that has a deleted file open; `fd` is None if the file is mapped only."""

    pid: Optional[int]
    name: str
    fd: Optional[int]


class DeletedFile(TypedDict):
    """A file without a name that still takes space."""

    bytes: Optional[int]
    path: str
    mount: str
    holders: List[DeletedHolder]


class DeletedFiles(TypedDict):
    """All deleted files that are still open, the largest first."""

    files: List[DeletedFile]
    total_bytes: int
    unreadable_processes: int


class Disks(TypedDict):
    """The file systems, each once. `deleted` is None unless it was asked for."""

    filesystems: List[FileSystem]
    hung: List[str]
    unreadable: int
    deleted: Optional[DeletedFiles]


# --- lifeline_fds


class FdHolder(TypedDict):
    """A process with many descriptors. `kinds` counts them by kind, if they were read."""

    pid: int
    name: str
    open: Optional[int]
    soft_limit: Optional[int]
    hard_limit: Optional[int]
    used_percent: Optional[float]
    kinds: Optional[Dict[str, int]]


class FdLimit(TypedDict):
    """A process with its own limit."""

    pid: int
    name: str
    soft_limit: int


class FdLimits(TypedDict):
    """The number of processes that may open more descriptors than the whole system, and the worst of them."""

    count: int
    processes: List[FdLimit]


class Sockets(TypedDict):
    """Sockets in the reader's network namespace."""

    used: Optional[int]
    tcp: Optional[Dict[str, int]]
    tcp_in_use: Optional[int]
    tcp_orphaned: Optional[int]
    tcp_max_orphaned: Optional[int]
    tcp_time_wait: Optional[int]
    tcp_memory_bytes: Optional[int]
    tcp_max_memory_bytes: Optional[int]
    udp: Optional[int]
    unix: Optional[int]


class Inotify(TypedDict):
    """Limits of inotify; `instances` and `watches` are counted only if that was asked for."""

    max_user_instances: Optional[int]
    max_user_watches: Optional[int]
    max_queued_events: Optional[int]
    instances: Optional[int]
    watches: Optional[int]


class Inodes(TypedDict):
    """Inodes that the kernel holds in memory."""

    allocated: Optional[int]
    free: Optional[int]


class Fds(TypedDict):
    """Descriptors of the whole system and of the processes that have most, or are near their own limit."""

    allocated: Optional[int]
    maximum: Optional[int]
    used_percent: Optional[float]
    nr_open: Optional[int]
    processes: List[FdHolder]
    processes_total: int
    unreadable: int
    limit_above_maximum: FdLimits
    sockets: Sockets
    inotify: Inotify
    inodes: Inodes


# --- lifeline_pressure


class Load(TypedDict):
    """The load averages."""

    one: Optional[float]
    five: Optional[float]
    fifteen: Optional[float]


class Stall(TypedDict):
    """Shares of time in which some, or all, tasks waited for a resource."""

    some_avg10_percent: Optional[float]
    some_avg60_percent: Optional[float]
    some_avg300_percent: Optional[float]
    some_total_microseconds: Optional[int]
    full_avg10_percent: Optional[float]
    full_avg60_percent: Optional[float]
    full_avg300_percent: Optional[float]
    full_total_microseconds: Optional[int]


class Stalls(TypedDict):
    """Pressure stall information; None if the kernel does not measure it."""

    cpu: Optional[Stall]
    memory: Optional[Stall]
    io: Optional[Stall]


class CpuShares(TypedDict):
    """Each state's share of the CPU time."""

    user: Optional[float]
    nice: Optional[float]
    system: Optional[float]
    idle: Optional[float]
    iowait: Optional[float]
    irq: Optional[float]
    softirq: Optional[float]
    steal: Optional[float]


class Pressure(TypedDict):
    """Load, pressure and the rates of vmstat."""

    uptime_seconds: Optional[float]
    cpus: Optional[int]
    load: Load
    load_per_cpu: Load
    running: Optional[int]
    blocked: Optional[int]
    threads: Optional[int]
    pressure: Stalls
    sampled_seconds: Optional[float]
    since_boot: bool
    cpu_percent: CpuShares
    swap_in_bytes_per_second: Optional[float]
    swap_out_bytes_per_second: Optional[float]
    major_faults_per_second: Optional[float]
    forks_per_second: Optional[float]
    context_switches_per_second: Optional[float]
