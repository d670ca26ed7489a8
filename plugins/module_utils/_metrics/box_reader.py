# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read on the host the sources that `health` reads from the controller, for the same parsers."""

from __future__ import annotations

import glob
import os
from typing import Dict, Iterable, List, Mapping

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import facts as disk_facts, statfs
from ansible_collections.lifeline.fleet.plugins.module_utils._files import regular
from ansible_collections.lifeline.fleet.plugins.module_utils._kernel_log.journal import read_kmsg
from ansible_collections.lifeline.fleet.plugins.module_utils._oom import facts as oom_facts
from ansible_collections.lifeline.fleet.plugins.module_utils._proc import (
    container,
    descriptor_reader,
    fds,
    kernel_tables,
    memory,
    mountinfo,
    page_size,
    pressure,
    processes,
    sockets,
)
from ansible_collections.lifeline.fleet.plugins.module_utils._sidekiq import watchdog

# The exporter's service has its own control group limits and its own view of mounts; those of init are the host's.
_OF_INIT = {"/proc/self/cgroup": "/proc/1/cgroup", "/proc/self/mountinfo": "/proc/1/mountinfo"}

# The tables have one line per socket, and busy hosts have many thousands of sockets.
_SOCKET_COUNTERS = tuple(path for path in sockets.SOURCES if path.rpartition("/")[2] not in sockets.TABLES)

_FILES = tuple(
    path
    for path in dict.fromkeys(
        memory.SOURCES
        + pressure.SOURCES
        + disk_facts.SOURCES
        + fds.SOURCES
        + oom_facts.SOURCES
        + processes.SOURCES
        + container.SOURCES
        + kernel_tables.SOURCES
        + _SOCKET_COUNTERS
    )
    if path not in page_size.SOURCES and path not in _OF_INIT
)

# A user can give a process a command line of megabytes. The verdict needs its beginning.
_PROCESS_BYTES = 4096
# All files of all processes together, each with the memory that Python needs for it. 4,000 usual processes fit.
_TABLE_BYTES = 16 << 20
_OVERHEAD = 512
# Those without which a process is unknown come first.
_TABLE_FILES = ("stat", "oom_score_adj", "cmdline", "limits")
# More workers than a host has.
_MOST_WORKERS = 1000
# The source that names what was left out.
UNREAD = "unread"


def read(timeout: float) -> Dict[str, str]:
    """Return the host's sources: texts by path, and by name where no file has them.

    `timeout` is the time in seconds for a mount that may hang.
    """
    sources = _reader.read_files(page_size.SOURCES, limit=page_size.READ_LIMIT)
    of_init = _reader.read_files(_OF_INIT.values())
    sources.update((path, of_init[own]) for path, own in _OF_INIT.items() if own in of_init)
    _reader.read_files(_FILES, sources)
    _reader.read_files(memory.paths(sources), sources)
    sources.update(_read_watchdog())
    pids = _reader.list_pids()
    if not read_table(pids, sources):
        sources[UNREAD] = "processes"
    sources["statfs"] = statfs.read(
        mountinfo.parse(sources.get(mountinfo.SOURCES[0])), timeout, waiting=_waited_for(sources, pids)
    )
    sources["fds"] = descriptor_reader.count_all(pids)
    _reader.read_files((path for pattern in kernel_tables.PATTERNS for path in sorted(glob.glob(pattern))), sources)
    log = "" if oom_facts.kernel_count(sources) == 0 else read_kmsg()[0]
    if log is not None:
        sources["kmsg"] = log
    return sources


def _read_watchdog():
    """Return the watchdog's records and the workers' pidfiles; the latter are in folders of the workers' users."""
    paths = (path for pattern in watchdog.PATTERNS for path in sorted(glob.glob(pattern))[:_MOST_WORKERS])
    read = ((path, regular.read(path, watchdog.LARGEST)) for path in paths)
    return {path: text for path, text in read if text is not None}


def read_table(pids: Iterable[int], sources: Dict[str, str], most: int = _TABLE_BYTES) -> bool:
    """Add the files of the processes to `sources`; return False if they would need more than `most` bytes of memory."""
    ordered: List[int] = list(pids)
    for name in _TABLE_FILES:
        for path in _reader.process_paths([name], ordered):
            text = _reader.read_or_none(path, _PROCESS_BYTES)
            if text is None:
                continue
            most -= len(text) + _OVERHEAD
            if most < 0:
                return False
            sources[path] = text
    return True


def is_complete(sources: Mapping[str, str]) -> bool:
    """Return whether all processes were read."""
    return UNREAD not in sources


def _waited_for(sources, pids):
    """Return the mounts that an earlier reading still waits for: its process cannot be killed before they answer."""
    own = os.geteuid()
    found = {pid: statfs.mount_waited_for(sources.get(f"/proc/{pid}/stat", "")) for pid in pids}
    return {mount for pid, mount in found.items() if mount is not None and _owner(pid) == own}


def _owner(pid):
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
