# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read on the host the sources that `health` reads from the controller, for the same parsers."""

from __future__ import annotations

import glob
import os
from typing import Dict

from ansible_collections.lifeline.fleet.plugins.module_utils import _reader
from ansible_collections.lifeline.fleet.plugins.module_utils._disks import facts as disk_facts, statfs
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


def read(timeout: float) -> Dict[str, str]:
    """Return the host's sources: texts by path, and by name where no file has them.

    `timeout` is the time in seconds for a mount that may hang.
    """
    sources = _reader.read_files(page_size.SOURCES, limit=page_size.READ_LIMIT)
    of_init = _reader.read_files(_OF_INIT.values())
    sources.update((path, of_init[own]) for path, own in _OF_INIT.items() if own in of_init)
    _reader.read_files(_FILES, sources)
    _reader.read_files(memory.paths(sources), sources)
    _reader.read_files((path for pattern in watchdog.PATTERNS for path in sorted(glob.glob(pattern))), sources)
    pids = _reader.list_pids()
    _reader.read_files(_reader.process_paths(processes.TABLE_FILES, pids), sources)
    sources["statfs"] = statfs.read(
        mountinfo.parse(sources.get(mountinfo.SOURCES[0])), timeout, waiting=_waited_for(sources, pids)
    )
    sources["fds"] = descriptor_reader.count_all(pids)
    log = "" if oom_facts.kernel_count(sources) == 0 else read_kmsg()[0]
    if log is not None:
        sources["kmsg"] = log
    return sources


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
