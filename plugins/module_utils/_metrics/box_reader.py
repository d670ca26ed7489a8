# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads on the box, in one go, what M(lifeline.fleet.health) reads from the controller: the same sources, for the same parsers."""

from __future__ import annotations

import glob
import os

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

# A service has a control group with limits of its own, and sees mounts as its sandbox has them. Those of init are the box's.
_OF_INIT = {"/proc/self/cgroup": "/proc/1/cgroup", "/proc/self/mountinfo": "/proc/1/mountinfo"}

# The tables have a line for each socket, of which a busy box has many thousands.
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


def read(timeout):
    """The box's sources. V(timeout) is how many seconds a mount that may hang is waited for."""
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
    """The mounts that an earlier reading still waits for: its process can't even be killed until they answer."""
    own = os.geteuid()
    found = {pid: statfs.mount_waited_for(sources.get(f"/proc/{pid}/stat", "")) for pid in pids}
    return {mount for pid, mount in found.items() if mount is not None and _owner(pid) == own}


def _owner(pid):
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
